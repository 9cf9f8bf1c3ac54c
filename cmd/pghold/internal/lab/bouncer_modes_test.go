package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/internal/pg/pgtemp"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

const works = "works"

// What pgx can do through a PgBouncer that pools transactions. Each row has a
// PgBouncer with two connections to the server, and says which of them is free:
// that a client is lucky is no answer.
func TestPgBouncer_WhatWorks(t *testing.T) {
	dsn := pgtest.DSN(t)
	for _, row := range []struct {
		name string
		do   func(*bounced) string
		// want is works, a SQLSTATE, or what happens instead.
		want string
		// prepared is want where PgBouncer knows its clients' prepared statements,
		// from 1.21 on. The default is the same.
		prepared string
	}{
		{"cache_statement, one client", oneClient(pgx.QueryExecModeCacheStatement), "26000", works},
		{"cache_statement, two clients", twoClients(pgx.QueryExecModeCacheStatement), "42P05", works},
		{"cache_statement, two clients, in transactions", inTransactions(pgx.QueryExecModeCacheStatement), "42P05", works},
		{"cache_statement, many clients", manyClients(pgx.QueryExecModeCacheStatement), "42P05", works},
		{"cache_describe, one client", oneClient(pgx.QueryExecModeCacheDescribe), works, ""},
		{"cache_describe, two clients", twoClients(pgx.QueryExecModeCacheDescribe), works, ""},
		{"cache_describe, many clients", manyClients(pgx.QueryExecModeCacheDescribe), works, ""},
		{"describe_exec, one client", oneClient(pgx.QueryExecModeDescribeExec), works, ""},
		{"describe_exec, two clients, in transactions", inTransactions(pgx.QueryExecModeDescribeExec), works, ""},
		{"describe_exec, many clients", manyClients(pgx.QueryExecModeDescribeExec), "another client's statement was run", ""},
		{"exec, one client", oneClient(pgx.QueryExecModeExec), works, ""},
		{"exec, two clients", twoClients(pgx.QueryExecModeExec), works, ""},
		{"exec, many clients", manyClients(pgx.QueryExecModeExec), works, ""},
		{"exec, a batch in a transaction", batchInTransaction(pgx.QueryExecModeExec), works, ""},
		{"cache_statement, a batch in a transaction", batchInTransaction(pgx.QueryExecModeCacheStatement), "42P05", works},
		{"simple_protocol, one client", oneClient(pgx.QueryExecModeSimpleProtocol), works, ""},
		{"simple_protocol, two clients", twoClients(pgx.QueryExecModeSimpleProtocol), works, ""},
		{"simple_protocol, many clients", manyClients(pgx.QueryExecModeSimpleProtocol), works, ""},

		// The mode describe_exec goes to the server twice for a statement, which has
		// no name: PgBouncer may serve another client between.
		{"a statement without a name, on another connection", func(b *bounced) string {
			one := b.client().PgConn()
			b.on(0, func() error { return prepareUnnamed(b.ctx, one, "select 1") })
			return outcome(b.try(1, func() error { _, err := execUnnamed(b.ctx, one); return err }))
		}, "26000", ""},
		{"a statement without a name, another client between", func(b *bounced) (answer string) {
			one, two := b.client().PgConn(), b.client().PgConn()
			// All at once, since what a holder does takes the name's place, too.
			b.on(0, func() error {
				b.must(prepareUnnamed(b.ctx, one, "select 1"))
				b.must(prepareUnnamed(b.ctx, two, "select 2"))
				got, err := execUnnamed(b.ctx, one)
				answer = "its answer is " + got
				return err
			})
			return answer
		}, "its answer is 2", ""},

		{"pgx's Prepare, on another connection", func(b *bounced) string {
			one := b.client()
			b.on(0, func() error { _, err := one.Prepare(b.ctx, "p", "select 1"); return err })
			return outcome(b.try(1, func() error { return execute(b.ctx, one, "p") }))
		}, "26000", works},
		{"the statement PREPARE, on another connection", func(b *bounced) string {
			one := b.client()
			b.on(0, func() error { return execute(b.ctx, one, "prepare p as select 1") })
			return outcome(b.try(1, func() error { return execute(b.ctx, one, "execute p") }))
		}, "26000", ""},

		{"SET, on another connection", func(b *bounced) string {
			one := b.client()
			b.on(0, func() error { return execute(b.ctx, one, "set statement_timeout = '77s'") })
			return b.ask(1, one, "show statement_timeout")
		}, "0", ""},
		{"SET, another client", func(b *bounced) string {
			one, two := b.client(), b.client()
			b.on(0, func() error { return execute(b.ctx, one, "set statement_timeout = '77s'") })
			return b.ask(0, two, "show statement_timeout")
		}, "77s", ""},
		{"SET LOCAL, in its transaction", func(b *bounced) string {
			one := b.client()
			var got string
			b.on(0, func() error {
				return pgx.BeginFunc(b.ctx, one, func(tx pgx.Tx) error {
					if _, err := tx.Exec(b.ctx, "set local statement_timeout = '77s'"); err != nil {
						return err
					}
					return tx.QueryRow(b.ctx, "show statement_timeout").Scan(&got)
				})
			})
			return got + ", then " + b.ask(0, b.client(), "show statement_timeout")
		}, "77s, then 0", ""},

		{"an advisory lock, another client", func(b *bounced) string {
			one, two := b.client(), b.client()
			b.on(0, func() error { return execute(b.ctx, one, "select pg_advisory_lock(1)") })
			return "taken twice: " + b.ask(0, two, "select pg_try_advisory_lock(1)::text")
		}, "taken twice: true", ""},
		{"an advisory lock, on another connection", func(b *bounced) string {
			one := b.client()
			b.on(0, func() error { return execute(b.ctx, one, "select pg_advisory_lock(1)") })
			return "released: " + b.ask(1, one, "select pg_advisory_unlock(1)::text")
		}, "released: false", ""},
		{"an advisory lock of a transaction", func(b *bounced) string {
			one, two := b.client(), b.client()
			var during string
			b.on(0, func() error {
				return pgx.BeginFunc(b.ctx, one, func(tx pgx.Tx) error {
					if _, err := tx.Exec(b.ctx, "select pg_advisory_xact_lock(1)"); err != nil {
						return err
					}
					during = b.ask(1, two, "select pg_try_advisory_xact_lock(1)::text")
					return nil
				})
			})
			return "taken twice: " + during + ", afterwards: " + b.ask(1, two, "select pg_try_advisory_xact_lock(1)::text")
		}, "taken twice: false, afterwards: true", ""},

		{"LISTEN, another client", func(b *bounced) string {
			var heard [2]int
			one, two := b.listener(&heard[0]), b.listener(&heard[1])
			b.on(0, func() error { return execute(b.ctx, one, "listen c") })
			b.on(0, func() error { return execute(b.ctx, two, "notify c") }) // told to its own session before it returns
			b.on(1, func() error { return execute(b.ctx, one, "select 1") })
			return fmt.Sprintf("heard by who listens %d times, by the other client %d times", heard[0], heard[1])
		}, "heard by who listens 0 times, by the other client 1 times", ""},

		{"a temporary table, on another connection", func(b *bounced) string {
			one := b.client()
			b.on(0, func() error { return execute(b.ctx, one, "create temporary table t (n int)") })
			return outcome(b.try(1, func() error { return execute(b.ctx, one, "table t") }))
		}, "42P01", ""},
		{"a temporary table, another client", func(b *bounced) string {
			one, two := b.client(), b.client()
			b.on(0, func() error { return execute(b.ctx, one, "create temporary table t (n int)") })
			return outcome(b.try(0, func() error { return execute(b.ctx, two, "create temporary table t (n int)") }))
		}, "42P07", ""},

		{"application_name at the start, two clients", func(b *bounced) string {
			const sql = "select application_name from pg_stat_activity where pid = pg_backend_pid()"
			one, two := b.client("application_name", "one"), b.client("application_name", "two")
			return b.ask(0, one, sql) + ", " + b.ask(0, two, sql) + ", " + b.ask(1, one, sql)
		}, "one, two, one", ""},
		{"idle_in_transaction_session_timeout at the start", func(b *bounced) string {
			_, err := b.connect("idle_in_transaction_session_timeout", "1000")
			return outcome(err)
		}, "08P01", ""},
		{"extra_float_digits at the start", func(b *bounced) string {
			_, err := b.connect("extra_float_digits", "2")
			return outcome(err)
		}, works, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBounced(t, dsn)
			want := row.want
			if row.prepared != "" && b.prepares {
				want = row.prepared
			}
			if got := row.do(b); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// oneClient runs a statement on one connection, and again on the other.
func oneClient(mode pgx.QueryExecMode) func(*bounced) string {
	return func(b *bounced) string {
		one := b.client("default_query_exec_mode", execModes[mode])
		b.on(0, func() error { return echo(b.ctx, one, 1, 1) })
		return outcome(b.try(1, func() error { return echo(b.ctx, one, 1, 2) }))
	}
}

// twoClients runs a statement for one and then for another, on one connection.
func twoClients(mode pgx.QueryExecMode) func(*bounced) string {
	return func(b *bounced) string {
		one, two := b.client("default_query_exec_mode", execModes[mode]), b.client("default_query_exec_mode", execModes[mode])
		b.on(0, func() error { return echo(b.ctx, one, 1, 1) })
		return outcome(b.try(0, func() error { return echo(b.ctx, two, 1, 2) }))
	}
}

// inTransactions is twoClients, each in a transaction.
func inTransactions(mode pgx.QueryExecMode) func(*bounced) string {
	return func(b *bounced) string {
		do := func(n int) func() error {
			c := b.client("default_query_exec_mode", execModes[mode])
			return func() error {
				return pgx.BeginFunc(b.ctx, c, func(tx pgx.Tx) error { return echo(b.ctx, tx, 1, n) })
			}
		}
		b.on(0, do(1))
		return outcome(b.try(0, do(2)))
	}
}

// manyClients has eight at once on two connections, four with the same statement:
// so if a statement can be prepared only once on each connection, two of them fail.
func manyClients(mode pgx.QueryExecMode) func(*bounced) string {
	return func(b *bounced) string {
		b.free()
		var all sync.WaitGroup
		outcomes := make(chan string, 8*50)
		for c := range 8 {
			client := b.client("default_query_exec_mode", execModes[mode])
			all.Go(func() {
				for n := range 50 {
					outcomes <- outcome(echo(b.ctx, client, c%2, n))
				}
			})
		}
		all.Wait()
		close(outcomes)
		count := map[string]int{}
		for o := range outcomes {
			count[o]++
		}
		b.Logf("%v", count)
		for _, bad := range []string{errAnother.Error(), "42P05"} { // the worst first
			if count[bad] > 0 {
				return bad
			}
		}
		if count[works] == 8*50 {
			return works
		}
		return fmt.Sprint(count)
	}
}

// batchInTransaction sends three statements at once, for two clients after one
// another.
func batchInTransaction(mode pgx.QueryExecMode) func(*bounced) string {
	return func(b *bounced) string {
		do := func(n int) func() error {
			c := b.client("default_query_exec_mode", execModes[mode])
			return func() error {
				return pgx.BeginTxFunc(b.ctx, c, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
					batch := new(pgx.Batch)
					batch.Queue("create temporary table t (n int) on commit drop")
					batch.Queue("select $1::int", n)
					batch.Queue("select $1::text", "x")
					return tx.SendBatch(b.ctx, batch).Close()
				})
			}
		}
		b.on(0, do(1))
		return outcome(b.try(0, do(2)))
	}
}

var execModes = map[pgx.QueryExecMode]string{
	pgx.QueryExecModeCacheStatement: "cache_statement",
	pgx.QueryExecModeCacheDescribe:  "cache_describe",
	pgx.QueryExecModeDescribeExec:   "describe_exec",
	pgx.QueryExecModeExec:           "exec",
	pgx.QueryExecModeSimpleProtocol: "simple_protocol",
}

var errAnother = errors.New("another client's statement was run")

type querier interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}

// echo runs the statement number which, and checks that it was that one.
func echo(ctx context.Context, q querier, which, n int) error {
	var got, of int
	if err := q.QueryRow(ctx, fmt.Sprintf("select $1::int, %d", which), n).Scan(&got, &of); err != nil {
		return err
	}
	if got != n || of != which {
		return errAnother
	}
	return nil
}

func execute(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, err := conn.Exec(ctx, sql)
	return err
}

func prepareUnnamed(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	_, err := conn.Prepare(ctx, "", sql, nil)
	return err
}

func execUnnamed(ctx context.Context, conn *pgconn.PgConn) (answer string, err error) {
	result := conn.ExecPrepared(ctx, "", nil, nil, nil).Read()
	if result.Err != nil {
		return "", result.Err
	}
	return string(result.Rows[0][0]), nil
}

// outcome is works, the SQLSTATE, or the error.
func outcome(err error) string {
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return works
	case errors.As(err, &refused):
		return refused.Code
	default:
		return err.Error()
	}
}

