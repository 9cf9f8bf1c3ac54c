package session_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold/session"
)

// What is missing is said at once, by the name of the function that misses it.
func TestNil_IsSaidAtOnce(t *testing.T) {
	for want, f := range map[string]func(){
		"session: New needs a pool, and got nil":           func() { session.New(nil, session.Options{}) },
		"session: PerRequest needs a pool, and got nil":    func() { session.PerRequest(nil, session.Options{}) },
		"session: PerRequest needs a handler, and got nil": func() { session.PerRequest(none{}, session.Options{})(nil) },
		"session: NewContext needs a session, and got nil": func() { session.NewContext(t.Context(), nil) },
		"session: FromDB needs a *sql.DB, and got nil":     func() { session.FromDB(nil) },
		"session: From needs a pool, and got nil":          func() { session.From[*pgxpool.Conn](nil) },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("got the panic %v, want %q", got, want)
				}
			}()
			f()
		}()
	}
}

// From is given a pool of a type of its own: of a nil one too it is said.
func TestFrom_ANilPool(t *testing.T) {
	defer func() {
		if got, want := recover(), "session: From needs a pool, and got nil"; got != want {
			t.Errorf("got the panic %v, want %q", got, want)
		}
	}()
	var pool *pgxpool.Pool
	session.From(pool)
}

// none is a pool that nobody should ask.
type none struct{}

func (none) Acquire(context.Context) (session.Conn, error) { panic("asked for a connection") }

// Where there is an error to return, it is that, and the session takes no connection.
func TestNil_IsAnError(t *testing.T) {
	s := session.New(none{}, session.Options{})
	for want, f := range map[string]func() error{
		"session: Local needs a pool, and got nil": func() error {
			return session.Local(t.Context(), nil, session.Options{}, func(*session.Session) error { return nil })
		},
		"session: Local needs a function to run, and got nil":   func() error { return session.Local(t.Context(), none{}, session.Options{}, nil) },
		"session: Outside needs a function to run, and got nil": func() error { return s.Outside(t.Context(), nil) },
		"session: SendBatch needs a batch, and got nil":         func() error { return s.SendBatch(t.Context(), nil).Close() },
		"session: CopyFrom needs a source of rows, and got nil": func() error {
			_, err := s.CopyFrom(t.Context(), pgx.Identifier{"t"}, nil, nil)
			return err
		},
	} {
		if err := f(); err == nil || err.Error() != want {
			t.Errorf("got the error %v, want %q", err, want)
		}
	}
}
