package tap

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// byHand is a loop whose turns the test takes, and so knows what there is in each. Its
// connections are pairs of sockets of Unix: what is written at one end is at the other.
type byHand struct {
	*loop
	t      *testing.T
	ledger *watch.Ledger
	lines  chan string // of the log

	// Of connections to come: their TLS, nil for none, and what has come over that before
	// the loop has them.
	appTLS, serverTLS *tls.Config
	early             string
}

func turnByHand(t *testing.T) *byHand {
	t.Helper()
	h := &byHand{t: t, ledger: watch.New(time.Now()), lines: make(chan string, 10)}
	tap := New(Config{Ledger: h.ledger, Log: func(line string) { h.lines <- line }})
	h.loop = &tap.loop
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !h.closed {
			h.stop()
		}
		tap.Close()
	})
	return h
}

func (h *byHand) stop() {
	h.t.Helper()
	h.close()
	if h.turn(0) {
		h.t.Error("the loop goes on when it is closed")
	}
}

// connect is a connection of the loop, and the other ends of its sockets.
func (h *byHand) connect() (app, server *end) {
	h.t.Helper()
	c := &conn{tap: h.tap, prepared: map[string]prepared{}}
	app, appFD := h.socket(&c.app, h.appTLS, tls.Server, tls.Client)
	server, serverFD := h.socket(&c.server, h.serverTLS, tls.Client, tls.Server)
	if err := h.add(c, appFD, serverFD); err != nil {
		h.t.Fatal(err)
	}
	return app, server
}

// socket is a pair of sockets, and the TLS over it.
func (h *byHand) socket(near *net.Conn, cfg *tls.Config, nearTLS, farTLS func(net.Conn, *tls.Config) *tls.Conn) (e *end, fd int) {
	h.t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	e, fd = &end{t: h.t, fd: pair[0]}, pair[1]
	h.t.Cleanup(func() { unix.Close(e.fd) })
	if cfg == nil {
		return e, fd
	}
	over := func(fd int) net.Conn {
		dup, err := unix.Dup(fd)
		if err != nil {
			h.t.Fatal(err)
		}
		f := os.NewFile(uintptr(dup), "")
		defer f.Close()
		c, err := net.FileConn(f)
		if err != nil {
			h.t.Fatal(err)
		}
		return c
	}
	conns := [2]net.Conn{over(e.fd), over(fd)}
	e.tls = farTLS(&farWire{conns[0], e}, cfg)
	ours := nearTLS(wired(conns[1]), cfg)
	shaken := make(chan error)
	go func() { shaken <- ours.Handshake() }()
	if err := e.tls.Handshake(); err != nil {
		h.t.Error(err)
	}
	if err := <-shaken; err != nil {
		h.t.Fatal(err)
	}
	// As the first message of an app: it is read, and what was read with it is not.
	if _, err := e.tls.Write([]byte("x" + h.early)); err != nil {
		h.t.Fatal(err)
	}
	if _, err := ours.Read(make([]byte, 1)); err != nil {
		h.t.Fatal(err)
	}
	e.shaken = true
	*near = ours
	for _, c := range conns {
		c.Close()
	}
	return e, fd
}

// keys are some for TLS.
var keys = sync.OnceValue(func() []tls.Certificate {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS.Certificates
})

// withTLS is a configuration for both ends of TLS.
func withTLS(version uint16) *tls.Config {
	return &tls.Config{Certificates: keys(), InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}
}

// end is the other end of a connection's socket.
type end struct {
	t  *testing.T
	fd int

	tls    *tls.Conn // nil without
	shaken bool
	sealed []byte // what TLS has written, and was not sent yet
	closed bool   // the socket, not only TLS
}

// farWire is the socket of an end with TLS.
type farWire struct {
	net.Conn
	e *end
}

func (w *farWire) Read(b []byte) (int, error) {
	if !w.e.shaken {
		return w.Conn.Read(b)
	}
	n, err := unix.Read(w.e.fd, b)
	if n == 0 && err == nil {
		w.e.closed = true
		return 0, io.EOF
	}
	return max(n, 0), err
}

