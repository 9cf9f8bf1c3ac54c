package tap_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// A server that is not there is told to the app, and once to the log.
func TestTap_ServerAway(t *testing.T) {
	dsn := pgtest.DSN(t)
	cc, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dial := cc.DialFunc
	away := true
	cc.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if away {
			return nil, errors.New("connection refused")
		}
		return dial(ctx, network, address)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tt := serve(t, cc, l)
	for range 3 {
		_, err := pgx.Connect(t.Context(), tt.through(t, dsn))
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != "08001" || !strings.Contains(pgErr.Message, "pghold watch: cannot reach the server: connection refused") {
			t.Errorf("the app is told %v", err)
		}
	}
	away = false
	for range 2 {
		conn := pgtest.Connect(t, tt.through(t, dsn), "app")
		pgtest.Exec(t, conn, "select 1")
		conn.Close(t.Context())
	}
	if want := []string{"cannot reach the server: connection refused", "the server is reached again"}; strings.Join(tt.lines(), "\n") != strings.Join(want, "\n") {
		t.Errorf("the log has %q, want %q", tt.lines(), want)
	}
}

// A session that the server ends is lost, with its transaction.
func TestTap_SessionKilled(t *testing.T) {
	dsn := pgtest.DSN(t)
	tt := start(t, dsn)
	app := pgtest.Connect(t, tt.through(t, dsn), "app")
	pgtest.Exec(t, app, "begin")
	time.Sleep(pause)
	other := pgtest.Connect(t, dsn, "other")
	pgtest.Exec(t, other, fmt.Sprintf("select pg_terminate_backend(%d)", app.PgConn().PID()))
	_, err := app.Exec(t.Context(), "select 1")
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "57P01" {
		t.Errorf("the app is told %v", err)
	}
	tt.Close()
	if r := tt.ledger.Report(time.Now()); r.Sessions != 0 || len(r.Listed) != 1 || !r.Listed[0].Lost || r.Listed[0].Silent < watch.Seconds(pause) {
		t.Errorf("got %d sessions and %+v", r.Sessions, r.Listed)
	}
}

// A tap that ends takes its sessions with it, and no others.
func TestTap_Close(t *testing.T) {
	dsn := pgtest.DSN(t)
	tt := start(t, dsn)
	app, other := pgtest.Connect(t, tt.through(t, dsn), "app"), pgtest.Connect(t, dsn, "other")
	pgtest.Exec(t, app, "begin; select 1")
	tt.Close()
	if _, err := app.Exec(t.Context(), "select 1"); err == nil {
		t.Error("the app's session goes on")
	}
	pgtest.Exec(t, other, "select 1")
	// pgtest fails where the app's session stays.
}

// What is no client of Postgres is told so, and leaves nothing behind.
func TestTap_Malformed(t *testing.T) {
	dsn := pgtest.DSN(t)
	tt := start(t, dsn)
	startup := func(code uint32, body string) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
		return append(binary.BigEndian.AppendUint32(b, code), body...)
	}
	for _, c := range []struct {
		name    string
		send    []byte
		say, is string
	}{
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "its first message says that it is 1195725856 bytes long", "08P01"},
		{"too short", []byte{0, 0, 0, 4, 0, 3, 0, 0}, "its first message says that it is 4 bytes long", "08P01"},
		{"too long", startup(196608, strings.Repeat("x", 10000)), "its first message says that it is 10008 bytes long", "08P01"},
		{"an old version", startup(2<<16, "user\x00me\x00\x00"), "it asks for version 2.0 of the protocol", "08P01"},
		{"no end", startup(196608, "user\x00me"), "its first message has no end", "08P01"},
		{"no value", startup(196608, "user\x00\x00"), "its first message has a name without a value", "08P01"},
		{"encryption for ever", []byte(strings.Repeat("\x00\x00\x00\x08\x04\xd2\x16\x2f", 5)), "it asks for encryption again and again", "08P01"},
		{"TLS", []byte{0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5}, "there is none here without --tls-cert and --tls-key", "08P01"},
		{"a bare cancel", startup(80877102, "12345678"), "", ""},
		{"an end before the beginning", append([]byte("X\x00\x00\x00\x04"), startup(196608, "user\x00me\x00\x00")...), "", ""},
		{"a half", []byte{0, 0, 0}, "", ""},
		{"nothing", nil, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(tt.lines())
			conn, err := net.Dial("tcp", tt.addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.Write(c.send)
			conn.(*net.TCPConn).CloseWrite()
			b, _ := io.ReadAll(conn)
			answer := strings.TrimLeft(string(b), "N")
			if !strings.Contains(answer, c.say) || !strings.Contains(answer, c.is) || (answer == "") != (c.say == "") {
				t.Errorf("it is told %q, want %q", answer, c.say)
			}
			if got := len(tt.lines()) - before; (got == 1) != (c.say != "") {
				t.Errorf("the log has %d lines more: %q", got, tt.lines()[before:])
			}
		})
	}
	tt.Close()
	if r := tt.ledger.Report(time.Now()); r.SessionsAll != 0 {
		t.Errorf("%d sessions are counted, want none", r.SessionsAll)
	}
}

