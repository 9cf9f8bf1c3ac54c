package tap

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
)

// What a first message may ask for, in place of the protocol's version.
const (
	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSSENC = 80877104
)

var sslRequest = []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}

const (
	// maxStartup is how long a first message may be, as in PostgreSQL.
	maxStartup = 10000
	// startupLimit is how long a client may take to send it: as long as PostgreSQL gives it
	// to log in.
	startupLimit = time.Minute
)

// first is the first message of a connection.
type first struct {
	raw  []byte // as it came
	code uint32
}

// readFirst reads the first message, with a header that has been read already or none.
func readFirst(r io.Reader, header []byte) (first, error) {
	raw := make([]byte, 4)
	if _, err := io.ReadFull(r, raw[copy(raw, header):]); err != nil {
		return first{}, err
	}
	if string(raw) == "X\x00\x00\x00" { // Terminate, as of a client of node-postgres that is ended before it is connected
		return first{}, io.EOF
	}
	length := binary.BigEndian.Uint32(raw)
	if length < 8 || length > maxStartup {
		return first{}, malformed("its first message says that it is %d bytes long", length)
	}
	raw = append(raw, make([]byte, length-4)...)
	if _, err := io.ReadFull(r, raw[4:]); err != nil {
		return first{}, err
	}
	return first{raw, binary.BigEndian.Uint32(raw[4:])}, nil
}

// malformedError is what no client of Postgres sends.
type malformedError struct{ error }

func malformed(format string, args ...any) error { return malformedError{fmt.Errorf(format, args...)} }

// serve serves an app's connection until it ends.
func (t *Tap) serve(raw net.Conn) {
	raw.SetDeadline(time.Now().Add(startupLimit))
	app, encrypted, hello, err := t.greet(raw)
	var bad malformedError
	switch {
	case errors.As(err, &bad):
		t.cfg.Log(fmt.Sprintf("%s: this is no client of Postgres: %s", address(raw.RemoteAddr()), printable.Line(err.Error())))
		refuse(raw, "08P01", "pghold watch: "+err.Error())
		return
	case err != nil:
		return
	}

	server, serverEncrypted, done, err := t.dial()
	if err != nil {
		why := "cannot reach the server: " + printable.Line(err.Error())
		if t.ctx.Err() == nil {
			t.reached(why)
		}
		refuse(app, "08001", "pghold watch: "+why)
		return
	}
	defer done()
	t.reached("")
	if _, err := server.Write(hello.raw); err != nil {
		return
	}
	raw.SetDeadline(time.Time{})
	if hello.code == codeCancel {
		server.SetReadDeadline(time.Now().Add(dialTimeout))
		io.Copy(io.Discard, server) // it closes when it has done so
		return
	}
	c := &conn{
		tap: t, app: app, server: server,
		appTLS: encrypted, serverTLS: serverEncrypted,
		prepared: map[string]prepared{},
	}
	if err := c.introduce(hello, address(raw.RemoteAddr())); err != nil {
		t.cfg.Log(fmt.Sprintf("%s: this is no client of Postgres: %s", address(raw.RemoteAddr()), printable.Line(err.Error())))
		refuse(app, "08P01", "pghold watch: "+err.Error())
		return
	}
	if c.serverTLS && !c.appTLS {
		c.greeting = &greeting{}
	}
	if !t.loop.take(c) {
		c.pass()
	}
}

// greet answers requests for encryption and reads the first message after those.
func (t *Tap) greet(raw net.Conn) (app net.Conn, encrypted bool, hello first, err error) {
	app = raw
	var header [1]byte
	if _, err := io.ReadFull(app, header[:]); err != nil {
		return nil, false, first{}, err
	}
	if t.itself(raw) {
		refuse(raw, "08001", "pghold watch: "+errCameBack.Error())
		return nil, false, first{}, errCameBack
	}
	if header[0] == 0x16 { // TLS from the first byte on, as sslnegotiation=direct has it
		if t.cfg.TLS == nil {
			return nil, false, first{}, malformed("it speaks TLS: there is none here without --tls-cert and --tls-key")
		}
		app, err = t.secure(&unread{Conn: raw, first: header[:]})
		if err != nil {
			return nil, false, first{}, err
		}
		hello, err = readFirst(app, nil)
		return app, true, hello, err
	}
	rest := header[:]
	for range 4 { // a client asks for GSS, and then for TLS
		hello, err = readFirst(app, rest)
		if err != nil {
			return nil, false, first{}, err
		}
		rest = nil
		switch {
		case hello.code == codeSSL && t.cfg.TLS != nil && !encrypted:
			if _, err := app.Write([]byte{'S'}); err != nil {
				return nil, false, first{}, err
			}
			app, err = t.secure(raw)
			if err != nil {
				return nil, false, first{}, err
			}
			encrypted = true
		case hello.code == codeSSL || hello.code == codeGSSENC:
			if _, err := app.Write([]byte{'N'}); err != nil {
				return nil, false, first{}, err
			}
		case hello.code == codeCancel, hello.code>>16 == 3:
			return app, encrypted, hello, nil
		default:
			return nil, false, first{}, malformed("it asks for version %d.%d of the protocol, which is not known here", hello.code>>16, hello.code&0xffff)
		}
	}
	return nil, false, first{}, malformed("it asks for encryption again and again")
}

func (t *Tap) secure(raw net.Conn) (net.Conn, error) {
	app := tls.Server(wired(raw), t.cfg.TLS)
	if err := app.HandshakeContext(t.ctx); err != nil {
		t.cfg.Log(fmt.Sprintf("%s: TLS with the app: %s", address(raw.RemoteAddr()), printable.Line(err.Error())))
		return nil, err
	}
	return app, nil
}

// unread is a connection of which bytes have been read already.
type unread struct {
	net.Conn
	first []byte
}

func (u *unread) Read(b []byte) (int, error) {
	if len(u.first) > 0 {
		n := copy(b, u.first)
		u.first = u.first[n:]
		return n, nil
	}
	return u.Conn.Read(b)
}

// refuse tells an app in Postgres' own way that it does not get a connection.
func refuse(app net.Conn, code, message string) {
	tell(app, refusal(code, message))
}

// refusal is that as a message.
func refusal(code, message string) []byte {
	e := pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message}
	b, _ := e.Encode(nil)
	return b
}

// tell sends a message to an app whose connection is closed then.
func tell(app net.Conn, message []byte) {
	app.SetWriteDeadline(time.Now().Add(time.Second))
	app.Write(message)
}

// introduce reads who the client is.
func (c *conn) introduce(hello first, address string) error {
	c.client.Address = address
	fields := bytes.Split(hello.raw[8:], []byte{0})
	if len(fields) < 2 || len(fields[len(fields)-1]) != 0 || len(fields[len(fields)-2]) != 0 {
		return malformed("its first message has no end")
	}
	fields = fields[:len(fields)-2]
	if len(fields)%2 != 0 {
		return malformed("its first message has a name without a value")
	}
	for i := 0; i < len(fields); i += 2 {
		value := string(fields[i+1])
		switch string(fields[i]) {
		case "user":
			c.client.User = value
		case "database":
			c.client.Database = value
		case "application_name":
			c.client.Application = value
		case "replication":
			c.uncounted = value != "" && value != "false" && value != "off" && value != "no" && value != "0"
		}
	}
	if c.client.Database == "" {
		c.client.Database = c.client.User
	}
	return nil
}