func (w *farWire) Write(b []byte) (int, error) {
	if !w.e.shaken {
		return w.Conn.Write(b)
	}
	w.e.sealed = append(w.e.sealed, b...)
	return len(b), nil
}

// send writes what there is room for.
func (e *end) send(b []byte) (n int) {
	e.t.Helper()
	if e.tls == nil {
		return e.write(b)
	}
	if e.flush(); len(e.sealed) > 0 {
		return 0
	}
	n, err := e.tls.Write(b[:min(len(b), bufferSize)])
	if err != nil {
		e.t.Fatal(err)
	}
	e.flush()
	return n
}

func (e *end) flush() {
	e.t.Helper()
	for n := -1; n != 0; {
		n = e.write(e.sealed)
		e.sealed = e.sealed[n:]
	}
}

func (e *end) write(b []byte) (n int) {
	e.t.Helper()
	n, err := unix.Write(e.fd, b)
	if err != nil && err != unix.EAGAIN {
		e.t.Fatal(err)
	}
	return max(n, 0)
}

// receive reads what there is, and says whether the other side has ended the connection.
func (e *end) receive() (got []byte, ended bool) {
	e.t.Helper()
	read := func(b []byte) (int, error) { return unix.Read(e.fd, b) }
	if e.tls != nil {
		read = e.tls.Read
	}
	b := make([]byte, 1<<20)
	for {
		n, err := read(b)
		got = append(got, b[:max(n, 0)]...)
		switch {
		case err == unix.EAGAIN:
			return got, false
		case err != nil && !errors.Is(err, unix.ECONNRESET) && err != io.EOF:
			e.t.Fatal(err)
		case err != nil || n <= 0:
			return got, true
		}
	}
}

func (e *end) expect(want string, wantEnded bool) {
	e.t.Helper()
	if got, ended := e.receive(); string(got) != want || ended != wantEnded {
		e.t.Errorf("got %q, ended %v; want %q, %v", got, ended, want, wantEnded)
	}
}

// quiet reports whether the next turn would wait.
func (h *byHand) quiet() bool {
	n, err := unix.EpollWait(h.epoll, h.events[:], 0)
	return n == 0 && err == nil && len(h.again) == 0
}

// stream is data that is not twice the same, in messages of many sizes.
func stream(size int) []byte {
	var b []byte
	for i := uint32(0); len(b) < size; i++ {
		body := bytes.Repeat(binary.BigEndian.AppendUint32(nil, i), int(i*i%5000))
		b = append(binary.BigEndian.AppendUint32(append(b, 'd'), uint32(4+len(body))), body...)
	}
	return b
}

const select1, ready = "Q\x00\x00\x00\x0dselect 1\x00", "Z\x00\x00\x00\x05T"

// ways runs a test with TLS on each side, and without.
func ways(t *testing.T, test func(t *testing.T, h *byHand)) {
	for _, way := range []struct {
		name              string
		appTLS, serverTLS *tls.Config
	}{
		{"without TLS", nil, nil},
		{"TLS of the app", withTLS(tls.VersionTLS12), nil},
		{"TLS of the server", nil, withTLS(tls.VersionTLS13)},
		{"TLS of both", withTLS(tls.VersionTLS13), withTLS(tls.VersionTLS12)},
	} {
		t.Run(way.name, func(t *testing.T) {
			h := turnByHand(t)
			h.appTLS, h.serverTLS = way.appTLS, way.serverTLS
			test(t, h)
		})
	}
}

// sides runs a test for what an app sends, and for what a server sends.
func sides(t *testing.T, test func(t *testing.T, h *byHand, from, to *end)) {
	t.Run("app", func(t *testing.T) {
		ways(t, func(t *testing.T, h *byHand) {
			app, server := h.connect()
			test(t, h, app, server)
		})
	})
	t.Run("server", func(t *testing.T) {
		ways(t, func(t *testing.T, h *byHand) {
			app, server := h.connect()
			test(t, h, server, app)
		})
	})
}

