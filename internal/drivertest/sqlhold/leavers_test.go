package sqlhold_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/sqlhold"
)

// pgx closes a connection whose transaction's context is cancelled, and database/sql
// throws it away. Kept, it would be handed to callers who wait, and one who gets three
// such connections gets driver.ErrBadConn.
func TestTx_CallersWithClientsThatLeave(t *testing.T) {
	run := func(t *testing.T, open func(driver.Connector) *sql.DB) (answers int, failed []error) {
		synctest.Test(t, func(t *testing.T) {
			cfg, err := pgx.ParseConfig("host=127.0.0.1 user=app sslmode=disable default_query_exec_mode=simple_protocol")
			must(t, err)
			cfg.DialFunc = func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				go serve(server)
				return client, nil
			}
			cfg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
			db := open(stdlib.GetConnector(*cfg))
			db.SetMaxOpenConns(8)
			db.SetMaxIdleConns(8)

			var mu sync.Mutex
			var clients sync.WaitGroup
			for client := range 40 {
				clients.Go(func() {
					time.Sleep(time.Duration(client) * 137 * time.Microsecond) // no two at the same instant
					for i := range 20 {
						err := visit(db, (client+i)%2 == 0)
						mu.Lock()
						if answers++; err != nil {
							answers--
							failed = append(failed, err)
						}
						mu.Unlock()
					}
				})
			}
			clients.Wait()
			must(t, db.Close())
		})
		return answers, failed
	}
	answers, failed := run(t, sql.OpenDB)
	if answers != 800 || len(failed) != 0 {
		t.Fatalf("bare: %d answers, %d errors: %v", answers, len(failed), errors.Join(failed...))
	}
	answers, failed = run(t, func(c driver.Connector) *sql.DB {
		db, err := sqlhold.OpenDB(c, pghold.NewRecorder(pghold.Config{}), "main")
		must(t, err)
		return db
	})
	if answers != 800 || len(failed) != 0 {
		t.Errorf("with sqlhold: %d answers and %d errors, and without it 800 and none: %v", answers, len(failed), errors.Join(failed...))
	}
}

// visit is a transaction that its client leaves in the middle, or one that is
// committed. Only errors before the client has left are returned.
func visit(db *sql.DB, leaves bool) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "select 1"); err != nil {
		return err
	}
	time.Sleep(10 * time.Millisecond)
	if leaves {
		cancel()
		time.Sleep(time.Millisecond) // database/sql rolls back, before the caller does
		return nil
	}
	return tx.Commit()
}

// serve is a server that answers every statement with nothing but its success.
func serve(conn net.Conn) {
	defer conn.Close()
	b := pgproto3.NewBackend(conn, conn)
	if m, err := b.ReceiveStartupMessage(); err != nil || !isStartup(m) {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	b.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	status := byte('I')
	for {
		b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
		if b.Flush() != nil {
			return
		}
		m, err := b.Receive()
		if err != nil {
			return
		}
		q, ok := m.(*pgproto3.Query)
		if !ok {
			return // it is a Terminate
		}
		word, _, _ := strings.Cut(q.String, " ")
		switch word {
		case "begin":
			status = 'T'
		case "commit", "rollback":
			status = 'I'
		}
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte(strings.ToUpper(word))})
	}
}

func isStartup(m pgproto3.FrontendMessage) bool {
	_, ok := m.(*pgproto3.StartupMessage)
	return ok // and not a CancelRequest
}
