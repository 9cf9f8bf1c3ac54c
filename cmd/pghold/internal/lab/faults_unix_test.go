//go:build unix

package lab_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/pg/pgtemp"
)

// A Postgres that is told to end by SIGTERM lets nobody in any more and goes on for those
// who are in, the lab's observer among them.
func TestRun_PostgresThatIsEndingIsNotValid(t *testing.T) {
	pg, err := pgtemp.Start(t.Context(), pgtemp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Stop()
	s := quickly()
	db, err := lab.OpenDatabase(t.Context(), pg.DSN(), s.Connections())
	if err != nil {
		t.Fatal(err)
	}
	told := false
	res, err := lab.Run(t.Context(), db, lab.Options{
		Settings: s, Cases: seedCases(s), Dir: t.TempDir(),
		Progress: func(p lab.Progress) {
			if p.Done != nil && !told {
				told = true
				endGently(t, pg.DSN())
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range res.Routes {
		if i == 0 && r.NotValid != "" || i > 0 && !strings.Contains(r.NotValid, "FATAL: the database system is shutting down (SQLSTATE 57P03)") {
			t.Errorf("route %d of %d, %s: %+v, %q; want the first one valid and the others refused", i+1, len(res.Routes), r.Name, r.Outcomes, r.NotValid)
		}
	}
	if len(res.Routes) != 4 || !strings.HasPrefix(res.NotValid(), "3 of 4 routes, "+syncInside+" among them: ") {
		t.Errorf("got %d routes, %q", len(res.Routes), res.NotValid())
	}
}

// endGently sends SIGTERM to a server and returns when it lets nobody in any more.
func endGently(t *testing.T, dsn string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	var dir string
	err = conn.QueryRow(ctx, "show data_directory").Scan(&dir)
	conn.Close(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			conn.Close(ctx)
			continue
		}
		if ctx.Err() != nil {
			t.Fatal("after a minute Postgres still lets everybody in")
		}
		return
	}
}
