//go:build linux || darwin

package pgtemp

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// bare is a machine without PostgreSQL, which downloads from the handler.
func bare(t *testing.T, repository http.HandlerFunc) machine {
	t.Helper()
	m := at(newBase(t))
	m.getenv = func(string) string { return "" }
	m.places = nil
	cache := newBase(t)
	t.Cleanup(func() { check(t, os.RemoveAll(filepath.Join(cache, string(downloadVersion)))) })
	m.cache = func(account) (string, error) { return cache, nil }
	server := httptest.NewServer(repository)
	t.Cleanup(func() {
		server.Close()
		http.DefaultClient.CloseIdleConnections() // the library uses it
	})
	m.repository = server.URL
	return m
}

func cacheOf(m machine) string {
	cache, _ := m.cache(account{})
	return cache
}

func TestStart_noPrograms(t *testing.T) {
	m := bare(t, http.NotFound)
	logs := libraryLogsNow()
	var told []string
	_, err := start(t.Context(), Config{Log: func(s string) { told = append(told, s) }}, m)
	var none *NoProgramsError
	if !errors.As(err, &none) {
		t.Fatalf("got %v, want a NoProgramsError", err)
	}
	for _, want := range []string{
		"--dsn", "PGHOLD_DSN", "DATABASE_URL", // way out 1
		"install PostgreSQL", "PGHOLD_PG_BIN", // 2
		"online", cacheOf(m), // 3
		string(downloadVersion), // the cause
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s:\n%v", want, err)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], "Downloading") || !strings.Contains(told[0], cacheOf(m)) {
		t.Errorf("Log was told %q, want the download announced, and where to", told)
	}
	if now := libraryLogsNow(); !slices.Equal(now, logs) {
		t.Errorf("the library's log was left: %q, before %q", now, logs)
	}
}

// withNPM gives a machine an npm client that runs a script.
func withNPM(t *testing.T, m machine, script string) machine {
	t.Helper()
	dir := newBase(t)
	check(t, os.WriteFile(filepath.Join(dir, "npm"), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	t.Cleanup(func() {
		check(t, os.Remove(filepath.Join(dir, "npm")))
		check(t, os.RemoveAll(filepath.Join(cacheOf(m), "npm-"+npmVersion)))
	})
	m.getenv = func(name string) string { return map[string]string{"PATH": dir}[name] }
	return m
}

func TestMachine_programs_npmIsTheSecondWay(t *testing.T) {
	// npm install --prefix DIR … NAME@VERSION
	m := withNPM(t, bare(t, http.NotFound), `
for package; do :; done
native=$3/node_modules/${package%@*}/native
mkdir -p "$native/bin"
for name in initdb postgres; do printf '#!/bin/sh\n' > "$native/bin/$name"; chmod 755 "$native/bin/$name"; done`)
	a, err := runAs()
	check(t, err)
	var told []string
	say := func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	want := filepath.Join(cacheOf(m), "npm-"+npmVersion, "bin")
	for range 2 { // the second time it is there
		bin, err := m.programs(t.Context(), a, say)
		if err != nil || bin != want {
			t.Fatalf("got %q, %v, want %q", bin, err, want)
		}
	}
	if len(told) != 2 || !strings.Contains(told[0], string(downloadVersion)) ||
		!strings.Contains(told[1], "That failed") || !strings.Contains(told[1], "npm's @embedded-postgres/") {
		t.Errorf("Log was told %q, want the first way announced, that it failed, and the second", told)
	}
	if got := names(t, cacheOf(m)); !slices.Equal(got, []string{"npm-" + npmVersion}) {
		t.Errorf("in the cache: %q, want only the version", got)
	}
}

func TestMachine_programs_namesAllWaysThatFailed(t *testing.T) {
	m := withNPM(t, bare(t, http.NotFound), `echo "npm error code E404" >&2; echo more >&2; exit 1`)
	a, err := runAs()
	check(t, err)
	_, err = m.programs(t.Context(), a, func(string, ...any) {})
	var none *NoProgramsError
	if !errors.As(err, &none) {
		t.Fatalf("got %v, want a NoProgramsError", err)
	}
	for _, want := range []string{string(downloadVersion), "npm's @embedded-postgres/", "npm error code E404"} {
		if !strings.Contains(none.Cause.Error(), want) {
			t.Errorf("the error does not say %s: %v", want, none.Cause)
		}
	}
	if strings.Contains(none.Cause.Error(), "more") {
		t.Errorf("the error has all that npm said: %v", none.Cause)
	}
	if got := names(t, cacheOf(m)); len(got) != 0 {
		t.Errorf("in the cache: %q, want nothing", got)
	}
}

func TestStart_downloadCancelled(t *testing.T) {
	arrived, leave := make(chan bool), make(chan bool)
	m := bare(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-leave
		http.NotFound(w, r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := start(ctx, Config{}, m); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	close(leave)
	eventually(t, "the download cleans up behind our back", func() bool { return len(names(t, cacheOf(m))) == 0 })
}

func TestMachine_programs_download(t *testing.T) {
	archive, err := os.ReadFile("testdata/fake-postgres.txz")
	check(t, err)
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	file, err := z.Create("postgres.txz")
	check(t, err)
	_, err = file.Write(archive)
	check(t, err)
	check(t, z.Close())

	var fetched atomic.Int32
	m := bare(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		fetched.Add(1)
		w.Write(jar.Bytes())
	})
	a, err := runAs()
	check(t, err)
	logs := libraryLogsNow()
	say := func(string, ...any) {}

	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			bin, err := m.programs(t.Context(), a, say)
			if want := filepath.Join(cacheOf(m), string(downloadVersion), "bin"); err != nil || bin != want {
				t.Errorf("got %q, %v, want %q", bin, err, want)
			}
		})
	}
	both.Wait()

	_, err = m.programs(t.Context(), a, say)
	if check(t, err); fetched.Load() != 1 {
		t.Errorf("downloaded %d times, want once", fetched.Load())
	}
	if got := names(t, cacheOf(m)); !slices.Equal(got, []string{string(downloadVersion)}) {
		t.Errorf("in the cache: %q, want only the version", got)
	}
	if now := libraryLogsNow(); !slices.Equal(now, logs) {
		t.Errorf("the library's log was left: %q, before %q", now, logs)
	}
}

