// Package memnet is a network in memory, for tests in virtual time: inside of a
// testing/synctest bubble a real socket stops the clock, and these connections do
// not. They keep deadlines, and an end that was closed is noticed at the other as it
// is with TCP.
//
// It neither loses nor delays anything, and its buffers have no limit: a writer never
// waits for its reader.
package memnet

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
)

// Network is a loopback of its own. The zero value is ready.
type Network struct {
	mu        sync.Mutex
	lastPort  int
	listeners map[string]*listener // by address
}

// Listen returns a listener at 127.0.0.1, with a port that nothing else of the network
// has.
func (n *Network) Listen() (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &listener{network: n, addr: n.newAddr(), incoming: make(chan net.Conn), closed: make(chan struct{})}
	if n.listeners == nil {
		n.listeners = map[string]*listener{}
	}
	n.listeners[l.addr.String()] = l
	return l, nil
}

// newAddr returns an address that nothing has. n.mu is held.
func (n *Network) newAddr() net.Addr {
	n.lastPort++
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n.lastPort}
}

// Dial connects to a listener, once that accepts. The name of a network is ignored:
// the signature is what http.Transport and pgconn want.
func (n *Network) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	l, own := n.listeners[address], n.newAddr()
	n.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: own, Err: syscall.ECONNREFUSED}
	if l == nil {
		return nil, refused
	}
	near, far := pipe(own, l.addr)
	select {
	case l.incoming <- far:
		return near, nil
	case <-l.closed:
		return nil, refused
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: l.addr, Err: ctx.Err()}
	}
}

type listener struct {
	network  *Network
	addr     net.Addr
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept, and Dial for all who wait. Connections that were made stay.
func (l *listener) Close() error {
	err := errors.New("memnet: the listener was closed before")
	l.once.Do(func() {
		err = nil
		close(l.closed)
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		delete(l.network.listeners, l.addr.String())
	})
	return err
}

func (l *listener) Addr() net.Addr { return l.addr }