// Of what one side does not take, little is taken from the other, and nothing is lost or
// turns round. A loop that has to wait for room waits.
func TestLoop_Backpressure(t *testing.T) {
	sides(t, func(t *testing.T, h *byHand, from, to *end) {
		sent := stream(6 << 20)
		rest := sent
		var got []byte
		for rounds := 0; len(got) < len(sent); rounds++ {
			before := len(rest)
			for stalled := false; !stalled; {
				n := from.send(rest)
				rest = rest[n:]
				h.turn(0)
				stalled = n == 0 && h.quiet()
			}
			if taken := before - len(rest); rounds > 0 && taken > 2<<20 {
				t.Fatalf("%d bytes were taken of which none were received", taken)
			}
			if h.mostHeld() > bufferSize+maxOverhead {
				t.Fatalf("%d bytes are held", h.mostHeld())
			}
			part, ended := to.receive()
			if len(part) == 0 || ended {
				t.Fatalf("nothing comes after %d bytes of %d, ended %v", len(got), len(sent), ended)
			}
			got = append(got, part...)
			for h.turn(0); !h.quiet(); h.turn(0) {
			}
		}
		if !bytes.Equal(got, sent) {
			t.Error("what came is not what was sent")
		}
		if h.mostHeld() != 0 {
			t.Errorf("%d bytes are held of what was received", h.mostHeld())
		}
	})
}

// maxOverhead is what TLS adds to a buffer at most, whose first records are of the size of
// a packet, and the allocator to that.
const maxOverhead = 2 << 10

func (h *byHand) mostHeld() (most int) {
	for _, leg := range h.legs {
		most = max(most, cap(leg.held))
	}
	return most
}

// What was sent before the end of a connection arrives, however slowly it is taken, and
// then the end. Until then there is nothing to do.
func TestLoop_EndAfterWhatIsHeld(t *testing.T) {
	sides(t, func(t *testing.T, h *byHand, from, to *end) {
		rest := stream(4 << 20)
		var sent, got []byte
		for n := -1; n != 0 || !h.quiet(); {
			n = from.send(rest)
			sent, rest = append(sent, rest[:n]...), rest[n:]
			h.turn(0)
		}
		unix.Shutdown(from.fd, unix.SHUT_RDWR)
		h.turn(0)
		if !h.quiet() || len(h.legs) == 0 {
			t.Fatalf("with %d bytes held the loop does not wait, or has given up", h.mostHeld())
		}
		for ended := false; !ended; {
			var part []byte
			part, ended = to.receive()
			got = append(got, part...)
			if len(part) == 0 && !ended {
				t.Fatalf("nothing comes after %d bytes of %d", len(got), len(sent))
			}
			for h.turn(0); !h.quiet(); h.turn(0) {
			}
		}
		if len(from.sealed) > 0 { // of which the connection's end had a part
			sent = sent[:max(len(got), len(sent)-bufferSize)]
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came of %d, or others", len(got), len(sent))
		}
		if len(h.legs) != 0 {
			t.Error("the connection is still there")
		}
	})
}

// A side that only stops sending ends the connection: the other is told all that it sent.
func TestLoop_HalfClosed(t *testing.T) {
	sides(t, func(t *testing.T, h *byHand, from, to *end) {
		from.send([]byte(select1))
		unix.Shutdown(from.fd, unix.SHUT_WR)
		for h.turn(0); !h.quiet(); h.turn(0) {
		}
		to.expect(select1, true)
		from.expect("", true)
	})
}

// A side that is gone while data for it is held ends the connection.
func TestLoop_GoneWhileHeld(t *testing.T) {
	sides(t, func(t *testing.T, h *byHand, from, to *end) {
		rest := stream(4 << 20)
		for n := -1; n != 0 || !h.quiet(); {
			n = from.send(rest)
			rest = rest[n:]
			h.turn(0)
		}
		if h.mostHeld() == 0 {
			t.Fatal("nothing is held")
		}
		unix.Shutdown(to.fd, unix.SHUT_RDWR)
		for h.turn(0); !h.quiet(); h.turn(0) {
		}
		if len(h.legs) != 0 {
			t.Error("the connection is still there")
		}
	})
}

