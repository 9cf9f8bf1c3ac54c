package session_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/pgxhold"
	"github.com/pghold/pghold/queuepool"
	"github.com/pghold/pghold/session"
	"github.com/pghold/pghold/sqlhold"
)

// place is where a Postgres is.
type place struct {
	dsn  string
	dial pgconn.DialFunc // nil: as pgx does
}

// server is a database on a real server.
func server(t *testing.T) place { return place{dsn: pgtest.DSN(t)} }

// memory is a server in memory, of which each answer takes a second. It is called in a
// bubble.
func memory(t *testing.T) place {
	network := &memnet.Network{}
	mem := pgmem.Start(pgmem.Config{Network: network, RoundTrip: time.Second - time.Nanosecond})
	t.Cleanup(mem.Close)
	return place{mem.DSN(), network.Dial}
}

func (p place) reached(cc *pgx.ConnConfig) {
	if p.dial != nil {
		cc.DialFunc = p.dial
	}
}

// recorded are pools of one connection that tell a recorder of their holds, or where
// it is nil, nobody.
var recorded = map[string]func(*testing.T, place, *pghold.Recorder) session.Pool{
	"queuepool": func(t *testing.T, at place, r *pghold.Recorder) session.Pool {
		cc, err := pgx.ParseConfig(at.dsn)
		check(t, err)
		cfg := queuepool.NewConfig(cc)
		cfg.Size, cfg.MaxOverflow, cfg.Timeout = 1, 0, time.Minute
		at.reached(cfg.ConnConfig)
		if r != nil {
			check(t, pgxhold.InstallConn(cfg.ConnConfig, r, "main"))
		}
		p, err := queuepool.New(cfg)
		check(t, err)
		t.Cleanup(p.Close)
		return session.From(p)
	},
	"pgxpool": func(t *testing.T, at place, r *pghold.Recorder) session.Pool {
		return session.From(openPgxpool(t, at, r, nil))
	},
	"pgxpool with another tracer": func(t *testing.T, at place, r *pghold.Recorder) session.Pool {
		return session.From(openPgxpool(t, at, r, &statements{}))
	},
	"database/sql": func(t *testing.T, at place, r *pghold.Recorder) session.Pool {
		cfg, err := pgx.ParseConfig(at.dsn)
		check(t, err)
		at.reached(cfg)
		var db *sql.DB
		if r == nil {
			db = stdlib.OpenDB(*cfg)
		} else {
			db, err = sqlhold.OpenDB(stdlib.GetConnector(*cfg), r, "main")
			check(t, err)
		}
		db.SetMaxOpenConns(1)
		t.Cleanup(func() { db.Close() })
		return session.FromDB(db)
	},
}

func openPgxpool(t *testing.T, at place, r *pghold.Recorder, tracer pgx.QueryTracer) *pgxpool.Pool {
	cfg, err := pgxpool.ParseConfig(at.dsn)
	check(t, err)
	cfg.MaxConns = 1
	cfg.ConnConfig.Tracer = tracer
	at.reached(cfg.ConnConfig)
	if r != nil {
		check(t, pgxhold.Install(cfg, r, "main"))
	}
	p, err := pgxpool.NewWithConfig(t.Context(), cfg)
	check(t, err)
	t.Cleanup(p.Close)
	return p
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSession_ATimeoutNamesTheHolders(t *testing.T) {
	for name, open := range recorded {
		synctest.Test(t, func(t *testing.T) {
			pool := open(t, memory(t), pghold.NewRecorder(pghold.Config{}))
			holder := session.New(pool, session.Options{})
			defer holder.Close()
			_, err := holder.Exec(pghold.WithRoute(t.Context(), "GET /slow"), "select 1")
			check(t, err)

			s := session.New(pool, session.Options{})
			defer s.Close()
			ctx, cancel := t.Context(), func() {}
			if name != "queuepool" { // which has a time-out of its own
				ctx, cancel = context.WithTimeout(ctx, time.Minute)
			}
			defer cancel()
			began := time.Now()
			_, err = s.Exec(ctx, "select 1")
			if waited := time.Since(began); waited != time.Minute {
				t.Errorf("%s: it waited for %v, want a minute", name, waited)
			}
			if want := "1 of 1 held by GET /slow, holds_test.go:"; err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), want) != 1 {
				t.Errorf("%s: it says %q, want it to say %q, once", name, err, want)
			}
			var timeout interface{ Timeout() bool }
			if !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%s: %v is no time-out", name, err)
			}
			var ours *session.TimeoutError
			switch named := errors.As(err, &ours); {
			case name == "queuepool":
				var theirs *queuepool.TimeoutError
				if named || !errors.As(err, &theirs) {
					t.Errorf("%s: got a %T, want queuepool's own error, which names them", name, err)
				}
			case !named || len(ours.Holders) != 1 || !errors.Is(err, context.DeadlineExceeded):
				t.Errorf("%s: got a %T, %v, want a *TimeoutError with one holder", name, err, err)
			}

			cancelled, stop := context.WithCancel(t.Context())
			stop()
			if _, err := s.Exec(cancelled, "select 1"); err != context.Canceled {
				t.Errorf("%s, cancelled: got %v, want the context's error and nothing more", name, err)
			}
		})
	}
}