// bounced is a PgBouncer with two connections to the server, of which holders keep
// those that shall not be used.
type bounced struct {
	*testing.T
	ctx      context.Context
	dsn      string
	prepares bool
	holders  [2]*pgx.Conn
}

func newBounced(t *testing.T, dsn string) *bounced {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	bouncer, err := pgtemp.StartBouncer(ctx, pgtemp.BouncerConfig{DSN: dsn, PoolSize: 2})
	if none := new(pgtemp.NoBouncerError); errors.As(err, &none) && none.Cause == nil {
		t.Skipf("NOT TESTED, since the package pgbouncer is not installed: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bouncer.Stop(); err != nil {
			t.Error(err)
		}
	})
	b := &bounced{T: t, ctx: ctx, dsn: bouncer.DSN()}
	var major, minor int
	_, err = fmt.Sscanf(bouncer.Version(), "%d.%d", &major, &minor)
	b.must(err)
	b.prepares = major > 1 || minor >= 21
	for i := range b.holders {
		b.holders[i] = b.client()
		b.must(execute(ctx, b.holders[i], "begin"))
	}
	return b
}

// free lets go of the connections for good.
func (b *bounced) free() {
	b.Helper()
	for _, h := range b.holders {
		b.must(execute(b.ctx, h, "commit"))
	}
}

