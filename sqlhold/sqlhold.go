// Package sqlhold feeds a pghold.Recorder from database/sql, whatever the driver
// and whatever stands on top of it: GORM, bun, sqlx and ent work unchanged. One
// call opens the pool:
//
//	recorder := pghold.New(pghold.Config{})
//	db, err := sqlhold.Open("pgx", dsn, recorder, "main")
//
// It wraps the driver. A wrapped connection, statement or result set implements
// exactly the optional interfaces that its original does, so that database/sql
// treats it as before. The exception are a connection's SessionResetter and
// Validator, which it always has, and which do nothing where the original has none:
// by these database/sql tells its driver of a checkout and of a release.
//
// # Where a hold begins and ends
//
// A hold begins when the caller gets the connection: a new one with the return of
// Connect, one that was kept with that of ResetSession. It ends when database/sql
// asks IsValid, which it does with each connection that comes back, or closes the
// connection. The odd cases:
//
//   - A connection that database/sql opens in the background, because callers queue
//     and another was lost, is opened for nobody in particular. Its hold begins with
//     the first statement, in the context of that where the driver takes one. So does that of any connection
//     that was not opened in its caller's own goroutine.
//   - database/sql does not say how long a caller has queued, so the holds have no
//     wait, and callers who gave up are not counted. The pool's number of waits and
//     their time in all are known, from its Stats.
//   - A connection that its driver finds broken in ResetSession has no hold. With
//     another error database/sql uses it all the same, and so it has.
//   - Opening a connection, the driver's ResetSession, and closing come before or
//     after the hold.
//   - Rows that nobody closes keep their connection, and its hold open.
//
// # Statements
//
// Exec, Query, Prepare, Ping, Begin, Commit and Rollback are a statement each, and
// so is each execution of a prepared one; a query lasts until its rows are closed.
// One that begins while another runs is part of it. Further:
//
//   - Where a driver executes nothing without preparing it, database/sql prepares,
//     executes and closes: two statements. This is also so where the driver could
//     but answers ErrSkip: it then counts as part of the preparation.
//   - Closing a prepared statement is not a statement.
//   - What is done with the driver's own connection, in sql.Conn's Raw after Unwrap,
//     is not seen. It is silence.
//
// # Transactions
//
// A transaction is open from a successful Begin until Commit or Rollback, even one
// that fails. BEGIN, START TRANSACTION, COMMIT, END, ABORT and ROLLBACK as text are
// recognised, in the first statement of a text and the last. A transaction that is
// left open at the release is not followed into the next hold.
//
// # What drivers' types become
//
// sql.Conn's Raw passes the wrapper, not the driver's own connection, which its
// method Unwrap returns:
//
//	conn.Raw(func(c any) error {
//		own := c.(interface{ Unwrap() driver.Conn }).Unwrap().(*stdlib.Conn)
//
// session.FromDB does that of itself. The wrapper's method Holders() []string says who
// holds the pool's connections now.
//
// The package opens no connection of its own, sends no statement, and reports
// nothing: that is the recorder's.
package sqlhold

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/pghold/pghold"
)

//go:generate go run gen.go .

// OpenDB is sql.OpenDB for a pool that tells a recorder of its holds, under a name.
// It fails where that has been done with the connector before.
func OpenDB(c driver.Connector, recorder *pghold.Recorder, name string) (*sql.DB, error) {
	switch {
	case c == nil:
		return nil, errors.New("sqlhold: no connector: get one from the driver, or use sqlhold.Open with its name")
	case recorder == nil:
		return nil, errors.New("sqlhold: no recorder: make it with pghold.New")
	case wrapped(c):
		return nil, errWrapped
	}
	pool := recorder.Pool(name)
	db := sql.OpenDB(Connector(c, pool))
	pool.SetStat(func() pghold.PoolStat {
		s := db.Stats()
		return pghold.PoolStat{Open: s.OpenConnections, Max: s.MaxOpenConnections, Waits: uint64(s.WaitCount), WaitTime: s.WaitDuration}
	})
	return db, nil
}

var errWrapped = errors.New("sqlhold: this connector is wrapped already, and every hold would be counted twice: pass the driver's own")

// Open is sql.Open for a pool that tells a recorder of its holds, under a name.
func Open(driverName, dsn string, recorder *pghold.Recorder, name string) (*sql.DB, error) {
	if !slices.Contains(sql.Drivers(), driverName) {
		return nil, fmt.Errorf("sqlhold: no driver is registered as %q: import its package, as in import _ \"github.com/jackc/pgx/v5/stdlib\"", driverName)
	}
	// Only a pool tells what driver a name stands for. This one never connects.
	db, err := sql.Open(driverName, dsn)
	if err != nil {
		return nil, err
	}
	d := db.Driver()
	if err := db.Close(); err != nil {
		return nil, err
	}
	var c driver.Connector = dsnConnector{dsn, d}
	if d, ok := d.(driver.DriverContext); ok {
		if c, err = d.OpenConnector(dsn); err != nil {
			return nil, err
		}
	}
	return OpenDB(c, recorder, name)
}

// dsnConnector opens connections with a driver that has no connectors.
type dsnConnector struct {
	dsn    string
	driver driver.Driver
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.driver }
