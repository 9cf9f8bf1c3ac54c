package lab_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// The Postgres in memory answers what the real one answers, to every statement of the
// lab: alone, in a transaction, in one that has failed, and beside others who have the
// row.
func TestPgmem_AnswersAsPostgres(t *testing.T) {
	real := openDatabase(t, pgtest.DSN(t), experiment.Defaults())
	for name, dialogue := range dialogues {
		t.Run(name, func(t *testing.T) {
			want := newTalk(t, real).follow(dialogue)
			var got []string
			synctest.Test(t, func(t *testing.T) {
				network := &memnet.Network{}
				server := pgmem.Start(pgmem.Config{Network: network, Version: real.Version})
				defer server.Close()
				db, err := lab.OpenDatabaseIn(t.Context(), network, server.DSN(), 15)
				if err != nil {
					t.Fatal(err)
				}
				talk := newTalk(t, db)
				talk.terminate = func(pid uint32) { server.Terminate(int32(pid)) }
				got = talk.follow(dialogue)
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what the real one said (-), and what the one in memory said (+):\n%s", diff)
			}
			for _, line := range want {
				t.Log(line)
			}
		})
	}
}

// talk is what several clients say to a server, and what it answers.
type talk struct {
	t         *testing.T
	db        *lab.Database
	sql       map[string]string
	clients   map[string]*client
	observer  *activity.Sampler
	terminate func(pid uint32)
	said      []string
}

type client struct {
	conn   *pgx.Conn
	answer chan string // of a statement that waits
}

const talkers = "pghold talk" // their application's name

func newTalk(t *testing.T, db *lab.Database) *talk {
	t.Helper()
	k := &talk{t: t, db: db, sql: db.Statements(), clients: map[string]*client{}}
	k.terminate = func(pid uint32) {
		admin, err := db.Connect(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close(context.WithoutCancel(t.Context()))
		if _, err := admin.Exec(t.Context(), "select pg_terminate_backend($1)", pid); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// follow carries a dialogue out on empty tables, and returns what was said.
func (k *talk) follow(dialogue func(*talk)) []string {
	k.t.Helper()
	ctx := k.t.Context()
	if err := k.db.EmptyAccounts(ctx, 3); err != nil {
		k.t.Fatal(err)
	}
	var err error
	if k.observer, err = k.db.OpenSampler(ctx); err != nil {
		k.t.Fatal(err)
	}
	defer k.observer.Close(context.WithoutCancel(ctx))
	defer func() {
		for _, c := range k.clients {
			c.conn.Close(context.WithoutCancel(ctx))
		}
	}()
	dialogue(k)
	return k.said
}

// join lets a client connect.
func (k *talk) join(name string, parameters ...string) {
	k.t.Helper()
	p := map[string]string{"application_name": talkers}
	for i := 0; i < len(parameters); i += 2 {
		p[parameters[i]] = parameters[i+1]
	}
	conn, err := k.db.Connect(k.t.Context(), p)
	if err != nil {
		k.t.Fatal(err)
	}
	k.clients[name] = &client{conn: conn, answer: make(chan string, 1)}
}

// text is a statement of the lab by its name, or what it is.
func (k *talk) text(sql string) string {
	if text, ok := k.sql[sql]; ok {
		return text
	}
	return k.db.In(sql)
}

func (k *talk) ask(c *client, sql string, args []any) string {
	rows, err := c.conn.Query(k.t.Context(), k.text(sql), args...)
	if err == nil {
		var got [][]any
		for rows.Next() {
			values, _ := rows.Values() // an error is also rows.Err
			got = append(got, values)
		}
		rows.Close()
		if err = rows.Err(); err == nil {
			return fmt.Sprintf("%v %s %c", got, rows.CommandTag(), c.conn.PgConn().TxStatus())
		}
	}
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &pgErr) && c.conn.IsClosed():
		return pgErr.Severity + " " + pgErr.Code
	case errors.As(err, &pgErr):
		return fmt.Sprintf("%s %s %q %c", pgErr.Severity, pgErr.Code, pgErr.Message, c.conn.PgConn().TxStatus())
	}
	return "the connection is lost"
}

// say has a client say something, and writes the answer down.
func (k *talk) say(name, sql string, args ...any) {
	k.t.Helper()
	k.said = append(k.said, fmt.Sprint(name, ": ", sql, " → ", k.ask(k.clients[name], sql, args)))
}

// begin has a client begin a transaction and say something in it, in one round trip.
func (k *talk) begin(name, sql string, args ...any) {
	k.t.Helper()
	var b pgx.Batch
	b.Queue("begin")
	b.Queue(k.text(sql), args...)
	err := k.clients[name].conn.SendBatch(k.t.Context(), &b).Close()
	k.said = append(k.said, fmt.Sprintf("%s: begin and %s → %v", name, sql, err))
}

// wait has a client say something for which it has to wait.
func (k *talk) wait(name, sql string, args ...any) {
	k.t.Helper()
	c := k.clients[name]
	go func() { c.answer <- k.ask(c, sql, args) }()
	k.until(func(s activity.Sample) bool {
		return slices.ContainsFunc(s.Sessions, func(s activity.Session) bool {
			return s.PID == int32(c.conn.PgConn().PID()) && s.State == activity.LockWait
		})
	})
	k.said = append(k.said, fmt.Sprint(name, ": ", sql, " waits"))
}

// heard is the answer to what a client waited for.
func (k *talk) heard(name string) {
	k.said = append(k.said, fmt.Sprint(name, " → ", <-k.clients[name].answer))
}

// until asks the server for its sessions until they are as they should be.
func (k *talk) until(is func(activity.Sample) bool) {
	k.t.Helper()
	for {
		s, err := k.observer.Sample(k.t.Context(), talkers)
		if err != nil {
			k.t.Fatal(err)
		}
		if is(s) {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-k.t.Context().Done():
			k.t.Fatal("the sessions never were as they should be")
		}
	}
}

// see writes down what the server says of its sessions.
func (k *talk) see() {
	k.t.Helper()
	<-time.After(time.Millisecond) // so that a transaction has an age also in virtual time
	s, err := k.observer.Sample(k.t.Context(), talkers)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, one := range s.Sessions {
		k.said = append(k.said, fmt.Sprintf("seen: %s, in a transaction: %v", one.State, one.TransactionFor > 0))
	}
}

// gone waits until the server has only rest sessions left.
func (k *talk) gone(rest int) {
	k.t.Helper()
	k.until(func(s activity.Sample) bool { return len(s.Sessions) == rest })
}

func (k *talk) two() {
	k.join("A")
	k.join("B")
}

var dialogues = map[string]func(*talk){
	"one client": func(k *talk) {
		k.join("A")
		k.say("A", "selectUser", 1)
		k.say("A", "selectUser", 2)
		k.say("A", "insertVisit", 1)
		k.say("A", "begin")
		k.see()
		k.say("A", "selectAccount", 2)
		k.say("A", "setBalance", 2, 10)
		k.say("A", "selectAccount", 2)
		k.say("A", "addToBalance", 2, 5)
		k.say("A", "rollback")
		k.say("A", "selectAccount", 2)
		k.say("A", "setBalanceOfVersion", 2, 7, 0)
		k.say("A", "setBalanceOfVersion", 2, 8, 0)
		k.say("A", "setBalanceOfVersion", 9, 8, 0)
		k.say("A", "lockAccount", 2)
		k.say("A", "lockAccount", 9)
		k.say("A", "insertPayment", "a", 2)
		k.say("A", "insertPayment", "a", 2)
		k.say("A", "begin")
		k.say("A", "begin")
		k.say("A", "insertPayment", "b", 2)
		k.say("A", "insertPayment", "b", 2)
		k.see()
		k.say("A", "selectUser", 1)
		k.say("A", "commit")
		k.say("A", "insertPayment", "b", 2)
		k.say("A", "commit")
		k.say("A", "rollback")
		k.say("A", "")
		k.say("A", "begin; select 1; commit")
		k.say("A", "begin; select 1; commit", pgx.QueryExecModeSimpleProtocol)
		k.see()
	},
	"a row that somebody has": func(k *talk) {
		k.two()
		k.join("C")
		k.say("A", "begin")
		k.say("A", "lockAccount", 1)
		k.say("B", "selectAccount", 1)
		k.say("B", "setBalance", 2, 1)
		k.wait("B", "lockAccount", 1)
		k.wait("C", "lockAccount", 1) // who of the two is first on A's new version is chance
		k.see()
		k.say("A", "setBalance", 1, 50)
		k.say("A", "commit")
		k.heard("B")
		k.heard("C")
		k.say("C", "setBalance", 1, 100)
		k.say("A", "selectAccount", 1)
	},
	"a row that is not as it was": func(k *talk) {
		k.two()
		k.say("A", "begin")
		k.say("A", "setBalance", 1, 50)
		k.wait("B", "setBalanceOfVersion", 1, 60, 0)
		k.say("A", "commit")
		k.heard("B")
		k.say("A", "begin")
		k.say("A", "setBalance", 1, 70)
		k.wait("B", "setBalanceOfVersion", 1, 60, 1)
		k.say("A", "rollback")
		k.heard("B")
		k.say("B", "selectAccount", 1)
		k.say("A", "begin")
		k.say("A", "setBalance", 1, 70)
		k.say("B", "setBalanceOfVersion", 1, 60, 0) // not what it reads: it need not wait
		k.say("A", "commit")
	},
	"the same payment": func(k *talk) {
		k.two()
		k.say("A", "begin")
		k.say("A", "insertPayment", "a", 1)
		k.wait("B", "insertPayment", "a", 1)
		k.say("A", "commit")
		k.heard("B")
		k.say("A", "begin")
		k.say("A", "insertPayment", "b", 1)
		k.wait("B", "insertPayment", "b", 1)
		k.say("A", "rollback")
		k.heard("B")
		k.say("A", "insertPayment", "b", 1)
		k.say("A", "select op from SCHEMA.payments")
	},
	"a lease": func(k *talk) {
		k.two()
		k.say("A", "takeLease", 1, "a", time.Hour)
		k.say("B", "takeLease", 1, "b", time.Hour)
		k.say("B", "setBalanceOfLease", 1, 5, "b")
		k.say("A", "setBalanceOfLease", 1, 6, "a")
		k.say("B", "takeLease", 1, "b", -time.Hour)
		k.say("A", "takeLease", 1, "a", time.Hour) // B's has run out
		k.say("A", "begin")
		k.say("A", "setBalanceOfLease", 1, 7, "a")
		k.say("B", "takeLease", 1, "b", time.Hour) // not what it reads
		k.say("A", "rollback")
	},
	"the outbox": func(k *talk) {
		k.two()
		k.say("A", "claim", time.Hour)
		k.say("A", "insertOutbox", "a", 1, true)
		k.say("A", "insertOutbox", "b", 2, false)
		k.say("A", "insertOutbox", "a", 1, true)
		k.say("A", "begin")
		k.say("A", "claim", time.Hour)
		k.say("B", "claim", time.Hour) // the other one
		k.say("A", "commit")
		k.say("A", "claim", time.Hour) // nothing is left
		k.say("A", "endOutbox", "a")
		k.say("A", "endOutbox", "c")
		k.say("B", "begin")
		k.say("B", "endOutbox", "b")
		k.say("A", "select exists (select from SCHEMA.outbox where not done)")
		k.say("B", "commit")
		k.say("A", "select exists (select from SCHEMA.outbox where not done)")
		k.say("A", "insertOutbox", "c", 3, true)
		k.say("A", "claim", -time.Hour)
		k.say("B", "claim", time.Hour) // A's has run out
	},
	"a wait that is cancelled": func(k *talk) {
		k.two()
		k.say("A", "begin")
		k.say("A", "lockAccount", 1)
		k.say("B", "begin")
		k.say("B", "lockAccount", 2)
		k.wait("B", "lockAccount", 1)
		if err := k.clients["B"].conn.PgConn().CancelRequest(k.t.Context()); err != nil {
			k.t.Error(err)
		}
		k.heard("B")
		k.say("B", "lockAccount", 3)
		k.say("A", "lockAccount", 2) // an error gives back what the transaction had
		k.say("B", "rollback")
		if err := k.clients["B"].conn.PgConn().CancelRequest(k.t.Context()); err != nil { // of nothing
			k.t.Error(err)
		}
		k.say("B", "lockAccount", 3)
		k.say("A", "commit")
	},
	"a client who leaves": func(k *talk) {
		k.two()
		k.say("A", "begin")
		k.say("A", "setBalance", 1, 5)
		k.wait("B", "lockAccount", 1)
		k.clients["A"].conn.Close(k.t.Context())
		k.heard("B")
		k.gone(1)
	},
	"sessions that are ended": func(k *talk) {
		k.two()
		k.join("C")
		k.say("A", "begin")
		k.say("A", "setBalance", 1, 5)
		k.wait("B", "lockAccount", 1)
		k.wait("C", "lockAccount", 1)
		k.terminate(k.clients["B"].conn.PgConn().PID())
		k.heard("B")
		k.terminate(k.clients["A"].conn.PgConn().PID())
		k.heard("C")
		k.gone(1)
		k.say("A", "selectAccount", 1)
	},
	"a transaction that is silent for too long": func(k *talk) {
		k.join("A", "idle_in_transaction_session_timeout", "50")
		k.join("B")
		k.begin("A", "setBalance", 1, 5)
		k.gone(1)
		k.say("B", "lockAccount", 1)
		k.say("A", "commit")
	},
	"a transaction that lasts for too long": func(k *talk) {
		if major, _ := strconv.Atoi(k.db.Version[:2]); major < 17 {
			return // it has no transaction_timeout
		}
		k.join("A", "transaction_timeout", "2000")
		k.join("B")
		k.say("B", "begin")
		k.say("B", "lockAccount", 1)
		k.begin("A", "selectAccount", 1)
		k.say("A", "lockAccount", 1)
		k.gone(1)
		k.join("A", "transaction_timeout", "50")
		k.say("A", "begin")
		k.gone(1)
		k.say("A", "commit")
	},
}
