// Package lessons has what readers of the findings in real services said was false,
// each with a near one that is true.
package lessons

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"os/exec"
	"time"

	"example.com/lib"
	"github.com/go-pg/pg/v10"
)

const u = "http://example.com"

func fetch() error { _, err := http.Get(u); return err }

// A helper that fails leaves nothing to its caller, whatever it forgot.

type work struct {
	db *sql.DB
	tx *sql.Tx
}

func (w *work) ask() error { return nil }

func (w *work) once() (err error) {
	if w.tx, err = w.db.Begin(); err != nil {
		return err
	}
	if err := w.ask(); err != nil {
		return err
	}
	return w.tx.Commit()
}

func okAfterHelperThatReturnsItsError(w *work) error {
	if err := w.once(); err != nil {
		return err
	}
	return fetch()
}

func (w *work) only(names []string) (err error) {
	if w.tx, err = w.db.Begin(); err != nil {
		return err
	}
	if len(names) != 1 {
		return errors.New("one name, please")
	}
	return w.tx.Commit()
}

func okAfterHelperThatMakesAnError(w *work, names []string) error {
	if err := w.only(names); err != nil {
		return err
	}
	return fetch()
}

func (w *work) some(names []string) (err error) {
	if w.tx, err = w.db.Begin(); err != nil {
		return err
	}
	if len(names) == 0 {
		return nil
	}
	return w.tx.Commit()
}

func afterHelperThatForgets(w *work, names []string) error {
	if err := w.some(names); err != nil {
		return err
	}
	return fetch() // want "high http"
}

// A value has one type.

type locker interface {
	Lock(ctx context.Context) (*sql.Conn, error)
	Keys() error
}

type inPostgres struct{ db *sql.DB }

func (p *inPostgres) Lock(ctx context.Context) (*sql.Conn, error) { return p.db.Conn(ctx) }
func (p *inPostgres) Keys() error                                 { return nil }

type onTheWeb struct{}

func (w *onTheWeb) Lock(ctx context.Context) (*sql.Conn, error) { return nil, nil }
func (w *onTheWeb) Keys() error                                 { return fetch() }

var lockers = []locker{&inPostgres{}, &onTheWeb{}}

