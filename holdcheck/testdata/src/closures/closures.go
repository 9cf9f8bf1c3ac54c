// Package closures has functions that are handed to a helper and run inside its
// transaction, or elsewhere.
package closures

import (
	"context"
	"database/sql"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const u = "https://example.com/"

func fetch(ctx context.Context) error {
	_, err := http.Get(u)
	return err
}

func nothing(ctx context.Context) error { return nil }

type store struct {
	db    *sql.DB
	group singleflight.Group
	once  sync.Once
}

func (s *store) inTx(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(ctx, tx); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

func literal(ctx context.Context, s *store) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error { // hold
		return fetch(ctx) // want "high http"
	})
}

func okLiteral(ctx context.Context, s *store) error {
	if err := s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return nothing(ctx)
	}); err != nil {
		return err
	}
	return fetch(ctx)
}

func namedClosure(ctx context.Context, s *store) error {
	work := func(ctx context.Context, tx *sql.Tx) error {
		return fetch(ctx) // want "high http"
	}
	return s.inTx(ctx, work) // hold
}

// okNamedClosure calls its closure without a transaction.
func okNamedClosure(ctx context.Context, s *store) error {
	work := func(ctx context.Context) error {
		return fetch(ctx)
	}
	if err := work(ctx); err != nil {
		return err
	}
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error { return nil })
}

func declared(ctx context.Context, tx *sql.Tx) error {
	return fetch(ctx) // want "high http"
}

func handsDeclared(ctx context.Context, s *store) error { return s.inTx(ctx, declared) } // hold

func okDeclared(ctx context.Context, tx *sql.Tx) error {
	return nothing(ctx)
}

func handsFastDeclared(ctx context.Context, s *store) error { return s.inTx(ctx, okDeclared) }

type job struct{ to string }

func (j *job) run(ctx context.Context, tx *sql.Tx) error {
	_, err := http.Get(j.to) // want "high http"
	return err
}

func (j *job) okRun(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "insert", j.to)
	return err
}

func handsMethod(ctx context.Context, s *store, j *job) error {
	if err := s.inTx(ctx, j.run); err != nil {
		return err
	}
	return s.inTx(ctx, j.okRun)
}

func calledAtOnce(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	err = func() error { return fetch(ctx) }() // want "high http"
	if err != nil {
		return err
	}
	return tx.Commit()
}

func okCalledAtOnce(ctx context.Context, db *sql.DB) error {
	err := func() error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		return tx.Commit()
	}()
	if err != nil {
		return err
	}
	return fetch(ctx)
}

func okCollected(ctx context.Context, s *store) error {
	var later []func(context.Context) error
	if err := s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		later = append(later, func(ctx context.Context) error { return fetch(ctx) })
		return nil
	}); err != nil {
		return err
	}
	for _, f := range later {
		if err := f(ctx); err != nil {
			return err
		}
	}
	return nil
}

func collectedAndRunInside(ctx context.Context, s *store) error {
	var later []func(context.Context) error
	later = append(later, func(ctx context.Context) error { return fetch(ctx) })
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, f := range later {
			if err := f(ctx); err != nil { // want "high http"
				return err
			}
		}
		return nil
	})
}

// unit is a unit of work: what is registered with afterCommit runs after commit.
type unit struct {
	tx    *sql.Tx
	hooks []func()
}

func (w *unit) afterCommit(f func()) { w.hooks = append(w.hooks, f) }

func (s *store) withUnit(ctx context.Context, fn func(w *unit) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	w := &unit{tx: tx}
	if err := fn(w); err != nil {
		tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, hook := range w.hooks {
		hook()
	}
	return nil
}

func okAfterCommitHook(ctx context.Context, s *store) error {
	return s.withUnit(ctx, func(w *unit) error {
		w.afterCommit(func() { http.Get(u) })
		_, err := w.tx.Exec("delete from a")
		return err
	})
}

func insideUnit(ctx context.Context, s *store) error {
	return s.withUnit(ctx, func(w *unit) error {
		w.afterCommit(func() {})
		_, err := http.Get(u) // want "high http"
		return err
	})
}

// span is a tracing wrapper.
func span(ctx context.Context, name string, fn func(ctx context.Context) error) error {
	begin := time.Now()
	err := fn(ctx)
	println(name, time.Since(begin))
	return err
}

func traced(ctx context.Context, s *store) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return span(ctx, "fetch", func(ctx context.Context) error { return fetch(ctx) }) // want "high http"
	})
}

func okTraced(ctx context.Context, s *store) error {
	return span(ctx, "fetch", func(ctx context.Context) error {
		if err := s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			return span(ctx, "nothing", func(ctx context.Context) error { return nothing(ctx) })
		}); err != nil {
			return err
		}
		return fetch(ctx)
	})
}

