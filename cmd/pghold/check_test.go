package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pghold/pghold/holdcheck"
)

// checkedFiles are a module that makes an HTTP request inside a transaction.
func checkedFiles() map[string]string {
	return map[string]string{
		"go.mod": "module example.com/shop\n\ngo 1.26\n",
		"main.go": `package main

import (
	"context"
	"database/sql"
	"net/http"
)

func main() {}

func pay(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := http.Get("http://example.com/charge"); err != nil {
		return err
	}
	return tx.Commit()
}
`,
	}
}

// inModule makes a module of files, and the test be in it.
func inModule(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// checked runs pghold check in a module.
func checked(t *testing.T, files map[string]string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	inModule(t, files)
	return pghold(t.Context(), append([]string{"check"}, args...)...)
}

// with is the module with something in its source replaced, or with more files.
func with(old, new string) map[string]string {
	files := checkedFiles()
	if text := strings.Replace(files["main.go"], old, new, 1); text != files["main.go"] {
		files["main.go"] = text
	} else {
		files[old] = new
	}
	return files
}

const request = `	if _, err := http.Get("http://example.com/charge"); err != nil {`

func TestCheck_FindsARequestInATransaction(t *testing.T) {
	status, out, err := checked(t, checkedFiles())
	if status != exitFound || err != "" {
		t.Errorf("status %d, %q; want %d and nothing on standard error", status, err, exitFound)
	}
	for _, want := range []string{"main.go\n", "high", "main.go:12", "main.go:17", "http.Get", "1 slow call found while a connection is held: 1 high."} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("a pipe gets escape sequences")
	}
}

func TestCheck_FindsNothing(t *testing.T) {
	files := with(request, "\tif err != nil {")
	files["main.go"] = strings.Replace(files["main.go"], "\t\"net/http\"\n", "", 1)
	status, out, err := checked(t, files)
	if status != exitDone || out != "No slow call found while a connection is held.\n" || err != "" {
		t.Errorf("status %d, %q, %q", status, out, err)
	}
}

func TestCheck_JSON(t *testing.T) {
	_, out, _ := checked(t, checkedFiles(), "--json", "./...")
	var r holdcheck.Result
	d := json.NewDecoder(strings.NewReader(out))
	if err := d.Decode(&r); err != nil || d.More() {
		t.Fatalf("no single JSON document: %v\n%s", err, out)
	}
	if len(r.Findings) != 1 {
		t.Fatalf("%d findings, want one: %s", len(r.Findings), out)
	}
	f := r.Findings[0]
	slow := f.Worst()
	if slow.ID.String() != "example.com/shop.pay>example.com/shop.pay" || slow.Severity != holdcheck.High || slow.Kind != holdcheck.HTTP ||
		f.Hold.String() != "main.go:12" || slow.Place.String() != "main.go:17" || len(slow.Chain) != 1 {
		t.Errorf("got %+v", f)
	}
	files := map[string]string{"go.mod": "module example.com/empty\n", "a.go": "package a\n"}
	if status, out, _ := checked(t, files, "--json"); status != exitDone || !strings.Contains(out, `"findings": []`) {
		t.Errorf("nothing found: status %d, %s", status, out)
	}
}

func TestCheck_Formats(t *testing.T) {
	for format, want := range map[string]string{
		"sarif":  `"ruleId": "http"`,
		"github": "::error file=main.go,line=17,title=pghold%3A http while a connection is held::",
	} {
		if status, out, _ := checked(t, checkedFiles(), "--format", format); status != exitFound || !strings.Contains(out, want) {
			t.Errorf("%s: status %d, want %d and %s in:\n%s", format, status, exitFound, want, out)
		}
	}
}

