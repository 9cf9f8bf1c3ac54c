package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const store = `package store

import (
	"context"
	"database/sql"
)

type Store struct{ DB *sql.DB }

// RunInTx runs f in a transaction.
func (s *Store) RunInTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
`

const app = `package app

import (
	"context"
	"database/sql"
	"net/http"

	"example.com/shop/store"
)

func pay(ctx context.Context, s *store.Store, url string) error {
	return s.RunInTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "update accounts set balance = 0"); err != nil {
			return err
		}
		_, err := http.Get(url)
		return err
	})
}
`

// slowStore has a finding of its own.
const slowStore = `
func (s *Store) Ping(url string) error {
	tx, err := s.DB.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = http.Get(url)
	return err
}
`

func TestVet_factsOfOtherPackages(t *testing.T) {
	v := newVet(t, store, app)
	text, status := v.run(t)
	if status != 1 {
		t.Errorf("got the exit status %d, want 1", status)
	}
	const want = "high http: http.Get is called while a transaction is held since "
	if n := strings.Count(text, want); n != 1 || !strings.Contains(text, "app.go:16:") {
		t.Errorf("got %d lines with %q, want 1, at app.go:16:\n%s", n, want, text)
	}
}

// TestVet_again is that nothing is looked at again where nothing changed, and that
// what was found is said again nevertheless: as of Go 1.26, go vet remembers both.
func TestVet_again(t *testing.T) {
	v := newVet(t, store, app)
	if _, _, asked := v.runTold(t); !slices.Equal(asked, []string{"store", "app"}) {
		t.Errorf("the first time, the analyzer was run for %q, want store and app", asked)
	}
	first, _ := v.run(t)
	again, status, asked := v.runTold(t)
	if status != 1 || findings(again) == "" || findings(again) != findings(first) {
		t.Errorf("got the exit status %d and\n%s\nwant 1 and what was said the first time:\n%s", status, findings(again), findings(first))
	}
	if len(asked) != 0 {
		t.Errorf("the analyzer was run again for %q, want not at all", asked)
	}

	v.write(t, "app/app.go", strings.Replace(app, "http.Get(url)", `http.NewRequest("GET", url, nil)`, 1))
	if text, status, asked := v.runTold(t); status != 0 || !slices.Equal(asked, []string{"app"}) {
		t.Errorf("app makes no slow call any more: the analyzer was run for %q and the exit status is %d, want app and 0:\n%s", asked, status, findings(text))
	}
}

// TestVet_findingInDependency is that a finding in a package does not keep the
// package's facts from those that import it. Before Go 1.26 it did.
func TestVet_findingInDependency(t *testing.T) {
	v := newVet(t, strings.Replace(store, `"database/sql"`, "\"database/sql\"\n\t\"net/http\"", 1)+slowStore, app)
	text, status := v.run(t)
	if status != 1 || !strings.Contains(text, "store.go:") || !strings.Contains(text, "app.go:") {
		t.Errorf("got the exit status %d, want 1 and findings in store.go and app.go:\n%s", status, text)
	}
}

// TestVet_packageWithTests is that a test file, which makes the package that go vet
// reads import testing, hides nothing in the package's other files.
func TestVet_packageWithTests(t *testing.T) {
	v := newVet(t, store, app)
	v.write(t, "app/app_test.go", appTest)
	text, status := v.run(t)
	if got := findings(text); status != 1 || strings.Count(got, "\n") != 0 || !strings.Contains(got, "app.go:16:") {
		t.Errorf("got the exit status %d and\n%s\nwant 1 and one finding, at app.go:16", status, got)
	}
	text, status = v.run(t, "-holdcheck.tests")
	if got := findings(text); status != 1 || !strings.Contains(got, "app.go:16:") || !strings.Contains(got, "app_test.go:16:") {
		t.Errorf("with tests: got the exit status %d and\n%s\nwant 1 and findings at app.go:16 and app_test.go:16", status, got)
	}
}

