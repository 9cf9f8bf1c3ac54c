// Package config has slow calls and openers that only config.json knows.
package config

import (
	"context"
	"database/sql"
	"net/http"
)

const u = "https://example.com/"

func crunch(n int) int { return n * n }

func add(n int) int { return n + n }

type legacy struct{ handle uintptr }

func (l *legacy) Call(name string) error { return nil }
func (l *legacy) Name() string           { return "legacy" }

// Gateway is slow whoever implements it.
type Gateway interface{ Pay(cents int) error }

type wire struct{ n int }

func (w *wire) Pay(cents int) error { w.n += cents; return nil }

func NewGateway() Gateway { return &wire{} }

func cached(name string) string {
	r, err := http.Get(u + name)
	if err != nil {
		return ""
	}
	return r.Status
}

func uncached(name string) string { return cached(name) + head(name) }

func head(name string) string {
	r, err := http.Head(u + name)
	if err != nil {
		return ""
	}
	return r.Status
}

// local asks a server on the same machine.
type local struct{ c *http.Client }

func (l *local) Get() error { _, err := l.c.Get(u); return err }

func slowFunction(tx *sql.DB) error {
	t, err := tx.Begin()
	if err != nil {
		return err
	}
	defer t.Rollback()
	crunch(7) // want "low compute"
	return t.Commit()
}

func okOtherFunction(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	add(7)
	return tx.Commit()
}

func slowMethod(db *sql.DB, l *legacy) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := l.Call("a"); err != nil { // want "high custom"
		return err
	}
	return tx.Commit()
}

func okOtherMethod(db *sql.DB, l *legacy) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	l.Name()
	return tx.Commit()
}

func slowInterface(db *sql.DB, g Gateway) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := g.Pay(100); err != nil { // want "medium rpc"
		return err
	}
	return tx.Commit()
}

// okImplementation calls what implements it: that is not in the list.
func okImplementation(db *sql.DB, w *wire) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := w.Pay(100); err != nil {
		return err
	}
	return tx.Commit()
}

func okFast(db *sql.DB, l *local) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	cached("a")
	if err := l.Get(); err != nil {
		return err
	}
	return tx.Commit()
}

func besideFast(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	uncached("a") // want "high http .*Head"
	return tx.Commit()
}

// depot hands out connections, and its source is not to be understood.
type depot struct{ free chan *lease }

type lease struct{ id int }

func (l *lease) Giveback() {}
func (l *lease) Release()  {}
func (l *lease) Ask() int  { return l.id }

func (d *depot) Checkout(ctx context.Context) (*lease, error) { return &lease{}, nil }
func (d *depot) Borrow() *lease                               { return &lease{} }
func (d *depot) Locked(fn func(l *lease) error) error         { return fn(&lease{}) }
func (d *depot) Size() int                                    { return cap(d.free) }

func ownOpener(ctx context.Context, d *depot) error {
	l, err := d.Checkout(ctx)
	if err != nil {
		return err
	}
	defer l.Giveback()
	l.Release()
	http.Get(u) // want "high http"
	return nil
}

func okOwnOpener(ctx context.Context, d *depot) error {
	l, err := d.Checkout(ctx)
	if err != nil {
		http.Head(u)
		return err
	}
	l.Ask()
	l.Giveback()
	http.Get(u)
	return nil
}

func ownOpenerDefaultClosers(d *depot) {
	l := d.Borrow()
	http.Get(u) // want "high http"
	l.Release()
}

func okOwnOpenerDefaultClosers(d *depot) {
	l := d.Borrow()
	l.Ask()
	l.Release()
	http.Get(u)
}

func ownHelper(d *depot) error {
	return d.Locked(func(l *lease) error {
		_, err := http.Get(u) // want "high http"
		return err
	})
}

func okOwnHelper(d *depot) error {
	if err := d.Locked(func(l *lease) error { l.Ask(); return nil }); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}

func okNoOpener(d *depot) error {
	d.Size()
	_, err := http.Get(u)
	return err
}
