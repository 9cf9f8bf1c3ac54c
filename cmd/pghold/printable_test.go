package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pghold/pghold/internal/pg/pgtest"
)

// odd is text that must reach no terminal and no log as it is: escape sequences, one of
// them in a single character, a mark that turns the direction of writing, and a line
// that looks like one of pghold's or like a command to GitHub Actions.
const odd = "a\x1b]0;title\x07\x1b[2Jb\u009b31m\u202ec\r\npghold: all is well\n::add-mask::x"

// notPrintable returns what stands around the first character that does not print.
func notPrintable(text string) string {
	for i, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			return fmt.Sprintf("%q", text[max(0, i-40):min(len(text), i+20)])
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "pghold: all is well") || strings.HasPrefix(strings.TrimSpace(line), "::") {
			return line
		}
	}
	return ""
}

// refusing is a server that lets nobody in, and says so in a text. It returns its port.
func refusing(t *testing.T, message string) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			backend := pgproto3.NewBackend(conn, conn)
			if _, err := backend.ReceiveStartupMessage(); err == nil {
				backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28000", Message: message})
				backend.Flush()
			}
			conn.Close()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestPrintable_whatTheServerSays(t *testing.T) {
	secretsEnvironment(t)
	dsn := fmt.Sprintf("postgres://u:p@127.0.0.1:%d/d?sslmode=disable", refusing(t, odd))
	for _, args := range [][]string{{"lab", outside}, {"serve", "--addr", "127.0.0.1:0"}, {"plan", "--validate", "1", outside}} {
		status, out, err := pghold(t.Context(), append(args, "--dsn", dsn)...)
		if status != exitFailed || !strings.Contains(err, `\x1b[2Jb`) {
			t.Errorf("%s: status %d, %q; want what the server says, quoted", args[0], status, err)
		}
		if found := notPrintable(out + err); found != "" {
			t.Errorf("%s prints %s", args[0], found)
		}
	}
}

func TestPrintable_names(t *testing.T) {
	secretsEnvironment(t)
	folder := strings.ReplaceAll(odd, "/", "_")
	if err := os.MkdirAll(filepath.Join(folder, "x"), 0o777); err != nil {
		t.Fatal(err)
	}
	snapshot := folder + ".json"
	if err := os.WriteFile(snapshot, []byte(`{"pools": 5}`), 0o666); err != nil {
		t.Fatal(err)
	}
	name := url.PathEscape(odd)
	for _, args := range [][]string{
		{odd},
		{"lab", odd},
		{"lab", "--" + odd},
		{"lab", "--pool", odd},
		{"lab", "--expect", odd + ".success_ratio>=1"},
		{"lab", "--out", folder},
		{"lab", "--dsn", "postgres://127.0.0.1:1/" + name},
		{"lab", "--dsn", "postgres://" + name + "@127.0.0.1:1/d"},
		{"lab", "--dsn", "postgres://127.0.0.1:1/d?host=/tmp/" + name},
		{"serve", "--addr", odd},
		{"report", odd},
		{"report", folder},
		{"plan", "--from", folder},
		{"plan", "--from", snapshot},
		{"check", "--holds", snapshot},
		{"check", "--config", odd},
	} {
		status, out, err := pghold(t.Context(), args...)
		if status != exitFailed && status != exitUsage {
			t.Errorf("%q: status %d", args, status)
		}
		if found := notPrintable(out + err); found != "" {
			t.Errorf("%q prints %s", args, found)
		}
	}
}

// The names of a run that works, too: a database's, and its folder's.
func TestPrintable_namesOfARun(t *testing.T) {
	secretsEnvironment(t)
	conn, err := pgx.Connect(t.Context(), pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	name := "a\x1b[2Jb\u202e"
	if _, err := conn.Exec(t.Context(), "create database "+pgx.Identifier{name}.Sanitize()); err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	address.Path = "/" + name
	defer func() {
		if _, err := conn.Exec(context.Background(), "drop database "+pgx.Identifier{name}.Sanitize()+" with (force)"); err != nil {
			t.Error(err)
		}
	}()

	status, out, said := pghold(t.Context(), "lab", outside, "--dsn", address.String(), "--speed", "20", "--duration", "200ms", "--no-web", "--out", odd)
	if status != exitDone || !strings.Contains(said, `database a\x1b[2Jb\u202e`) || !strings.Contains(said, `Saved in a\x1b]0;title\a`) {
		t.Errorf("status %d: %s", status, said)
	}
	if found := notPrintable(out + said); found != "" {
		t.Errorf("lab prints %s", found)
	}
	for _, args := range [][]string{{"report", odd}, {"report", odd, "--format", "markdown"}, {"report", odd, odd}, {"report", odd, odd, "--json"}} {
		if status, out, said := pghold(t.Context(), args...); status != exitDone || notPrintable(out+said) != "" {
			t.Errorf("%q: status %d, %s", args, status, notPrintable(out+said))
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	serving, stderr := &trigger{on: "Ctrl-C", do: cancel}, new(output)
	if status := run(ctx, []string{"serve", "--dsn", address.String(), "--addr", "127.0.0.1:0"}, streams{serving, stderr}); status != exitDone {
		t.Errorf("serve: status %d: %s", status, stderr.String())
	}
	if found := notPrintable(serving.String() + stderr.String()); found != "" || !strings.Contains(serving.String(), `a\x1b[2Jb`) {
		t.Errorf("serve prints %s\n%s", found, serving.String())
	}
}

// A line directive names a file as its author likes.
func TestPrintable_whatTheSourceSays(t *testing.T) {
	line := "\n//line a\x1b[2Jb\u009b31m\u202ec.go:7\n"
	for name, files := range map[string]map[string]string{
		"found":        with("\n\tif _, err := http.Get", line+"\tif _, err := http.Get"),
		"not compiled": with("\n\treturn tx.Commit()", line+"\treturn tx.Comit(\"\x1b[2J\u202e\")"),
	} {
		for _, format := range []string{"text", "json", "sarif", "github"} {
			if name == "not compiled" && format != "text" && format != "json" {
				continue // what did not compile is printed alike in all others
			}
			args := []string{"--format", format}
			if format == "json" {
				args = []string{"--json"}
			}
			status, out, err := checked(t, files, args...)
			if status != exitFound && status != exitFailed || !strings.Contains(out+err, "31m") {
				t.Errorf("%s, %s: status %d, %s%s", name, format, status, out, err)
			}
			if format == "github" {
				out = strings.ReplaceAll(out, "\n::", "\n")[min(2, len(out)):] // they are ours
			}
			if found := notPrintable(out + err); found != "" {
				t.Errorf("%s, %s prints %s", name, format, found)
			}
		}
	}
}