const appTest = `package app

import (
	"database/sql"
	"net/http"
	"testing"
)

func TestPay(t *testing.T) {
	db, err := sql.Open("", "")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	http.Get("http://127.0.0.1")
}
`

// TestVet_testingInPackage checks that of a package that imports testing outside of its
// tests only the functions for tests are left out, and that the tool says so.
func TestVet_testingInPackage(t *testing.T) {
	v := newVet(t, strings.Replace(store, `"database/sql"`, "\"database/sql\"\n\t\"net/http\"\n\t\"testing\"", 1)+slowStore+`
// Conformance is for the tests of those who have a store.
func Conformance(t *testing.T, db *sql.DB) {
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	http.Get("http://127.0.0.1")
}
`, app)
	v.write(t, "store/store_test.go", "package store\n\nimport \"testing\"\n\nfunc TestStore(t *testing.T) { Conformance(t, nil) }\n")
	const left = "holdcheck: example.com/shop/store: 1 slow call in a hold is left out, in functions for tests: Conformance; -holdcheck.tests shows them\n"
	text, status := v.run(t)
	if got := findings(text); status != 1 || strings.Count(got, "\n") != 1 || !strings.Contains(got, "store.go:31:") || !strings.Contains(got, "app.go:16:") {
		t.Errorf("got the exit status %d and\n%s\nwant 1 and two findings, at store.go:31 and app.go:16", status, got)
	}
	if n := strings.Count(text, left); n != 1 {
		t.Errorf("it is said %d times what was left out, want once %q:\n%s", n, left, text)
	}
	text, status = v.run(t, "-holdcheck.tests")
	if got := findings(text); status != 1 || strings.Count(got, "\n") != 2 || !strings.Contains(got, "store.go:42:") || strings.Contains(text, "left out") {
		t.Errorf("with tests: got the exit status %d and\n%s\nwant 1 and a third finding, at store.go:42", status, text)
	}
}

func TestMain_byHand(t *testing.T) {
	tool := newVet(t, store, app).tool
	for _, args := range [][]string{nil, {"./..."}, {"-h"}} {
		out, err := exec.Command(tool, args...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "go vet -vettool=") {
			t.Errorf("holdcheck %q: got %v, want the exit status 2 and how to use it:\n%s", args, err, out)
		}
	}
	out, err := exec.Command(tool, "help", "holdcheck").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "holdcheck.config") {
		t.Errorf("holdcheck help holdcheck: got %v, want its flags:\n%s", err, out)
	}
}

// vet is a module, and the tool for it.
type vet struct{ dir, tool string }

func newVet(t *testing.T, store, app string) vet {
	t.Helper()
	v := vet{dir: t.TempDir(), tool: filepath.Join(t.TempDir(), "holdcheck")}
	if runtime.GOOS == "windows" {
		v.tool += ".exe"
	}
	v.write(t, "go.mod", "module example.com/shop\n\ngo 1.24\n")
	v.write(t, "store/store.go", store)
	v.write(t, "app/app.go", app)
	if out, err := exec.Command("go", "build", "-o", v.tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return v
}

func (v vet) write(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(v.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func (v vet) run(t *testing.T, args ...string) (text string, status int) {
	t.Helper()
	cmd := exec.Command("go", append(append([]string{"vet", "-vettool=" + v.tool}, args...), "./...")...)
	cmd.Dir = v.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// runTold runs go vet and says for which packages of the module it ran the tool.
func (v vet) runTold(t *testing.T) (text string, status int, asked []string) {
	t.Helper()
	text, status = v.run(t, "-x")
	in := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if dir, ok := strings.CutPrefix(line, "cd "); ok {
			in = filepath.Base(dir)
		}
		if strings.Contains(line, v.tool) && strings.HasSuffix(line, "vet.cfg") {
			asked = append(asked, in)
		}
	}
	return text, status, asked
}

// findings are the lines about findings, without those that go vet -x adds.
func findings(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, " is held") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines, "\n")
}