// Who sends without end does not keep the others waiting: of each there is a buffer in
// every turn.
func TestLoop_InTurn(t *testing.T) {
	ways(t, func(t *testing.T, h *byHand) {
		loud, far := h.connect()
		app, server := h.connect()
		for h.turn(0); !h.quiet(); h.turn(0) { // what TLS says after its handshake
		}
		rest := stream(1 << 20)
		for n := -1; n != 0; rest = rest[n:] {
			n = loud.send(rest)
		}
		for _, turn := range []string{"a turn", "the next turn"} {
			app.send([]byte(select1))
			h.turn(0)
			server.expect(select1, false)
			if got, _ := far.receive(); len(got) != bufferSize {
				t.Errorf("%s passes %d bytes of one connection, want %d", turn, len(got), bufferSize)
			}
		}
	})
}

// Records of TLS come in pieces, and the loop waits for what is missing.
func TestLoop_RecordsInPieces(t *testing.T) {
	sides(t, func(t *testing.T, h *byHand, from, to *end) {
		if from.tls == nil {
			return
		}
		sent := stream(20000)
		for rest := sent; len(rest) > 0; { // records, which are not sent
			n, err := from.tls.Write(rest[:min(len(rest), 5000)])
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		var got []byte
		for i := 0; len(from.sealed) > 0; i++ {
			n := from.write(from.sealed[:min(len(from.sealed), 1+i%7*i%600)])
			from.sealed = from.sealed[n:]
			for h.turn(0); !h.quiet(); h.turn(0) {
			}
			part, ended := to.receive()
			if got = append(got, part...); ended {
				t.Fatal("the connection has ended")
			}
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came of %d, or others", len(got), len(sent))
		}
	})
}

// What has come over TLS before the loop had the connection is passed on: there is no event
// for it.
func TestLoop_EarlyRecords(t *testing.T) {
	h := turnByHand(t)
	h.appTLS, h.serverTLS, h.early = withTLS(tls.VersionTLS13), withTLS(tls.VersionTLS12), select1
	app, server := h.connect()
	h.turn(0)
	server.expect(select1, false)
	app.expect(select1, false)
}

// Bytes that are no TLS, or not what was sealed, end the connection.
func TestLoop_BrokenTLS(t *testing.T) {
	sides(t, func(t *testing.T, h *byHand, from, to *end) {
		if from.tls == nil {
			return
		}
		for h.turn(0); !h.quiet(); h.turn(0) {
		}
		from.send([]byte(select1))
		if _, err := from.tls.Write([]byte(select1)); err != nil {
			t.Fatal(err)
		}
		from.sealed[len(from.sealed)-1] ^= 1
		from.flush()
		for h.turn(0); !h.quiet(); h.turn(0) {
		}
		got, ended := to.receive()
		if !bytes.HasPrefix(got, []byte(select1)) || bytes.Count(got, []byte(select1)) != 1 || !ended {
			t.Errorf("what came before is %q, ended %v", got, ended)
		}
		if _, err := from.tls.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
			t.Errorf("it is told %v", err)
		}
	})
}

// The end of a connection is TLS's own, too: otherwise it could be somebody who cut it off,
// and PostgreSQL's log would say so.
func TestLoop_EndOfTLS(t *testing.T) {
	sides(t, func(t *testing.T, h *byHand, from, to *end) {
		if from.tls != nil {
			from.send([]byte(select1))
			from.tls.CloseWrite()
			from.flush()
		} else {
			from.send([]byte(select1))
			unix.Shutdown(from.fd, unix.SHUT_WR)
		}
		for h.turn(0); !h.quiet(); h.turn(0) {
		}
		to.expect(select1, true)
		from.expect("", true)
		for _, e := range []*end{from, to} {
			if e.tls != nil && e.closed {
				t.Error("the socket was closed, and TLS not")
			}
		}
		if len(h.legs) != 0 {
			t.Error("the connection is still there")
		}
	})
}

