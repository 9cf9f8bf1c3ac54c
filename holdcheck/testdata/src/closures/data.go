package closures

import (
	"context"
	"database/sql"
	"iter"
	"net/http"
)

type token struct{ value string }

// updateToken calls its updater back with plain data, from inside: the storage holds.
func (s *store) updateToken(ctx context.Context, id string, updater func(old token) (token, error)) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error { // hold
		var old token
		if err := tx.QueryRowContext(ctx, "select value from tokens", id).Scan(&old.value); err != nil {
			return err
		}
		renewed, err := updater(old) // want "high http"
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "update tokens", renewed.value)
		return err
	})
}

func refresh(ctx context.Context, s *store) error {
	return s.updateToken(ctx, "1", func(old token) (token, error) {
		r, err := http.Get(old.value)
		if err != nil {
			return old, err
		}
		return token{r.Status}, nil
	})
}

func (s *store) okUpdateName(ctx context.Context, updater func(old string) (string, error)) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		name, err := updater("a")
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "update names", name)
		return err
	})
}

func okRename(ctx context.Context, s *store) error {
	if err := s.okUpdateName(ctx, func(old string) (string, error) { return old + "b", nil }); err != nil {
		return err
	}
	return fetch(ctx)
}

type user struct{ name string }

type createParams struct {
	name        string
	afterCreate func(u user) error
	afterCommit func(u user) error
}

func (s *store) create(ctx context.Context, arg createParams) error {
	made := user{arg.name}
	err := s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error { // hold
		if _, err := tx.ExecContext(ctx, "insert into users", made.name); err != nil {
			return err
		}
		return arg.afterCreate(made) // want "high http"
	})
	if err != nil {
		return err
	}
	return arg.afterCommit(made)
}

func register(ctx context.Context, s *store) error {
	return s.create(ctx, createParams{
		name: "a",
		afterCreate: func(u user) error {
			_, err := http.Post(u.name, "text/plain", nil)
			return err
		},
		afterCommit: func(u user) error { return nil },
	})
}

type importParams struct {
	check func(name string) error
	done  func(name string) error
}

func (s *store) okImport(ctx context.Context, arg importParams) error {
	if err := s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return arg.check("a")
	}); err != nil {
		return err
	}
	return arg.done("a")
}

func okImporter(ctx context.Context, s *store) error {
	return s.okImport(ctx, importParams{
		check: func(name string) error { return nil },
		done:  func(name string) error { return fetch(ctx) },
	})
}

// names is an iterator that has its rows open while the loop's body runs.
func (s *store) names(ctx context.Context) iter.Seq[string] {
	return func(yield func(string) bool) {
		rows, err := s.db.QueryContext(ctx, "select name from users")
		if err != nil {
			return
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if rows.Scan(&name) != nil || !yield(name) { // want "high http"
				return
			}
		}
	}
}

func ranges(ctx context.Context, s *store) {
	for name := range s.names(ctx) {
		http.Get(name)
	}
}

// okRanges has an iterator that reads all rows before it yields.
func (s *store) okRanges(ctx context.Context) iter.Seq[string] {
	return func(yield func(string) bool) {
		rows, err := s.db.QueryContext(ctx, "select name from users")
		if err != nil {
			return
		}
		var all []string
		for rows.Next() {
			var name string
			rows.Scan(&name)
			all = append(all, name)
		}
		for _, name := range all {
			if !yield(name) {
				return
			}
		}
	}
}

func rangesLater(ctx context.Context, s *store) {
	for name := range s.okRanges(ctx) {
		http.Get(name)
	}
}

// The calls are in a slice that a closure has from the function around it.
func collected(ctx context.Context, db *sql.DB) error {
	calls := []func() error{func() error { return fetch(ctx) }}
	all := func() error {
		for _, call := range calls {
			if err := call(); err != nil {
				return err
			}
		}
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := all(); err != nil { // want "high http"
		return err
	}
	return tx.Commit()
}
