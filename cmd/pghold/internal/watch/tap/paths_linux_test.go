package tap_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pghold/pghold/cmd/pghold/internal/watch/tap"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// On Linux, sockets are the loop's. All that is true of them is true of the goroutines that
// do its work elsewhere.
func TestTap_OnGoroutines(t *testing.T) {
	onGoroutines = true
	t.Cleanup(func() { onGoroutines = false }) // after those that are parallel
	for name, test := range map[string]func(*testing.T){
		"BetweenClientAndServer": TestTap_BetweenClientAndServer,
		"ServerAway":             TestTap_ServerAway,
		"SessionKilled":          TestTap_SessionKilled,
		"Close":                  TestTap_Close,
		"Malformed":              TestTap_Malformed,
		"Garbage":                TestTap_Garbage,
		"Pipelines":              TestTap_Pipelines,
		"CopyFrom":               TestTap_CopyFrom,
		"CopyTo":                 TestTap_CopyTo,
		"ExtendedCopy":           TestTap_ExtendedCopy,
		"BegunBeforeTheAnswer":   TestTap_BegunBeforeTheAnswer,
		"UnnamedAgain":           TestTap_UnnamedAgain,
		"StatementNotSeen":       TestTap_StatementNotSeen,
		"PreparedStatements":     TestTap_PreparedStatements,
		"ApplicationName":        TestTap_ApplicationName,
		"Cancel":                 TestTap_Cancel,
		"Notifications":          TestTap_Notifications,
		"Replication":            TestTap_Replication,
		"UnixSockets":            TestTap_UnixSockets,
		"TLS":                    TestTap_TLS,
		"TLSOfBothSides":         TestTap_TLSOfBothSides,
		"QueryWithStartup":       TestTap_QueryWithStartup,
		"CopyBothWays":           TestTap_CopyBothWays,
		"ClosesSockets":          TestTap_ClosesSockets,
	} {
		t.Run(name, test)
	}
}

// What is copied in and out again is the same.
func TestTap_CopyBothWays(t *testing.T) {
	app, ended := tappedApp(t, "")
	copyBothWays(t, app)
	ended()
}

// So it is with TLS on both sides, which is the loop's, too.
func TestTap_TLSOfBothSides(t *testing.T) {
	cert := makeCertificate(t)
	dsn := pgtest.DSN(t)
	encryptServer(t, dsn, cert)
	tt := start(t, strings.Replace(dsn, "sslmode=disable", "sslmode=require", 1), func(c *tap.Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{cert.pair}}
	})
	through := strings.Replace(tt.through(t, dsn), "sslmode=disable", "sslmode=require", 1)
	const others = 10
	for range others {
		pgtest.Connect(t, through, "other")
	}
	app := pgtest.Connect(t, through, "app")
	if n := tt.OnLoop(); !onGoroutines && n != 1+others || onGoroutines && n != 0 {
		t.Errorf("the loop has %d sessions of %d, on goroutines: %v", n, 1+others, onGoroutines)
	}
	copyBothWays(t, app)
	tt.Close()
	if lines := tt.lines(); len(lines) > 0 {
		t.Errorf("the log has %q", lines)
	}
}

// An app need not wait for an answer to its first message, and so with TLS the next may be
// read with it.
func TestTap_QueryWithStartup(t *testing.T) {
	cert := makeCertificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			asked <- err
			return
		}
		defer c.Close()
		server := pgproto3.NewBackend(c, c)
		_, err = server.ReceiveStartupMessage()
		if err == nil {
			_, err = server.Receive()
		}
		asked <- err
	}()
	tt := start(t, "postgres://u@"+l.Addr().String()+"/d?sslmode=disable", func(c *tap.Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{cert.pair}}
	})
	app, err := tls.Dial("tcp", tt.addr.String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	front := pgproto3.NewFrontend(app, app)
	front.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "u"}})
	front.Send(&pgproto3.Query{String: "select 1"})
	if err := front.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := <-asked; err != nil {
		t.Error(err)
	}
}

func copyBothWays(t *testing.T, app *pgx.Conn) {
	t.Helper()
	const size = 32 << 20
	pgtest.Exec(t, app, "create temp table t (line text)")
	random := rand.NewChaCha8([32]byte{})
	var lines bytes.Buffer
	for b := make([]byte, 3000); lines.Len() < size; {
		random.Read(b[:1+random.Uint64()%uint64(len(b)-1)])
		for _, c := range b {
			lines.WriteByte('a' + c%26)
		}
		lines.WriteByte('\n')
	}
	want := sha256.Sum256(lines.Bytes())
	if _, err := app.PgConn().CopyFrom(t.Context(), &lines, "copy t from stdin"); err != nil {
		t.Fatal(err)
	}
	got := sha256.New()
	if _, err := app.PgConn().CopyTo(t.Context(), got, "copy t to stdout"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Sum(nil), want[:]) {
		t.Error("other lines came back")
	}
}

// Nothing is left open of sessions that the app ends, that the server ends, and that go on
// when the tap is closed.
func TestTap_ClosesSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var servers []net.Conn
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	before := sockets(t)
	t.Cleanup(func() { // when the tap's listener is closed
		if n := sockets(t); n > before {
			t.Errorf("%d sockets are open, before there were %d", n, before)
		}
		l.Close()
		<-accepted
	})
	tt := start(t, "postgres://u@"+l.Addr().String()+"/d?sslmode=disable")
	connect := func() net.Conn {
		t.Helper()
		app, err := net.Dial("tcp", tt.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		front := pgproto3.NewFrontend(app, app)
		front.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "u"}})
		if err := front.Flush(); err != nil {
			t.Fatal(err)
		}
		c := <-accepted
		servers = append(servers, c)
		server := pgproto3.NewBackend(c, c)
		if _, err := server.ReceiveStartupMessage(); err != nil {
			t.Fatal(err)
		}
		server.Send(&pgproto3.AuthenticationOk{})
		server.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if err := server.Flush(); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := front.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := m.(*pgproto3.ReadyForQuery); ok {
				return app
			}
		}
	}
	var stay []net.Conn
	for i := range 60 {
		app := connect()
		switch i % 3 {
		case 0:
			stay = append(stay, app)
		case 1:
			app.Close()
			io.Copy(io.Discard, servers[i]) // until the tap has closed it
			servers[i].Close()
		case 2:
			servers[i].Close()
			io.Copy(io.Discard, app)
			app.Close()
		}
	}
	if n := tt.OnLoop(); !onGoroutines && n != len(stay) || onGoroutines && n != 0 {
		t.Errorf("the loop has %d sessions of %d, on goroutines: %v", n, len(stay), onGoroutines)
	}
	tt.Close()
	if r := tt.ledger.Report(time.Now()); r.Sessions != 0 || r.SessionsAll != 60 {
		t.Errorf("%d sessions of %d, want 0 of 60", r.Sessions, r.SessionsAll)
	}
	for i, app := range stay {
		if b, err := io.ReadAll(app); len(b) > 0 || err != nil {
			t.Errorf("a session that was open ends with %q, %v", b, err)
		}
		app.Close()
		servers[3*i].Close()
	}
}

// sockets is how many this process has open.
func sockets(t *testing.T) (n int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if to, _ := os.Readlink("/proc/self/fd/" + f.Name()); strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}
