// Package sqlhold feeds a pghold.Recorder from database/sql, whatever the driver
// and whatever stands on top of it: GORM, bun, sqlx and ent work unchanged. One
// call opens the pool:
//
//	recorder := pghold.NewRecorder(pghold.Config{})
//	db, err := sqlhold.Open("pgx", dsn, recorder, "main")
//
// It wraps the driver. Callers see the same results and errors as without it, the
// driver's methods are called in the same order, and the same connections are kept
// and thrown away. A wrapped connection, statement or result set has all optional
// interfaces of database/sql/driver. Where the driver lacks one, the wrapper does what
// database/sql does without it. Two would change what database/sql does by being
// there, so only the wrappers of those that have them do: a statement's
// ColumnConverter, and, from Go 1.27 on, RowsColumnScanner.
//
// By a connection's SessionResetter and Validator database/sql tells its driver of a
// checkout and of a release, so a wrapped connection always has both. Of a connection
// with both, database/sql also believes that it may be used again after a
// transaction that was rolled back because its context was cancelled. Where the driver
// has only one of them, like pgx's, or none, the wrapper makes database/sql discard
// the connection then, as it does without the wrapper.
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
//     the first statement, in the context of that. So does that of any connection
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
// sql.Conn's Raw passes the wrapper, not the driver's own connection, which [Unwrap]
// returns:
//
//	conn.Raw(func(c any) error {
//		own := sqlhold.Unwrap(c).(*stdlib.Conn)
//
// session.FromDB does that of itself. The wrapper's method Holders(context.Context) []string says who
// holds the pool's connections now.
//
// # With the drivers' own tests
//
// The tests of pgx v5.12.0's stdlib and of lib/pq v1.10.9 pass with sqlhold as they do
// without it, on PostgreSQL 15: of stdlib 47 (199 with subtests), of lib/pq all but the
// one that fails as root without sqlhold as well. To do that again, copy the driver's
// source out of the module cache, make a go.work with the copy and this module, and
// replace in the copy's tests
//
//   - sql.Open by [Open], and sql.OpenDB by [OpenDB];
//   - stdlib.OpenDB by OpenDB of stdlib.GetConnector, and OpenDBFromPool by the same of
//     GetPoolConnector with no idle connections;
//   - in functions given to sql.Conn's Raw, the driver's connection by what [Unwrap]
//     returns. stdlib's TestConnRaw, TestCheckIdleConn, and all that call
//     skipCockroachDB or skipPostgreSQLVersionLessThan need it; lib/pq's need it nowhere.
//
// Run them with and without, with -json, and compare test by test.
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

// OpenDB is sql.OpenDB for a pool that tells a recorder of its holds, under a name.
// It fails where that has been done with the connector before. Where another of the name
// is open, this one is called "main (2)".
func OpenDB(c driver.Connector, recorder *pghold.Recorder, name string) (*sql.DB, error) {
	switch {
	case c == nil:
		return nil, errors.New("sqlhold: no connector: get one from the driver, or use sqlhold.Open with its name")
	case recorder == nil:
		return nil, errors.New("sqlhold: no recorder: make it with pghold.NewRecorder")
	case wrapped(c):
		return nil, errWrapped
	}
	connector := &connector{Connector: c}
	connector.pool = recorder.OpenPool(name, func() bool { return !connector.closed.Load() })
	pool, db := connector.pool, sql.OpenDB(connector)
	pool.SetStat(func() pghold.PoolStat {
		s := db.Stats()
		return pghold.PoolStat{Open: s.OpenConnections, Max: s.MaxOpenConnections, Waits: uint64(s.WaitCount), WaitTime: s.WaitDuration}
	})
	return db, nil
}

// Unwrap returns the driver's own connection of what sql.Conn's Raw passes. Anything
// but a connection of this package it returns as it is.
func Unwrap(driverConn any) any {
	if c, ok := driverConn.(*conn); ok {
		return c.inner
	}
	return driverConn
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