func okLockAndKeysOfOne(ctx context.Context, l locker) error {
	c, err := l.Lock(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return l.Keys()
}

func keys(l locker) error { return l.Keys() }

func okLockAndKeysFurtherDown(ctx context.Context, l locker) error {
	c, err := l.Lock(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return keys(l)
}

func lockAndKeysOfTwo(ctx context.Context, l, other locker) error {
	c, err := l.Lock(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return other.Keys() // want "high http"
}

type engine interface {
	Pool() *sql.DB
	Ask(c *sql.Conn) error
}

type sqlEngine struct{ db *sql.DB }

func (e *sqlEngine) Pool() *sql.DB         { return e.db }
func (e *sqlEngine) Ask(c *sql.Conn) error { return nil }

type webEngine struct{}

func (e *webEngine) Pool() *sql.DB         { return nil }
func (e *webEngine) Ask(c *sql.Conn) error { return fetch() }

var engines = []engine{&sqlEngine{}, &webEngine{}}

func okEngineWithoutPool(ctx context.Context, e engine) error {
	db := e.Pool()
	if db == nil {
		return e.Ask(nil)
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return e.Ask(c)
}

func engineBesideAnother(ctx context.Context, e, other engine) error {
	c, err := e.Pool().Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return other.Ask(c) // want "high http"
}

// What a context carries is decided elsewhere.

type sourceKey struct{}

func source(ctx context.Context) int {
	n, _ := ctx.Value(sourceKey{}).(int)
	return n
}

func tell(ctx context.Context) error {
	switch source(ctx) {
	case 3:
		return fetch()
	}
	return nil
}

func caseOfContext(ctx context.Context, db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return tell(ctx) // want "low http"
}

func tellOf(n int) error {
	switch n {
	case 3:
		return fetch()
	}
	return nil
}

func caseOfArgument(db *sql.DB, n int) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return tellOf(n) // want "high http"
}

// A token that is given back was taken.

type limit struct{ slots chan struct{} }

func newLimit() *limit { return &limit{make(chan struct{}, 4)} }

func okSemaphore(db *sql.DB, l *limit) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	l.slots <- struct{}{}
	println("on my way")
	<-l.slots
	return tx.Commit()
}

func waitsForASlot(db *sql.DB, l *limit) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	<-l.slots // want "medium blocked"
	return tx.Commit()
}

// Waiting for a timer is sleeping.

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func pausesInside(ctx context.Context, db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	pause(ctx, time.Second) // want "high sleep"
	return tx.Commit()
}

func timer(d time.Duration) {
	t := time.NewTimer(d)
	<-t.C
}

func timesInside(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	timer(time.Second) // want "high sleep"
	return tx.Commit()
}

func okPausesBefore(ctx context.Context, db *sql.DB) error {
	pause(ctx, time.Second)
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	return tx.Commit()
}

// The pause of a retry is not what it is about.

func retried() error {
	for range 3 {
		if err := fetch(); err == nil {
			return nil
		}
		time.Sleep(time.Second)
	}
	return nil
}

func retriesInside(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return retried() // want "high http"
}

// A transaction that begins at its first statement.

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

type unit interface {
	Commit() error
	Rollback() error
}

type container struct{ tx execer }

func (c *container) Commit() error   { return nil }
func (c *container) Rollback() error { return nil }

type containerKey struct{}

func Begin(ctx context.Context) (context.Context, unit) {
	c := &container{}
	return context.WithValue(ctx, containerKey{}, c), c
}

func Do(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, unit := Begin(ctx)
	defer unit.Rollback()
	if err := f(ctx); err != nil {
		return err
	}
	return unit.Commit()
}

func beginsLate(ctx context.Context) error {
	return Do(ctx, func(ctx context.Context) error {
		return fetch() // want "high http"
	})
}

func okBeginsLateAndEnds(ctx context.Context) error {
	if err := Do(ctx, func(ctx context.Context) error { return nil }); err != nil {
		return err
	}
	return fetch()
}

// Ending a context takes no time, nor does what the standard library returned.

func okCancels(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	cancel()
	return tx.Commit()
}

// An interface of a library is slow where all of its types are.

func okLibraryWithAChoice(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return lib.Validate(lib.Text())
}

func libraryWithOne(db *sql.DB, s lib.Sender) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return s.Send() // want "high http"
}

var sender = lib.New(u)

// A driver's interface, by its method's name.

func driversInterface(ctx context.Context, db pg.DBI) error {
	return db.RunInTransaction(ctx, func(tx *pg.Tx) error {
		return fetch() // want "high http"
	})
}

func okDriversInterface(ctx context.Context, db pg.DBI) error {
	if err := db.RunInTransaction(ctx, func(tx *pg.Tx) error { return tx.Exec("") }); err != nil {
		return err
	}
	return fetch()
}

// A function that releases, called by another.

func acquire(ctx context.Context, db *sql.DB) (*sql.Conn, func(), error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	return c, func() { c.Close() }, nil
}

func okReleasedByAClosure(ctx context.Context, db *sql.DB) error {
	_, release, err := acquire(ctx, db)
	if err != nil {
		return err
	}
	done := func() { defer release() }
	done()
	return fetch()
}

func closureThatReleasesNothing(ctx context.Context, db *sql.DB) error {
	_, release, err := acquire(ctx, db)
	if err != nil {
		return err
	}
	defer release()
	done := func() { println("done") }
	done()
	return fetch() // want "high http"
}

// The body of an answer is none of the program's own types.

type program struct{ cmd *exec.Cmd }

func (p *program) Close() error { return p.cmd.Wait() }

func closing(f func() error) { f() }

func okClosesBody(db *sql.DB, r *http.Response) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	closing(r.Body.Close)
	return tx.Commit()
}

func closesProgram(db *sql.DB, p *program) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	closing(p.Close) // want "high process"
	return tx.Commit()
}

var closers = []interface{ Close() error }{&program{}}
