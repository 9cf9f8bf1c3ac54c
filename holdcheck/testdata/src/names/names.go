// Package names has what is called tx, Begin or Send and is nothing of the kind.
package names

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net/http"
	"text/template"

	"go.etcd.io/bbolt"
)

const u = "https://example.com/"

func okBolt(db *bbolt.DB) error {
	return db.Update(func(tx *bbolt.Tx) error {
		_, err := http.Get(u)
		return err
	})
}

func okBoltBegin(db *bbolt.DB) error {
	tx, err := db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get(u)
	return tx.Commit()
}

func besideBolt(db *sql.DB, b *bbolt.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := b.View(func(tx *bbolt.Tx) error { _, err := http.Get(u); return err }); err != nil { // want "high http"
		return err
	}
	return tx.Commit()
}

// transfer is a transaction of a blockchain.
type transfer struct{ nonce uint64 }

func (t *transfer) Commit() error   { return nil }
func (t *transfer) Rollback() error { return nil }

type chain struct{ height int }

func (c *chain) Begin() (*transfer, error)                      { return &transfer{}, nil }
func (c *chain) BeginTx(ctx context.Context) (*transfer, error) { return &transfer{}, nil }
func (c *chain) Transaction(fn func(tx *transfer) error) error  { return fn(&transfer{}) }
func (c *chain) Acquire(ctx context.Context) (*transfer, error) { return &transfer{}, nil }
func (c *chain) Query(query string) (*transfer, error)          { return &transfer{}, nil }

func okBlockchain(ctx context.Context, c *chain) error {
	tx, err := c.BeginTx(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get(u)
	return tx.Commit()
}

func okBlockchainHelper(c *chain) error {
	return c.Transaction(func(tx *transfer) error {
		_, err := http.Get(u)
		return err
	})
}

func insideBlockchainHelper(c *chain, db *sql.DB) error {
	return c.Transaction(func(t *transfer) error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		http.Get(u) // want "high http"
		return tx.Commit()
	})
}

// outbox has methods with the names of slow ones.
type outbox struct{ bodies []string }

func (o *outbox) Do(r *http.Request) (*http.Response, error)     { return nil, nil }
func (o *outbox) Get(name string) string                         { return name }
func (o *outbox) Send(body string)                               { o.bodies = append(o.bodies, body) }
func (o *outbox) Publish(ctx context.Context, body string) error { o.Send(body); return nil }
func (o *outbox) Run() error                                     { return nil }
func (o *outbox) Wait()                                          {}

func okSlowNames(ctx context.Context, db *sql.DB, o *outbox, r *http.Request) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	o.Do(r)
	o.Send(o.Get("a"))
	if err := o.Publish(ctx, "b"); err != nil {
		return err
	}
	o.Wait()
	if err := o.Run(); err != nil {
		return err
	}
	return tx.Commit()
}

// header reads from a request, and asks nobody.
func okHeaders(db *sql.DB, r *http.Request) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	c, err := r.Cookie("session")
	if err != nil {
		return err
	}
	if _, err := tx.Exec("insert", r.Header.Get("X-Name"), r.URL.Query().Get("a"), c.Value, http.StatusText(404)); err != nil {
		return err
	}
	return tx.Commit()
}

func okTemplate(db *sql.DB, t *template.Template) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if t.Lookup("mail") == nil {
		return nil
	}
	return tx.Commit()
}

// overHTTP is a driver that talks to its server by HTTP: that is the database.
type overHTTP struct{ base string }

func (d *overHTTP) Open(name string) (driver.Conn, error) { return &httpConn{name}, nil }

type httpConn struct{ base string }

func (c *httpConn) Prepare(query string) (driver.Stmt, error) { return nil, driver.ErrSkip }
func (c *httpConn) Close() error                              { return nil }
func (c *httpConn) Begin() (driver.Tx, error)                 { return &httpTx{c.base}, nil }
func (c *httpConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	_, err := http.Post(c.base, "text/plain", nil)
	return driver.RowsAffected(1), err
}

type httpTx struct{ base string }

func (t *httpTx) Commit() error {
	_, err := http.Post(t.base, "text/plain", nil)
	return err
}
func (t *httpTx) Rollback() error { return nil }

func init() { sql.Register("overhttp", &overHTTP{}) }

func okDriverOverHTTP(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("delete from a"); err != nil {
		return err
	}
	return tx.Commit()
}

func besideDriver(db *sql.DB, d *overHTTP) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := http.Head(d.base); err != nil { // want "high http"
		return err
	}
	return tx.Commit()
}