func libraryLogsNow() []string {
	logs, _ := filepath.Glob(filepath.Join(os.TempDir(), "embedded_postgres_log*"))
	return logs
}

func TestMachine_programs_PGHOLD_PG_BIN(t *testing.T) {
	t.Parallel()
	a, err := runAs()
	check(t, err)
	m := at("unused")
	good, err := m.programs(t.Context(), a, nil) // this machine has some: other tests need them
	check(t, err)
	empty := newBase(t)
	for _, test := range []struct{ dir, want string }{
		{good, ""},
		{filepath.Join(good, "no", "such"), filepath.Join(good, "no", "such")},
		{empty, filepath.Join(empty, "initdb")},
		{"relative/bin", "relative/bin"},
	} {
		m.getenv = func(name string) string {
			return map[string]string{"PGHOLD_PG_BIN": test.dir}[name]
		}
		got, err := m.programs(t.Context(), a, nil)
		switch {
		case test.want == "":
			if err != nil || got != test.dir {
				t.Errorf("%s: got %q, %v", test.dir, got, err)
			}
		case err == nil || !strings.Contains(err.Error(), "PGHOLD_PG_BIN") || !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: got %v, want an error that names PGHOLD_PG_BIN and %s", test.dir, err, test.want)
		}
	}
}

func TestMachine_programs_order(t *testing.T) {
	t.Parallel()
	a, err := runAs()
	check(t, err)
	base := newBase(t)
	defer os.RemoveAll(base + "/all")
	install := func(dir, program string) {
		program, err := exec.LookPath(program)
		check(t, err)
		check(t, os.MkdirAll(dir, 0o755))
		for _, name := range []string{"initdb", "postgres"} {
			check(t, os.Symlink(program, filepath.Join(dir, name)))
		}
	}
	var path string
	m := machine{
		getenv: func(name string) string { return map[string]string{"PATH": path}[name] },
		places: []string{base + "/all/postgresql/*/bin", base + "/all/brew*/bin"},
	}
	for _, step := range []string{ // each is found before the earlier ones
		"brew/bin",
		"brew@17/bin",
		"postgresql/9.6/bin",
		"postgresql/15/bin",
		"postgresql/16/bin",
		"on-path",
	} {
		dir := filepath.Join(base, "all", step)
		install(dir, "true")
		if step == "on-path" {
			install(filepath.Join(base, "all", "broken"), "false")
			path = "." + ":" + base + "/all/broken:" + dir
		}
		if got, err := m.programs(t.Context(), a, nil); err != nil || got != dir {
			t.Errorf("got %q, %v, want %q", got, err, dir)
		}
	}
}

func TestCleanEnv(t *testing.T) {
	t.Parallel()
	got := cleanEnv([]string{"PGDATA=/real", "PGPORT=1", "PATH=/bin", "LC_TIME=xx", "LANG=xx", "LC_ALL=yy", "MYPG=1", "PGHOLD_DSN=postgres://u:p@h/d", "DATABASE_URL=postgres://u:p@h/d"})
	if want := []string{"PATH=/bin", "MYPG=1", "LC_ALL=C"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
