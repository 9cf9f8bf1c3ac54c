package closures

import (
	"context"
	"database/sql"
)

var steps = map[string]func(ctx context.Context) error{
	"fetch":   fetch,
	"nothing": nothing,
}

func fromMap(ctx context.Context, s *store, name string) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return steps[name](ctx) // want "high http"
	})
}

var checks = map[string]func(ctx context.Context, name string) (int, error){
	"length": func(ctx context.Context, name string) (int, error) { return len(name), nil },
	"first":  func(ctx context.Context, name string) (int, error) { return int(name[0]), nil },
}

func okFromMap(ctx context.Context, s *store, name string) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := checks[name](ctx, name)
		return err
	})
}

func fromVariable(ctx context.Context, s *store, quiet bool) error {
	notify := fetch
	if quiet {
		notify = nothing
	}
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return notify(ctx) // want "high http"
	})
}

func fromVariableOfTwo(ctx context.Context, s *store, quiet bool) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	notify := nothing
	if !quiet {
		notify = fetch
	}
	return notify(ctx) // want "high http"
}

func fromMapWhereItIsThere(ctx context.Context, s *store, name string) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if step, ok := steps[name]; ok {
		return step(ctx) // want "high http"
	}
	return nil
}

func okFromVariable(ctx context.Context, s *store) error {
	notify := nothing
	if err := s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return notify(ctx)
	}); err != nil {
		return err
	}
	return fetch(ctx)
}

// deliver can be replaced in tests.
var deliver = func(ctx context.Context, to, body string) error { return fetch(ctx) }

func fromGlobal(ctx context.Context, s *store) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return deliver(ctx, "a", "b") // want "high http"
	})
}

var format = func(to, body string, n int) string { return to + body }

func okFromGlobal(ctx context.Context, s *store) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, format("a", "b", 1))
		return err
	})
}

type service struct {
	store  *store
	charge func(ctx context.Context, cents int64) error
	newID  func(cents int64) string
	orphan func(a, b, c int64) error // nothing sets it
}

func newService(s *store) *service {
	return &service{
		store:  s,
		charge: func(ctx context.Context, cents int64) error { return fetch(ctx) },
		newID:  func(cents int64) string { return "id" },
	}
}

func (s *service) fromField(ctx context.Context) error {
	return s.store.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return s.charge(ctx, 100) // want "high http"
	})
}

func (s *service) okFromField(ctx context.Context) error {
	return s.store.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.newID(100))
		return err
	})
}

func (s *service) fromOrphan(ctx context.Context) error {
	return s.store.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return s.orphan(1, 2, 3) // want "low unresolved"
	})
}

func (s *service) okOrphanOutside(ctx context.Context) error {
	if err := s.store.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error { return nil }); err != nil {
		return err
	}
	return s.orphan(1, 2, 3)
}