func TestCheck_Baseline(t *testing.T) {
	inModule(t, with("sub/sub.go", "package sub\n"))
	if status, out, err := pghold(t.Context(), "check", "--write-baseline"); status != exitDone || out != "" || err != "wrote 1 entry to .pghold-baseline.json\n" {
		t.Fatalf("--write-baseline: status %d, %q, %q", status, out, err)
	}
	status, out, _ := pghold(t.Context(), "check")
	if status != exitDone || out != "No slow call found while a connection is held; 1 in the baseline.\n" {
		t.Errorf("with the baseline: status %d\n%s", status, out)
	}
	t.Chdir("sub")
	if status, out, _ := pghold(t.Context(), "check", "example.com/shop"); status != exitDone {
		t.Errorf("from a folder below: status %d\n%s", status, out)
	}
	t.Chdir("..")
	files := checkedFiles()
	mended := strings.Replace(files["main.go"], "_, err := http.Get(\"http://example.com/charge\")", "_ = http.Get", 1)
	mended = strings.Replace(mended, "if _ = http.Get; err", "_ = http.Get\n\tif err", 1)
	if err := os.WriteFile("main.go", []byte(mended), 0o666); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := pghold(t.Context(), "check"); status != exitDone || !strings.Contains(out, "1 entry of the baseline is out of date; --write-baseline drops it") {
		t.Errorf("mended: status %d\n%s", status, out)
	}
	if status, out, _ := pghold(t.Context(), "check", "./sub"); status != exitDone || strings.Contains(out, "out of date") {
		t.Errorf("one package only, which cannot tell what is out of date: status %d\n%s", status, out)
	}
}

func TestCheck_Ignore(t *testing.T) {
	status, out, _ := checked(t, with(request, "\t//pghold:ignore it answers at once\n"+request))
	if status != exitDone || out != "No slow call found while a connection is held; 1 ignored.\n" {
		t.Errorf("status %d\n%s", status, out)
	}
	status, out, _ = checked(t, with(request, "\t//pghold:ignore\n"+request), "--fail-on", "high")
	if status != exitFound || !strings.Contains(out, "main.go:17: pghold:ignore needs a reason\n") || !strings.Contains(out, "1 high") {
		t.Errorf("without a reason: status %d\n%s", status, out)
	}
	status, out, _ = checked(t, with("other.go", "package main\n\n//pghold:ignore nothing is here\nvar x = 1\n"), "--fail-on", "high")
	if status != exitFound || !strings.Contains(out, "note: other.go:3: pghold:ignore ignores nothing\n") {
		t.Errorf("nothing to ignore: status %d\n%s", status, out)
	}
}

func TestCheck_Severities(t *testing.T) {
	config := with(".pghold.json", `{"fast": ["net/http.Get"], "slow": [{"func": "example.com/shop.slowly", "severity": "medium"}]}`)
	config["main.go"] = strings.Replace(config["main.go"], request, "\tslowly()\n"+request, 1) + "\nfunc slowly() {}\n"
	for _, c := range []struct {
		want  int
		shown bool
		args  []string
	}{
		{exitFound, true, nil},
		{exitDone, true, []string{"--fail-on", "high"}},
		{exitDone, false, []string{"--severity", "high"}},
		{exitFound, true, []string{"--severity", "medium", "--no-unresolved"}},
	} {
		status, out, err := checked(t, config, c.args...)
		if status != c.want || strings.Contains(out, "slowly") != c.shown {
			t.Errorf("%q: status %d, want %d, and the call shown: %v\n%s%s", c.args, status, c.want, c.shown, out, err)
		}
	}
}

func TestCheck_DoesNotCompile(t *testing.T) {
	files := with("broken/broken.go", "package broken\n\nfunc f() int { return undefined }\n")
	status, out, err := checked(t, files)
	if status != exitFailed || !strings.Contains(err, "broken/broken.go:3:23: undefined: undefined") || !strings.Contains(err, "does not compile") {
		t.Errorf("status %d, %q; want %d and the compiler's message", status, err, exitFailed)
	}
	if !strings.Contains(out, "main.go:17") {
		t.Errorf("what could be found is not shown:\n%s", out)
	}
	status, _, err = checked(t, files, "--write-baseline")
	if _, statErr := os.Stat(baselineName); status != exitFailed || statErr == nil {
		t.Errorf("a baseline of half the code was written: status %d, %s", status, err)
	}
}

