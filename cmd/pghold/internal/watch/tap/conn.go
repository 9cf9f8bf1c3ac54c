package tap

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// conn is an app's connection and the one that it was given to the server.
type conn struct {
	tap               *Tap
	app, server       net.Conn
	appTLS, serverTLS bool
	uncounted         bool // replication: it passes, and has no session in the ledger
	// greeting is of the direction that begins at the server; nil where nothing is changed in
	// that, or no longer.
	greeting *greeting

	mu     sync.Mutex // guards what follows, and keeps the two directions in order
	client watch.Client
	// session is nil until the server lets the client in.
	session *watch.Session
	// asked is what the client has asked for and the server has not answered with
	// ReadyForQuery, in order: 'Q', 'F', and 'S' for Sync.
	asked    []byte
	unsynced bool      // an extended query is begun, and its Sync not sent
	copying  bool      // the client sends data
	quiet    time.Time // since when none has come

	prepared map[string]prepared // by name
	texts    int                 // bytes of those
}

// buffers of this size carry what passes.
const bufferSize = 16 << 10

const (
	// maxPrepared and maxTexts are how many prepared statements of a session are known by
	// name, and how many bytes of their texts are kept.
	maxPrepared = 2000
	maxTexts    = 256 << 10
	// slowWrite is how long a client has to keep us waiting to count as slow.
	slowWrite = time.Millisecond
)

// pass passes bytes in both directions until one side ends the connection.
func (c *conn) pass() {
	var other sync.WaitGroup
	other.Go(func() {
		defer c.app.Close()
		c.fromServer()
	})
	c.fromApp()
	c.server.Close()
	other.Wait()
	if c.session != nil {
		c.session.End(time.Now())
	}
}

// refused is an error that the app is told.
type refused struct{ code, message string }

func (r refused) Error() string { return r.message }

// fromApp passes on what the app sends.
func (c *conn) fromApp() {
	buffer := make([]byte, bufferSize)
	var in scanner
	to := &fromApp{conn: c}
	for {
		n, err := c.app.Read(buffer)
		to.now = time.Now()
		if n > 0 {
			if failed := c.read(&in, buffer[:n], to); failed != nil {
				c.giveUp("the app", failed)
				return
			}
			if _, err := c.server.Write(buffer[:n]); err != nil {
				c.serverEnded(to.now, err)
				return
			}
		}
		if err != nil {
			c.ended(to.now)
			return
		}
	}
}

// fromServer passes on what the server sends.
func (c *conn) fromServer() {
	buffer := make([]byte, bufferSize)
	var in scanner
	to := &fromServer{conn: c}
	for {
		n, err := c.server.Read(buffer)
		to.now = time.Now()
		b, failed := c.greeted(buffer[:n])
		if failed == nil {
			failed = c.read(&in, b, to)
		}
		if failed != nil {
			c.giveUp("the server", failed)
			return
		}
		if len(b) > 0 {
			if _, err := c.app.Write(b); err != nil {
				c.ended(time.Now())
				return
			}
			c.taken(time.Since(to.now))
		}
		if err != nil {
			c.serverEnded(to.now, err)
			return
		}
	}
}

// taken says how long the app took to take what the server sent.
func (c *conn) taken(took time.Duration) {
	if took >= slowWrite && c.session != nil {
		c.session.Slow(took)
	}
}

// read reads a piece of one direction.
func (c *conn) read(in *scanner, b []byte, to reader) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return in.feed(b, to)
}

// ended says that one side has ended the connection.
func (c *conn) ended(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		c.session.End(at)
	}
}

// serverEnded says that the server has ended the connection, or that the network to it is
// lost: then the app is told, which otherwise would wait for an answer as long as it cares
// to. To the app's own system all is well.
func (c *conn) serverEnded(at time.Time, err error) {
	c.ended(at)
	if gone(err) {
		return
	}
	why, told := lostServer(err)
	c.tap.lost(why)
	tell(c.app, told)
	c.app.Close()
}

// lostServer says that the network to the server is lost: for the log, and as a message for
// the app.
func lostServer(err error) (why string, told []byte) {
	why = "the connection to the server is lost: " + printable.Line(err.Error())
	return why, refusal("08006", "pghold watch: "+why)
}

// giveUp ends a connection that cannot go on.
func (c *conn) giveUp(who string, err error) {
	c.ended(time.Now())
	line, told := c.broken(who, err)
	if line != "" {
		c.tap.cfg.Log(line)
		tell(c.app, told)
	}
	c.server.Close() // the other direction then closes the app's, which is told before
	c.app.Close()
}

// broken says why a connection cannot go on: a line for the log, and what the app is
// told; "" where it has only ended.
func (c *conn) broken(who string, err error) (line string, told []byte) {
	var no refused
	switch {
	case errors.As(err, &no):
		return printable.Line(fmt.Sprintf("%s: %s", c.client.Address, no.message)), refusal(no.code, "pghold watch: "+no.message)
	case !gone(err):
		return printable.Line(fmt.Sprintf("%s of %s sent what is not Postgres' protocol, and the connection was closed: %v", who, c.client.Address, err)),
			refusal("08P01", fmt.Sprintf("pghold watch: what %s sent is not Postgres' protocol: %v", who, err))
	}
	return "", nil
}

