package tap

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// messages are some, as they come from an app and from a server.
var messages = []string{
	"Q\x00\x00\x00\x0dselect 1\x00", "P\x00\x00\x00\x12a\x00select 1\x00\x00\x00", "B\x00\x00\x00\x0d\x00a\x00\x00\x00\x00\x00\x00\x00",
	"E\x00\x00\x00\x09\x00\x00\x00\x00\x00", "S\x00\x00\x00\x04", "H\x00\x00\x00\x04", "C\x00\x00\x00\x07Sa\x00", "d\x00\x00\x00\x06xy",
	"c\x00\x00\x00\x04", "X\x00\x00\x00\x04", "Z\x00\x00\x00\x05T", "Z\x00\x00\x00\x05I", "Z\x00\x00\x00\x05E", "G\x00\x00\x00\x07\x00\x00\x00",
	"E\x00\x00\x00\x05\x00", "S\x00\x00\x00\x17application_name\x00me\x00", "K\x00\x00\x00\x0c12345678", "R\x00\x00\x00\x08\x00\x00\x00\x00",
	"R\x00\x00\x00\x2a\x00\x00\x00\x0aSCRAM-SHA-256-PLUS\x00SCRAM-SHA-256\x00\x00",
}

// Whatever both sides send, in any order and cut anywhere: nothing panics, times are
// what passed, and nothing is kept beyond its bound.
func FuzzConn(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte("\x00\xff"+m), []byte("\x00\xff"+m))
	}
	f.Add([]byte("\x00\x02\x05\x04\x03\x10"), []byte(messages[0]+messages[10]+messages[4]))
	f.Fuzz(func(t *testing.T, script, stream []byte) {
		began := time.Unix(1e9, 0)
		ledger := watch.New(began)
		c := &conn{tap: New(Config{Ledger: ledger}), prepared: map[string]prepared{}, appTLS: true, serverTLS: true}
		var app, server scanner
		now := began
		// Two bytes of the script say who sends how much, with a moment between.
		for i := 0; i+1 < len(script) && len(stream) > 0; i += 2 {
			n := min(int(script[i+1]), len(stream))
			part := stream[:n]
			stream = stream[n:]
			now = now.Add(time.Duration(script[i]) * time.Millisecond)
			var err error
			if script[i]%2 == 0 {
				err = c.read(&app, part, &fromApp{c, now})
			} else {
				err = c.read(&server, part, &fromServer{c, now})
			}
			if err != nil {
				break
			}
		}
		if cap(app.kept) > watch.MaxText+keptCap && cap(app.kept) > 4*watch.MaxText {
			t.Errorf("%d bytes are kept of a message", cap(app.kept))
		}
		c.ended(now)
		r := ledger.Report(now)
		for _, d := range []watch.Seconds{r.Busy, r.Silent, r.SlowClient, r.Aborted, r.LockWait} {
			if d < 0 {
				t.Errorf("a time below zero: %+v", r.Sums)
			}
		}
		if total := r.Sums.Total(); total > now.Sub(began) {
			t.Errorf("%v were spent in %v", total, now.Sub(began))
		}
		if r.Sessions != 0 || r.InTransaction != 0 {
			t.Errorf("%d sessions are open, %d in a gap", r.Sessions, r.InTransaction)
		}
	})
}

// The prepared statements that are known of a session are bounded.
func TestConn_PreparedStatementsAreBounded(t *testing.T) {
	c := &conn{tap: New(Config{Ledger: watch.New(time.Now())}), prepared: map[string]prepared{}}
	for i := range 10 * maxPrepared {
		c.prepare(fmt.Sprint(i), []byte("select 1"))
	}
	if n := len(c.prepared); n > maxPrepared || c.prepared[fmt.Sprint(10*maxPrepared-1)].of == nil {
		t.Errorf("%d are known, or the last is not", n)
	}
	for i := range 100 {
		c.prepare(fmt.Sprint(i), bytes.Repeat([]byte("x"), watch.MaxText))
	}
	sum := 0
	for _, p := range c.prepared {
		sum += p.size
	}
	if sum > maxTexts || sum != c.texts || c.prepared["99"].of == nil {
		t.Errorf("%d bytes are known, said to be %d, or not the last", sum, c.texts)
	}
}

// What is closed, or prepared again, gives its room back.
func TestConn_ClosedStatementsTakeNoRoom(t *testing.T) {
	c := &conn{tap: New(Config{Ledger: watch.New(time.Now())}), prepared: map[string]prepared{}}
	c.prepare("stays", []byte("select 1"))
	for i := range 100 {
		c.prepare("again", bytes.Repeat([]byte("x"), watch.MaxText))
		c.prepare(fmt.Sprint(i), bytes.Repeat([]byte("y"), watch.MaxText))
		c.forget(fmt.Sprint(i))
	}
	if c.prepared["stays"].of == nil || len(c.prepared) != 2 || c.texts != len("staysselect 1again")+watch.MaxText {
		t.Errorf("%d are known, of %d bytes", len(c.prepared), c.texts)
	}
}

// A client that names no database has its user's.
func TestConn_Introduce(t *testing.T) {
	for startup, want := range map[string]watch.Client{
		"user\x00me\x00\x00": {User: "me", Database: "me", Address: "local"},
		"user\x00me\x00database\x00d\x00application_name\x00a\x00\x00": {User: "me", Database: "d", Application: "a", Address: "local"},
	} {
		c := &conn{}
		if err := c.introduce(first{raw: append(make([]byte, 8), startup...)}, "local"); err != nil || c.client != want {
			t.Errorf("%q: %+v, %v, want %+v", startup, c.client, err, want)
		}
	}
}

// Whatever a server says before it lets the app in, in pieces of any size: it goes on as
// it came, but for an offer that is changed, or the connection ends.
func FuzzGreeting(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte(m+messages[17]), uint8(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		c := &conn{greeting: &greeting{}}
		g := c.greeting
		var on []byte
		for part := range slices.Chunk(stream, int(size)+1) {
			b, err := c.greeted(part)
			if err != nil {
				return
			}
			on = append(on, b...)
		}
		if c.greeting != nil {
			on = append(on, g.part...)
		}
		if !bytes.Equal(on, stream) && !bytes.Contains(stream, []byte("SCRAM-SHA-256-PLUS")) {
			t.Errorf("%q became %q", stream, on)
		}
	})
}

// Whatever comes first on a connection: it ends, or is a message.
func FuzzGreet(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x08\x04\xd2\x16\x2f\x00\x00\x00\x11\x00\x03\x00\x00user\x00me\x00\x00"))
	f.Add([]byte("\x16\x03\x01"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		tap := New(Config{})
		app, _, hello, err := tap.greet(&peer{in: bytes.NewReader(stream), most: 1 << 20})
		if err != nil {
			return
		}
		if app == nil || len(hello.raw) < 8 || len(hello.raw) > maxStartup {
			t.Errorf("%q is %+v", stream, hello)
		}
		(&conn{tap: tap}).introduce(hello, "127.0.0.1")
	})
}

// peer is a connection that sends what is in it, in pieces.
type peer struct {
	net.Conn
	in   io.Reader
	most int
	out  bytes.Buffer
}

func (p *peer) Read(b []byte) (int, error)  { return p.in.Read(b[:min(len(b), p.most)]) }
func (p *peer) Write(b []byte) (int, error) { return p.out.Write(b) }
func (p *peer) RemoteAddr() net.Addr        { return &net.TCPAddr{} }
func (p *peer) LocalAddr() net.Addr         { return &net.TCPAddr{} }
