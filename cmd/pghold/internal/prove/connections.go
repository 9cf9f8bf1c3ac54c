package prove

import (
	"context"
	"net"
	"sync"
)

// connections are those to the service. They are closed when nobody waits for an answer
// any more.
type connections struct {
	dial Dial

	mu     sync.Mutex // guards what follows
	open   map[net.Conn]bool
	closed bool
}

// Dial connects.
func (c *connections) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	dial := c.dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		conn.Close()
		return nil, net.ErrClosed
	}
	if c.open == nil {
		c.open = map[net.Conn]bool{}
	}
	tracked := &connection{conn, c}
	c.open[tracked] = true
	return tracked, nil
}

func (c *connections) close() {
	c.mu.Lock()
	c.closed = true
	open := c.open
	c.open = nil
	c.mu.Unlock()
	for conn := range open {
		conn.Close()
	}
}

type connection struct {
	net.Conn
	of *connections
}

// Close closes the connection.
func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
