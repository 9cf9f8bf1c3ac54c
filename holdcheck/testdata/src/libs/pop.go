package libs

import (
	"context"
	"net/http"

	"github.com/gobuffalo/pop/v6"
)

func popTransaction(ctx context.Context, c *pop.Connection) error {
	return c.WithContext(ctx).Transaction(func(tx *pop.Connection) error {
		if err := tx.Create(nil); err != nil {
			return err
		}
		_, err := http.Get(u) // want "high http"
		return err
	})
}

func okPopTransaction(ctx context.Context, c *pop.Connection) error {
	if err := c.Transaction(func(tx *pop.Connection) error { return tx.Create(nil) }); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}

// popNested has an inner transaction that is the outer one.
func popNested(c *pop.Connection) error {
	return c.Transaction(func(tx *pop.Connection) error {
		if err := tx.Transaction(func(inner *pop.Connection) error { return inner.Update(nil) }); err != nil {
			return err
		}
		return audit() // want "high http"
	})
}

func popNewTransaction(c *pop.Connection) error {
	cn, err := c.NewTransaction()
	if err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return cn.TX.Commit()
}

func okPopNewTransaction(c *pop.Connection) error {
	cn, err := c.NewTransaction()
	if err != nil {
		return err
	}
	if err := cn.TX.Commit(); err != nil {
		return err
	}
	http.Get(u)
	return nil
}