// fromApp is told of the app's messages. Its methods have the connection's lock.
type fromApp struct {
	*conn
	now time.Time
}

func (c *fromApp) message(typ byte) (want int) {
	if c.session == nil {
		if typ == 'p' && c.appTLS && c.serverTLS {
			return 64 // a mechanism's name
		}
		return 0
	}
	switch typ {
	case 'd':
		if c.copying {
			if waited := c.now.Sub(c.quiet); waited >= slowWrite {
				c.session.Slow(waited)
			}
			c.quiet = c.now
		}
		return 0
	case 'c', 'f':
		if c.copying {
			c.copying = false
			if waited := c.now.Sub(c.quiet); waited >= slowWrite {
				c.session.Slow(waited)
			}
		}
		return 0
	case 'X':
		c.session.End(c.now)
		return 0
	case 'Q', 'F':
		c.asked = append(c.asked, typ)
	case 'S':
		if c.copying { // which the server overlooks
			return 0
		}
		c.asked = append(c.asked, 'S')
		c.unsynced = false
	case 'P', 'B', 'E', 'D', 'C', 'H':
		c.unsynced = true
	}
	c.session.Sent(c.now)
	switch typ {
	case 'Q', 'P':
		return watch.MaxText
	case 'B', 'C':
		return 256 // names: PostgreSQL has them of 63 bytes at most
	}
	return 0
}

func (c *fromApp) body(typ byte, b []byte) error {
	if c.session == nil {
		mechanism, _, _ := bytes.Cut(b, []byte{0})
		if typ == 'p' && string(mechanism) == "SCRAM-SHA-256-PLUS" {
			return refused{"28000", "an app's password cannot be bound to a channel with TLS on both sides of the tap: set channel_binding=disable in the app's connection string"}
		}
		return nil
	}
	switch typ {
	case 'Q':
		text, _, _ := bytes.Cut(b, []byte{0})
		c.session.Text(text)
	case 'P':
		name, rest, ok := bytes.Cut(b, []byte{0})
		if !ok {
			return nil
		}
		text, _, _ := bytes.Cut(rest, []byte{0})
		if len(name) == 0 {
			c.session.Text(text)
			return nil
		}
		c.session.Runs(c.prepare(string(name), text))
	case 'B':
		_, rest, ok := bytes.Cut(b, []byte{0})
		name, _, named := bytes.Cut(rest, []byte{0})
		switch {
		case !ok || !named:
		case len(name) == 0:
			c.session.Runs(nil)
		default:
			c.session.Runs(cmp.Or(c.prepared[string(name)].of, watch.UnknownStatement))
		}
	case 'C':
		if name, _, ok := bytes.Cut(b, []byte{0}); ok && len(name) > 1 && name[0] == 'S' {
			c.forget(string(name[1:]))
		}
	}
	return nil
}

// prepared is a statement that has a name.
type prepared struct {
	of   *watch.Statement
	size int // of its name and text
}

// prepare remembers a statement by its name. If there are too many, others are forgotten.
func (c *conn) prepare(name string, text []byte) *watch.Statement {
	c.forget(name)
	p := prepared{c.tap.cfg.Ledger.Prepare(text), len(name) + len(text)}
	for other := range c.prepared {
		if c.texts+p.size <= maxTexts && len(c.prepared) < maxPrepared {
			break
		}
		c.forget(other)
	}
	c.prepared[name] = p
	c.texts += p.size
	return p.of
}

func (c *conn) forget(name string) {
	c.texts -= c.prepared[name].size
	delete(c.prepared, name)
}

// fromServer is told of the server's messages. Its methods have the connection's lock.
type fromServer struct {
	*conn
	now time.Time
}

func (c *fromServer) message(typ byte) (want int) {
	switch typ {
	case 'Z':
		return 1
	case 'K':
		return 4
	case 'S':
		return 256
	case 'G':
		c.begun()
	case 'E':
		c.copying = false
	}
	return 0
}

func (c *fromServer) body(typ byte, b []byte) error {
	switch typ {
	case 'Z':
		if len(b) == 1 {
			c.ready(b[0])
		}
	case 'K':
		if len(b) == 4 {
			c.client.PID = binary.BigEndian.Uint32(b)
		}
	case 'S':
		name, rest, _ := bytes.Cut(b, []byte{0})
		if string(name) == "application_name" {
			value, _, _ := bytes.Cut(rest, []byte{0})
			c.client.Application = string(value)
			if c.session != nil {
				c.session.Known(func(k *watch.Client) { k.Application = c.client.Application })
			}
		}
	}
	return nil
}

// ready is called at ReadyForQuery.
func (c *fromServer) ready(status byte) {
	if c.session == nil {
		if !c.uncounted {
			c.session = c.tap.cfg.Ledger.Open(c.client)
		}
		return
	}
	if len(c.asked) > 0 {
		c.asked = append(c.asked[:0], c.asked[1:]...) // in place: it has one most of the time
	}
	c.copying = false
	c.session.Ready(c.now, status, len(c.asked) > 0 || c.unsynced)
}

// begun is called when the server asks for data. It overlooks a Sync that comes before
// the end of the data.
func (c *fromServer) begun() {
	for len(c.asked) > 0 && c.asked[0] == 'S' {
		c.asked = c.asked[1:]
	}
	c.copying, c.quiet = true, c.now
}
