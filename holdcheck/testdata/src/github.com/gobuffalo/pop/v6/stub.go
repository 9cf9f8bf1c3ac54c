// Package pop is a stub: signatures only.
package pop

import "context"

type Tx struct{ id int }

func (t *Tx) Commit() error   { return nil }
func (t *Tx) Rollback() error { return nil }

type Connection struct{ TX *Tx }

func (c *Connection) NewTransaction() (*Connection, error)        { return &Connection{TX: &Tx{}}, nil }
func (c *Connection) WithContext(ctx context.Context) *Connection { return c }
func (c *Connection) Create(model any, exclude ...string) error   { return nil }
func (c *Connection) Update(model any, exclude ...string) error   { return nil }
func (c *Connection) Find(model any, id any) error                { return nil }
func (c *Connection) Transaction(fn func(tx *Connection) error) error {
	if c.TX != nil {
		return fn(c)
	}
	cn, err := c.NewTransaction()
	if err != nil {
		return err
	}
	if err := fn(cn); err != nil {
		cn.TX.Rollback()
		return err
	}
	return cn.TX.Commit()
}