// What is not the protocol, from either side, ends the connection with one line.
func TestTap_Garbage(t *testing.T) {
	garbage := []byte("D\xff\xff\xff\xff and so on")
	t.Run("from the app", func(t *testing.T) {
		dsn := pgtest.DSN(t)
		tt := start(t, dsn)
		app := pgtest.Connect(t, tt.through(t, dsn), "app")
		h, err := app.PgConn().Hijack()
		if err != nil {
			t.Fatal(err)
		}
		h.Conn.Write(garbage)
		b, _ := io.ReadAll(h.Conn)
		h.Conn.Close()
		if !strings.Contains(string(b), "not Postgres' protocol") {
			t.Errorf("the app is told %q", b)
		}
		tt.Close()
		if lines := tt.lines(); len(lines) != 1 || !strings.Contains(lines[0], "the app of 127.0.0.1 sent what is not Postgres' protocol") {
			t.Errorf("the log has %q", lines)
		}
	})
	t.Run("from the server", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			wire := pgproto3.NewBackend(c, c)
			wire.ReceiveStartupMessage()
			wire.Send(&pgproto3.AuthenticationOk{})
			wire.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			wire.Flush()
			wire.Receive()
			c.Write(garbage)
			io.Copy(io.Discard, c)
		}()
		tt := start(t, fmt.Sprintf("postgres://u@%s/d?sslmode=disable", l.Addr()))
		app := pgtest.Connect(t, fmt.Sprintf("postgres://u@%s/d?sslmode=disable", tt.addr), "app")
		if _, err := app.Exec(t.Context(), "select 1", pgx.QueryExecModeSimpleProtocol); err == nil || !strings.Contains(err.Error(), "not Postgres' protocol") {
			t.Errorf("the app is told %v", err)
		}
		tt.Close()
		if lines := tt.lines(); len(lines) != 1 || !strings.Contains(lines[0], "the server of 127.0.0.1 sent what is not Postgres' protocol") {
			t.Errorf("the log has %q", lines)
		}
	})
}

// Who connects and says nothing is let go of.
func TestTap_HalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &memnet.Network{}
		l, err := network.Listen()
		if err != nil {
			t.Fatal(err)
		}
		cc, err := pgconn.ParseConfig("host=127.0.0.1 port=1 user=u sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		cc.DialFunc = network.Dial
		serve(t, cc, l)
		c, err := network.Dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if b, _ := io.ReadAll(c); len(b) > 0 || time.Since(began) != time.Minute {
			t.Errorf("it is let go of after %v with %q, want a minute and nothing", time.Since(began), b)
		}
		c.Close()
	})
}

// 5,000 apps at once have a session each, which takes no more memory than is known; when
// they are gone, nothing of them is left.
func TestTap_ManyConnections(t *testing.T) {
	const (
		many        = 5000
		bufferSizes = 2 * 16 << 10 // one for each direction
	)
	// come has so many apps begin a transaction and leave after a second, and says how much
	// more memory is in use meanwhile, and when they have left.
	come := func(t *testing.T, app *pgx.ConnConfig, meanwhile func()) (taken, left int) {
		before := inUse()
		var all sync.WaitGroup
		for range many {
			all.Go(func() {
				conn, err := pgx.ConnectConfig(t.Context(), app)
				if err != nil {
					t.Error(err)
					return
				}
				conn.Exec(t.Context(), "begin")
				time.Sleep(time.Second)
				conn.Close(t.Context())
			})
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		meanwhile()
		taken = int(inUse()) - int(before)
		all.Wait()
		time.Sleep(time.Minute) // pgx's timers
		synctest.Wait()
		return taken, int(inUse()) - int(before)
	}
	synctest.Test(t, func(t *testing.T) {
		tt, app := virtual(t, pgmem.Config{MaxConnections: many})
		synctest.Wait() // all that serves is there
		before := bubbled()
		taken, left := come(t, app, func() {
			if r := tt.ledger.Report(time.Now()); r.Sessions != many || r.Open != many || r.InTransaction != many {
				t.Errorf("%d sessions, %d transactions open, %d idle; want %d of each", r.Sessions, r.Open, r.InTransaction, many)
			}
		})
		r := tt.ledger.Report(time.Now())
		if r.Sessions != 0 || r.SessionsAll != many || r.Transactions != many || len(r.Listed)+r.Rest.Count != many {
			t.Errorf("%d sessions of %d, %d transactions, %d and %d listed", r.Sessions, r.SessionsAll, r.Transactions, len(r.Listed), r.Rest.Count)
		}
		if after := bubbled(); after > before || before == 0 {
			t.Errorf("%d goroutines, before the apps came %d", after, before)
		}
		// Of what they take, the apps, the server and the network between take a part.
		direct, _ := come(t, tt.direct, func() {})
		each := (taken - direct) / many
		t.Logf("the tap takes %d bytes for each, and keeps %d", each, left/many)
		if each <= 0 || each > 2*bufferSizes || left/many > bufferSizes/4 {
			t.Errorf("want the %d bytes of its buffers and at most as much again for all else, and that it keeps next to nothing", bufferSizes)
		}
	})
}

// bubbled is how many goroutines are in the bubble: others come and go as they like.
func bubbled() int {
	all := make([]byte, 1<<20)
	return strings.Count(string(all[:runtime.Stack(all, true)]), "synctest bubble")
}
