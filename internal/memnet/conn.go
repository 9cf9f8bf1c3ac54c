package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// conn is one end of a connection.
type conn struct {
	in, out     *stream
	local, peer net.Addr
}

func pipe(a, b net.Addr) (net.Conn, net.Conn) {
	ab, ba := newStream(), newStream()
	return &conn{in: ba, out: ab, local: a, peer: b}, &conn{in: ab, out: ba, local: b, peer: a}
}

func (c *conn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *conn) Write(b []byte) (int, error) { return c.out.write(b) }

func (c *conn) Close() error {
	c.in.end(func(s *stream) { s.readerGone = true })
	c.out.end(func(s *stream) { s.writerGone = true })
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.peer }

func (c *conn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.writeDeadline = t
	return nil
}

// stream is one direction.
type stream struct {
	mu                          sync.Mutex // guards what follows
	changed                     *sync.Cond // of what a reader waits for
	buffer                      []byte
	readerGone, writerGone      bool
	refused                     bool // something was written after the reader had gone
	readDeadline, writeDeadline time.Time
	timer                       *time.Timer // wakes the reader at its deadline
}

func newStream() *stream {
	s := &stream{}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func past(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }

func (s *stream) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readerGone:
			return 0, net.ErrClosed
		case past(s.readDeadline):
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case len(s.buffer) > 0:
			n := copy(b, s.buffer)
			s.buffer = s.buffer[n:]
			return n, nil
		case s.writerGone:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.writerGone:
		return 0, net.ErrClosed
	case past(s.writeDeadline):
		return 0, os.ErrDeadlineExceeded
	case s.refused:
		return 0, syscall.EPIPE
	case s.readerGone: // which the writer learns from the answer to this write
		s.refused = true
		return len(b), nil
	}
	s.buffer = append(s.buffer, b...)
	s.changed.Broadcast()
	return len(b), nil
}

func (s *stream) setReadDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readDeadline = t
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if !t.IsZero() && !past(t) && !s.readerGone {
		s.timer = time.AfterFunc(time.Until(t), s.changed.Broadcast)
	}
	s.changed.Broadcast()
}

// end says that one of the ends is gone.
func (s *stream) end(who func(*stream)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who(s)
	if s.readerGone && s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	s.changed.Broadcast()
}
