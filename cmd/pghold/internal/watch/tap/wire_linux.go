package tap

import (
	"crypto/tls"
	"net"
)

// wire is a socket with TLS over it, as crypto/tls sees it: a connection like others for
// the handshake, and then the loop's. There, reading says EAGAIN where nothing has come,
// which crypto/tls takes for an error that passes (net.Error's Temporary) and keeps what it
// has of a record. What it writes is collected for the loop to send.
type wire struct {
	net.Conn
	leg *leg // nil before the connection is in the loop
}

// wired is a connection over which TLS will be spoken.
func wired(c net.Conn) net.Conn { return &wire{Conn: c} }

func (w *wire) Read(b []byte) (int, error) {
	if w.leg == nil {
		return w.Conn.Read(b)
	}
	return w.leg.receive(b)
}

func (w *wire) Write(b []byte) (int, error) {
	if w.leg == nil {
		return w.Conn.Write(b)
	}
	l := &w.leg.conn.tap.loop
	l.sealed = append(l.sealed, b...)
	return len(b), nil
}

// secure gives a leg the TLS of its connection, if it has that. What was read with the
// handshake is looked for in the next turn: epoll does not tell of it.
func (g *leg) secure(c net.Conn) {
	var ok bool
	if g.tls, ok = c.(*tls.Conn); !ok {
		return
	}
	g.tls.NetConn().(*wire).leg = g
	g.readable, g.queued = true, true
	l := &g.conn.tap.loop
	l.again = append(l.again, g)
}

// socketOf is the connection without what is over it.
func socketOf(c net.Conn) net.Conn {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if w, ok := c.(*wire); ok {
		c = w.Conn
	}
	if u, ok := c.(*unread); ok {
		c = u.Conn
	}
	return c
}