// Both sides end in one turn, and more than once: nobody else's descriptor is closed.
func TestLoop_ClosesItsOwn(t *testing.T) {
	h := turnByHand(t)
	before := descriptors(t)
	for i := range 3 {
		app, server := h.connect()
		app.send([]byte(select1))
		h.turn(0)
		unix.Shutdown(app.fd, unix.SHUT_RDWR)
		unix.Shutdown(server.fd, unix.SHUT_RDWR)
		h.turn(0)
		if len(h.legs) != 2*i {
			t.Error("the connection is still there")
		}
		// Numbers are used again at once.
		next, _ := h.connect()
		h.turn(0)
		next.expect("", false)
		next.send([]byte(select1))
		h.turn(0)
	}
	if n := descriptors(t) - before; n != 3*2+3*4 { // the test's ends of all, and the loop's of those that go on
		t.Errorf("%d descriptors more are open, want %d", n, 3*2+3*4)
	}
	h.stop()
	if n := descriptors(t) - before; n != 3*2+3*2-2 {
		t.Errorf("%d descriptors more are open when the loop has ended, want %d", n, 3*2+3*2-2)
	}
	if r := h.ledger.Report(time.Now()); r.Sessions != 0 {
		t.Errorf("%d sessions are open", r.Sessions)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// What was the loop's descriptor may be somebody else's when it is closed again: nothing is
// written there.
func TestLoop_ClosedTwice(t *testing.T) {
	h := turnByHand(t)
	h.started = true
	h.stop()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	h.wake = pair[0]
	h.close()
	(&end{t: t, fd: pair[1]}).expect("", false)
}

// What is not the protocol is told to the log and to the app, but not in the middle of a
// message.
func TestLoop_Garbage(t *testing.T) {
	const garbage = "D\xff\xff\xff\xff and so on"
	ways(t, func(t *testing.T, h *byHand) {
		app, server := h.connect()
		server.send([]byte(ready))
		h.turn(0)
		server.send([]byte(garbage))
		h.turn(0)
		if got, ended := app.receive(); !bytes.Contains(got, []byte("what the server sent is not Postgres' protocol")) || !ended {
			t.Errorf("the app is told %q, ended %v", got, ended)
		}
		<-h.lines

		app, server = h.connect()
		rest := stream(4 << 20)
		for n := -1; n != 0 || !h.quiet(); {
			n = server.send(rest)
			rest = rest[n:]
			h.turn(0)
		}
		// It comes with the second buffer, for which there need be no event, and with room to
		// tell the app something.
		long := "Q\x00\x00\x40\x00" + strings.Repeat("x", bufferSize-5) // a byte of the next
		app.send([]byte(long[:bufferSize]))
		app.send([]byte("x" + garbage))
		h.turn(0)
		got, _ := app.receive()
		h.turn(0)
		more, ended := app.receive()
		if got = append(got, more...); bytes.Contains(got, []byte("not Postgres' protocol")) || !ended {
			t.Errorf("the app is told in the middle of a message, or the connection goes on: ended %v", ended)
		}
		server.receive()
		<-h.lines
	})
}

// Where the network to the server is lost, the app is told, and the log once; not where it
// would be in the middle of a message, and not of an app that is lost.
func TestLoop_NetworkLost(t *testing.T) {
	const why = "the connection to the server is lost: connection timed out"
	told := string(refusal("08006", "pghold watch: "+why))
	for name, c := range map[string]struct {
		server bool
		err    error
		held   []byte
		want   string
		line   string
	}{
		"the server's":             {true, unix.ETIMEDOUT, nil, told, why},
		"in the middle":            {true, unix.ETIMEDOUT, []byte("x"), "", why},
		"the app's":                {false, unix.ETIMEDOUT, nil, "", ""},
		"the server has ended":     {true, nil, nil, "", ""},
		"the server was killed":    {true, unix.ECONNRESET, nil, "", ""},
		"the server does not read": {true, unix.EPIPE, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, h *byHand) {
				app, server := h.connect()
				for _, leg := range h.legs {
					if leg.isServer != c.server || leg.fd < 0 {
						continue
					}
					leg.other.held = c.held
					h.mu.Lock()
					h.sideEnded(leg, c.err, time.Now())
					h.closeGone()
					h.mu.Unlock()
				}
				app.expect(c.want, true)
				server.expect("", true)
				h.stop()
				h.tap.Close() // all lines are there
				var line string
				select {
				case line = <-h.lines:
				default:
				}
				if line != c.line {
					t.Errorf("the log has %q, want %q", line, c.line)
				}
			})
		})
	}
}