func tracedAround(ctx context.Context, s *store) error {
	return span(ctx, "transaction", func(ctx context.Context) error {
		return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			return fetch(ctx) // want "high http"
		})
	})
}

func flight(ctx context.Context, s *store) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err, _ := s.group.Do("a", func() (any, error) { return nil, fetch(ctx) }) // want "high http"
		return err
	})
}

func okFlight(ctx context.Context, s *store) error {
	_, err, _ := s.group.Do("a", func() (any, error) {
		return nil, s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error { return nil })
	})
	if err != nil {
		return err
	}
	_, err, _ = s.group.Do("b", func() (any, error) { return nil, fetch(ctx) })
	return err
}

func onceInside(ctx context.Context, s *store) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		s.once.Do(func() { fetch(ctx) }) // want "high http"
		return nil
	})
}

func okOnce(ctx context.Context, s *store) error {
	s.once.Do(func() { fetch(ctx) })
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error { return nil })
}

// Run is a generic helper.
func Run[R any](ctx context.Context, db *sql.DB, fn func(ctx context.Context, tx *sql.Tx) (R, error)) (R, error) {
	var zero R
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return zero, err
	}
	defer tx.Rollback()
	r, err := fn(ctx, tx)
	if err != nil {
		return zero, err
	}
	return r, tx.Commit()
}

func generic(ctx context.Context, db *sql.DB) (string, error) {
	return Run(ctx, db, func(ctx context.Context, tx *sql.Tx) (string, error) { // hold
		r, err := http.Get(u) // want "high http"
		if err != nil {
			return "", err
		}
		return r.Status, nil
	})
}

func okGeneric(ctx context.Context, db *sql.DB) (string, error) {
	name, err := Run(ctx, db, func(ctx context.Context, tx *sql.Tx) (name string, err error) {
		err = tx.QueryRowContext(ctx, "select name from a").Scan(&name)
		return name, err
	})
	if err != nil {
		return "", err
	}
	return name, fetch(ctx)
}

// WithTransaction is a curried helper.
func (s *store) WithTransaction(fn func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := fn(ctx); err != nil {
			return err
		}
		return tx.Commit()
	}
}

func curried(ctx context.Context, s *store) error {
	return s.WithTransaction(func(ctx context.Context) error {
		return fetch(ctx) // want "high http"
	})(ctx)
}

func okCurried(ctx context.Context, s *store) error {
	if err := s.WithTransaction(func(ctx context.Context) error {
		return nothing(ctx)
	})(ctx); err != nil {
		return err
	}
	return fetch(ctx)
}

// traceless is curried too, and opens nothing.
func traceless(fn func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error { return fn(ctx) }
}

func okCurriedWithoutTx(ctx context.Context) error {
	return traceless(func(ctx context.Context) error { return fetch(ctx) })(ctx)
}

// each runs several functions in one transaction.
func (s *store) each(ctx context.Context, fns ...func(tx *sql.Tx) error) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, fn := range fns {
			if err := fn(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

func variadic(ctx context.Context, s *store) error {
	return s.each(ctx,
		func(tx *sql.Tx) error {
			_, err := tx.Exec("delete from a")
			return err
		},
		func(tx *sql.Tx) error {
			_, err := http.Get(u) // want "high http"
			return err
		},
	)
}

func okVariadic(ctx context.Context, s *store) error {
	if err := s.each(ctx, func(tx *sql.Tx) error { return nil }, func(tx *sql.Tx) error {
		_, err := tx.Exec("delete from a")
		return err
	}); err != nil {
		return err
	}
	return fetch(ctx)
}

// before calls its function before it begins.
func (s *store) before(ctx context.Context, fn func(ctx context.Context) error) error {
	if err := fn(ctx); err != nil {
		return err
	}
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error { return nil })
}

func okHelperThatCallsBefore(ctx context.Context, s *store) error {
	return s.before(ctx, func(ctx context.Context) error {
		return fetch(ctx)
	})
}

// both has one function that runs inside and one that runs after.
func (s *store) both(ctx context.Context, inside, after func(ctx context.Context) error) error {
	if err := s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error { return inside(ctx) }); err != nil {
		return err
	}
	return after(ctx)
}

func firstOfBoth(ctx context.Context, s *store) error {
	return s.both(ctx, func(ctx context.Context) error {
		return fetch(ctx) // want "high http"
	}, nothing)
}

func okSecondOfBoth(ctx context.Context, s *store) error {
	return s.both(ctx, nothing, func(ctx context.Context) error {
		return fetch(ctx)
	})
}

// okDropped hands its closure to a helper that never calls it.
func okDropped(ctx context.Context, s *store) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		drop(func() error { return fetch(ctx) })
		return nil
	})
}

func drop(func() error) {}