func TestCheck_Holds(t *testing.T) {
	files := with("holds.json", `{"version":1,"series":[{"pool":"main","route":"GET /","site":{"func":"main.pay","file":"/x/main.go","line":12},"slow_calls":[
		{"what":"GET example.com/charge","site":{"func":"main.pay","file":"/x/main.go","line":17},"count":4,"duration_s":8.5,"longest_s":3,"ids":["example.com/shop.pay>example.com/shop.pay"]},
		{"what":"GET plugin.example.com/","site":{"func":"main.plugin","file":"/x/plugin.go","line":3},"count":1,"duration_s":1,"longest_s":1}]}]}`)
	status, out, err := checked(t, files, "--holds", "holds.json")
	if status != exitFound || !strings.Contains(out, "measured: 8.5 s inside holds") || !strings.Contains(out, "GET plugin.example.com/ at plugin.go:3 (main.plugin)") {
		t.Errorf("status %d, %s\n%s", status, err, out)
	}
}

func TestCheck_MistakesInTheCommandLine(t *testing.T) {
	inModule(t, map[string]string{
		"go.mod": "module example.com/empty\n", "a.go": "package a\n", "broken.json": "{", "odd.json": `{"slow": [{"func": "a.B", "severity": "urgent"}]}`,
	})
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--format", []string{"--format", "xml"}},
		{"--severity", []string{"--severity", "urgent"}},
		{"--fail-on", []string{"--fail-on", "never"}},
		{"--fail-on low would fail for what --severity high does not show", []string{"--fail-on", "low", "--severity", "high"}},
		{"none.json", []string{"--config", "none.json"}},
		{`slow[0].severity is "urgent"`, []string{"--config", "odd.json"}},
		{"none.json", []string{"--baseline", "none.json"}},
		{"broken.json is no baseline", []string{"--baseline", "broken.json"}},
		{"none.json", []string{"--holds", "none.json"}},
		{"not a snapshot", []string{"--holds", "odd.json"}},
	} {
		status, out, err := pghold(t.Context(), append([]string{"check"}, c.args...)...)
		if status != exitUsage || out != "" || !strings.Contains(err, c.want) || strings.Count(err, "\n") != 1 {
			t.Errorf("%q: status %d, %q, %q; want status 2 and one line with %q", c.args, status, out, err, c.want)
		}
	}
}

func TestCheck_Interrupted(t *testing.T) {
	inModule(t, checkedFiles())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status, out, err := pghold(ctx, "check"); status != exitInterrupted || out != "" || err != "" {
		t.Errorf("status %d, %q, %q; want %d and nothing said", status, out, err, exitInterrupted)
	}
}

func TestCheck_NoSuchPackage(t *testing.T) {
	if status, _, err := checked(t, checkedFiles(), "./nowhere"); status != exitFailed || !strings.Contains(err, "nowhere") {
		t.Errorf("status %d, %q; want %d and which", status, err, exitFailed)
	}
}

func TestProject(t *testing.T) {
	inModule(t, map[string]string{
		".git/HEAD": "", ".pghold.json": "{}", "backend/go.mod": "module example.com/b\n", "backend/a/b/b.go": "package b\n", "backend/.pghold-baseline.json": "{}",
	})
	t.Chdir("backend/a/b")
	p, err := projectOf(".")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.find(baselineName), filepath.Join("..", "..", baselineName); got != want {
		t.Errorf("the baseline is %q, want %q: in the module's root", got, want)
	}
	if got := p.find(configName); got != "" {
		t.Errorf("the configuration is %q, want none: it is above the module's root", got)
	}
	if p.folder != "backend/a/b" {
		t.Errorf("the folder in the repository is %q", p.folder)
	}
	t.Chdir(t.TempDir())
	if p, err := projectOf("."); err != nil || len(p.folders) != 1 || p.inRoot("x") != "x" {
		t.Errorf("outside of a module: %+v, %v", p, err)
	}
}