func TestSession_ATimeoutWithoutARecorderIsThePoolsOwn(t *testing.T) {
	for name, open := range recorded {
		synctest.Test(t, func(t *testing.T) {
			pool := open(t, memory(t), nil)
			holder := session.New(pool, session.Options{})
			defer holder.Close()
			_, err := holder.Exec(t.Context(), "select 1")
			check(t, err)
			s := session.New(pool, session.Options{})
			defer s.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var ours *session.TimeoutError
			if _, err := s.Exec(ctx, "select 1"); err == nil || errors.As(err, &ours) {
				t.Errorf("%s: got %v, want the pool's own error", name, err)
			}
		})
	}
}

// failing is a pool of which it is known who holds it, with an error of its own.
type failing struct {
	holders []string
	err     poolError
}

// poolError is a time-out or not.
type poolError bool

func (poolError) Error() string   { return "all in use" }
func (e poolError) Timeout() bool { return bool(e) }

func (f failing) Acquire(context.Context) (session.Conn, error) { return nil, f.err }
func (f failing) Holders(context.Context) []string              { return f.holders }

func TestFrom_APoolThatKnowsItsHolders(t *testing.T) {
	six := []string{"a", "b", "c", "d", "e", "f"}
	_, err := session.From(failing{six, true}).Acquire(t.Context())
	if want := "all in use: a; b; c; d; e"; err == nil || err.Error() != want {
		t.Errorf("it says %q, want %q", err, want)
	}
	if _, err := session.From(failing{nil, true}).Acquire(t.Context()); err != poolError(true) {
		t.Errorf("nobody holds it: got %v, want the pool's error as it is", err)
	}
	if _, err := session.From(failing{six, false}).Acquire(t.Context()); err != poolError(false) {
		t.Errorf("no time-out: got %v, want the pool's error as it is", err)
	}
}

// A session's hold on a *sql.DB that sqlhold opened is one hold, taken at the
// session's first statement.
func TestFromDB_OnSqlhold(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	pool := recorded["database/sql"](t, server(t), r)
	for range 2 { // on a new connection, and on one that was kept
		check(t, session.Local(pghold.WithRoute(t.Context(), "GET /"), pool, session.Options{}, func(s *session.Session) error {
			var n int
			if err := s.QueryRow(pghold.WithRoute(t.Context(), "GET /"), "select $1::int", 7).Scan(&n); err != nil || n != 7 {
				t.Errorf("got %d, %v; want 7", n, err)
			}
			if n := len(r.OpenHolds()); n != 1 {
				t.Errorf("%d holds are open within the session, want 1", n)
			}
			return nil
		}))
	}
	s := r.Snapshot()
	if len(s.Open) != 0 || len(s.Series) != 1 || s.Series[0].Held.Count() != 2 || s.Series[0].Route != "GET /" || !strings.HasSuffix(s.Series[0].Site.File, "holds_test.go") {
		t.Errorf("got %d open and %+v, want two holds of GET /, of one line of this test", len(s.Open), s.Series)
	}
}

// PerRequest gives the handler a copy of the request. The route of what the handler
// takes is right all the same, and those outside see the pattern.
func TestPerRequest_PassesThePatternOn(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	pool := recorded["pgxpool"](t, server(t), r)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		if _, err := session.FromContext(r.Context()).Exec(r.Context(), "select 1"); err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/users/2" {
			panic(http.ErrAbortHandler)
		}
	})
	wrapped := session.PerRequest(pool, session.Options{})(mux)
	for _, path := range []string{"/users/1", "/users/2"} {
		var outside string
		logged := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { outside = r.Pattern }()
			wrapped.ServeHTTP(w, r)
		})
		func() {
			defer func() { recover() }()
			httphold.Middleware(logged).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
		}()
		if outside != "GET /users/{id}" {
			t.Errorf("%s: outside of PerRequest the pattern is %q", path, outside)
		}
	}
	s := r.Snapshot()
	if len(s.Series) != 1 || s.Series[0].Route != "GET /users/{id}" || s.Series[0].Held.Count() != 2 {
		t.Errorf("got %+v, want two holds of the route", s.Series)
	}
}
