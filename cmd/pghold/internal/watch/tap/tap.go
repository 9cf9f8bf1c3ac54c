package tap

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// Config says where the server is, and who is told.
type Config struct {
	// Server is where connections are passed on to: hosts, ports and TLS of it are used,
	// user, password and database are the app's.
	Server *pgconn.Config
	Ledger *watch.Ledger
	// TLS is for apps that ask for it. By default they are told that there is none.
	TLS *tls.Config
	// Log is told what went wrong, a line each. By default nothing is.
	Log func(line string)
}

// Tap passes connections on.
type Tap struct {
	cfg     Config
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	serving sync.WaitGroup
	loop    loop

	mu          sync.Mutex // guards what follows
	conns       map[net.Conn]bool
	dialled     dialled
	looped      bool   // one of these came back
	unreachable bool   // the last connection to the server failed, or was lost
	refused     int    // connections that were not passed on
	why         string // of the last of these
}

// New makes a Tap. Close ends it.
func New(cfg Config) *Tap {
	if cfg.Log == nil {
		cfg.Log = func(string) {}
	}
	t := &Tap{cfg: cfg, conns: map[net.Conn]bool{}}
	t.loop.tap = t
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// Serve takes connections from a listener until Close, or until that fails.
func (t *Tap) Serve(l net.Listener) error {
	stop := context.AfterFunc(t.ctx, func() { l.Close() })
	defer stop()
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			if !t.track(c) {
				return nil
			}
			t.serving.Go(func() {
				defer t.untrack(c)
				t.serve(c)
			})
		case t.ctx.Err() != nil:
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ECONNABORTED):
			if pause == 0 {
				t.cfg.Log(fmt.Sprintf("a connection could not be taken: %v (each needs two open files: see \"ulimit -n\")", err))
			}
			pause = min(max(2*pause, 10*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-t.ctx.Done():
			}
		default:
			return err
		}
	}
}

// Try reaches the server once, as for an app, and tells the log where it cannot be reached.
// It does not wait for the answer. Connections are taken all the same: the server may be
// there when they come.
func (t *Tap) Try() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil { // Close may wait already
		return
	}
	t.serving.Go(func() {
		c, _, done, err := t.dial()
		switch {
		case err == nil:
			defer done()
			if c, ok := c.(*tls.Conn); ok { // else the server logs that it was reset, with what TLS has sent yet
				c.SetDeadline(time.Now().Add(dialTimeout))
				c.CloseWrite()
				io.Copy(io.Discard, c)
			}
		case t.ctx.Err() == nil:
			t.lost("cannot reach the server: " + printable.Line(err.Error()))
		}
	})
}

// Close ends all connections and returns when they are gone.
func (t *Tap) Close() {
	t.cancel()
	t.mu.Lock()
	for c := range t.conns {
		c.Close()
	}
	t.mu.Unlock()
	t.loop.close()
	t.serving.Wait()
}

// Trouble says how many connections could not be passed on, and why; "" where all could.
func (t *Tap) Trouble() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.looped:
		return errCameBack.Error()
	case t.refused == 0:
		return ""
	case t.refused == 1:
		return "1 connection could not be passed on, the last because: " + t.why
	}
	return fmt.Sprintf("%d connections could not be passed on, the last because: %s", t.refused, t.why)
}

// reached counts an attempt to reach the server, and tells the log where that is news.
func (t *Tap) reached(failure string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.unreachable
	t.unreachable = failure != ""
	if failure != "" {
		t.refused++
		t.why = failure
	}
	switch {
	case t.unreachable && !was:
		t.cfg.Log(failure)
	case was && !t.unreachable:
		t.cfg.Log("the server is reached again")
	}
}

// lost tells the log that the network to the server is: once, however many connections it
// takes, until the server is reached again.
func (t *Tap) lost(failure string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.unreachable {
		t.cfg.Log(failure)
	}
	t.unreachable = true
}

// track remembers a connection for Close, and closes it where that has been called.
func (t *Tap) track(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		c.Close()
		return false
	}
	t.conns[c] = true
	return true
}

// untrack closes a connection.
func (t *Tap) untrack(c net.Conn) {
	c.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
}

// dialTimeout is how long a server may take to be reached where its connection string
// does not say.
const dialTimeout = 15 * time.Second

// dial reaches the server: its hosts, with TLS and without, in the order in which its
// connection string asks for them. The caller closes the connection by calling done.
func (t *Tap) dial() (c net.Conn, encrypted bool, done func(), err error) {
	cc := t.cfg.Server
	ctx, cancel := context.WithTimeout(t.ctx, cmp.Or(cc.ConnectTimeout, dialTimeout))
	defer cancel()
	var failures []error
	for _, at := range append([]*pgconn.FallbackConfig{{Host: cc.Host, Port: cc.Port, TLSConfig: cc.TLSConfig}}, cc.Fallbacks...) {
		raw, err := t.reach(ctx, at.Host, at.Port)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		t.dials(raw)
		done := func() { t.untrack(raw) }
		if at.TLSConfig == nil {
			return raw, false, done, nil
		}
		encrypted, err := encrypt(ctx, raw, at.TLSConfig, cc.SSLNegotiation == "direct")
		if err == nil {
			return encrypted, true, done, nil
		}
		if t.cameBack(raw) {
			err = errCameBack
		}
		done()
		failures = append(failures, err)
	}
	return nil, false, nil, distinct(failures)
}

// distinct is errors as one, without those that say the same.
func distinct(all []error) error {
	var texts []string
	for _, err := range all {
		if !slices.Contains(texts, err.Error()) {
			texts = append(texts, err.Error())
		}
	}
	return errors.New(strings.Join(texts, "; "))
}

// reach connects to one of the host's addresses.
func (t *Tap) reach(ctx context.Context, host string, port uint16) (net.Conn, error) {
	network, address := pgconn.NetworkAddress(host, port)
	addresses := []string{address}
	if network != "unix" && t.cfg.Server.LookupFunc != nil {
		found, err := t.cfg.Server.LookupFunc(ctx, host)
		if err != nil {
			return nil, err
		}
		addresses = addresses[:0]
		for _, ip := range found {
			_, address := pgconn.NetworkAddress(ip, port)
			addresses = append(addresses, address)
		}
	}
	var last error = fmt.Errorf("%s has no address", host)
	for _, address := range addresses {
		c, err := t.cfg.Server.DialFunc(ctx, network, address)
		if err != nil {
			last = err
			continue
		}
		if !t.track(c) {
			return nil, net.ErrClosed
		}
		return c, nil
	}
	return nil, last
}

// encrypt asks the server for TLS.
func encrypt(ctx context.Context, c net.Conn, cfg *tls.Config, direct bool) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if direct {
		cfg = cfg.Clone()
		cfg.NextProtos = []string{"postgresql"}
	} else {
		if _, err := c.Write(sslRequest); err != nil {
			return nil, err
		}
		var answer [1]byte
		if _, err := io.ReadFull(c, answer[:]); err != nil {
			return nil, fmt.Errorf("the server closes the connection where it is asked for TLS: %w", err)
		}
		if answer[0] != 'S' {
			return nil, errors.New("the server has no TLS: sslmode=disable does without")
		}
	}
	client := tls.Client(wired(c), cfg)
	if err := client.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("the server's TLS: %w", err)
	}
	return client, nil
}

// address is who a client is: its host, without the port.
func address(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return "local"
}

// gone reports whether an error is no more than the end of a connection.
func gone(err error) bool {
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF)
}