// on does it while only that connection is free.
func (b *bounced) on(connection int, do func() error) {
	b.Helper()
	b.must(b.try(connection, do))
}

// try is on for what may go wrong.
func (b *bounced) try(connection int, do func() error) error {
	b.Helper()
	b.must(execute(b.ctx, b.holders[connection], "commit"))
	defer func() { b.must(execute(b.ctx, b.holders[connection], "begin")) }()
	return do()
}

func (b *bounced) ask(connection int, conn *pgx.Conn, sql string) (answer string) {
	b.Helper()
	b.on(connection, func() error { return conn.QueryRow(b.ctx, sql).Scan(&answer) })
	return answer
}

// connect connects through PgBouncer, in the mode exec unless the parameters, each a
// name and a value, say something else.
func (b *bounced) connect(parameters ...string) (*pgx.Conn, error) {
	return b.connectWith(nil, parameters...)
}

func (b *bounced) connectWith(heard func(*pgconn.PgConn, *pgconn.Notification), parameters ...string) (*pgx.Conn, error) {
	b.Helper()
	u, err := url.Parse(b.dsn)
	b.must(err)
	query := u.Query()
	query.Set("default_query_exec_mode", "exec")
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	u.RawQuery = query.Encode()
	cfg, err := pgx.ParseConfig(u.String())
	b.must(err)
	cfg.OnNotification = heard
	conn, err := pgx.ConnectConfig(b.ctx, cfg)
	if err == nil {
		b.Cleanup(func() { conn.Close(context.Background()) })
	}
	return conn, err
}

func (b *bounced) client(parameters ...string) *pgx.Conn {
	b.Helper()
	conn, err := b.connect(parameters...)
	b.must(err)
	return conn
}

// listener is a client that counts what it hears.
func (b *bounced) listener(heard *int) *pgx.Conn {
	b.Helper()
	conn, err := b.connectWith(func(*pgconn.PgConn, *pgconn.Notification) { *heard++ })
	b.must(err)
	return conn
}

func (b *bounced) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
