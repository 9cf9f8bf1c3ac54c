package tap_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
)

// noticed is how long TCP takes to notice that a network is lost, here.
const noticed = 150 * time.Second

// losing is a connection over a network that can be lost without a word: what is written
// then is gone, nothing comes, and after a while the system says so.
type losing struct {
	net.Conn
	lost   <-chan struct{}
	once   sync.Once
	closed chan struct{}
}

func (c *losing) isLost() bool {
	select {
	case <-c.lost:
		return true
	default:
		return false
	}
}

func (c *losing) Read(b []byte) (int, error) {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-c.lost:
			c.Conn.SetReadDeadline(time.Unix(1, 0))
		case <-stop:
		}
	}()
	n, err := c.Conn.Read(b)
	if !c.isLost() || errors.Is(err, net.ErrClosed) {
		return n, err
	}
	select {
	case <-time.After(noticed):
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *losing) Write(b []byte) (int, error) {
	if c.isLost() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *losing) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// Where the network to the server is lost without a word, apps are told when the system
// notices, those that wait for an answer and those that do not, and one that comes then;
// the log is told once. Who leaves before leaves nothing behind.
func TestTap_NetworkLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &memnet.Network{}
		server := pgmem.Start(pgmem.Config{Network: network, RoundTrip: 300 * time.Microsecond})
		defer server.Close()
		l, err := network.Listen()
		if err != nil {
			t.Fatal(err)
		}
		to, err := pgconn.ParseConfig(server.DSN())
		if err != nil {
			t.Fatal(err)
		}
		var back atomic.Bool
		lost := make(chan struct{})
		to.DialFunc = func(ctx context.Context, name, address string) (net.Conn, error) {
			c, err := network.Dial(ctx, name, address)
			if err != nil || back.Load() {
				return c, err
			}
			return &losing{Conn: c, lost: lost, closed: make(chan struct{})}, nil
		}
		tt := serve(t, to, l)
		connect := func(name string) (*pgx.Conn, error) {
			cc, err := pgx.ParseConfig("postgres://lab@" + l.Addr().String() + "/lab?sslmode=disable&application_name=" + name)
			if err != nil {
				t.Fatal(err)
			}
			cc.DialFunc = network.Dial
			return pgx.ConnectConfig(t.Context(), cc)
		}
		conns, since := map[string]*pgx.Conn{}, map[string]time.Time{}
		for _, name := range []string{"silent", "asks", "leaves"} {
			c, err := connect(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Exec(t.Context(), "begin"); err != nil {
				t.Fatal(err)
			}
			conns[name], since[name] = c, time.Now()
		}
		close(lost)
		began := time.Now()
		told := make(chan error, 2)
		go func() {
			_, err := conns["asks"].Exec(t.Context(), "commit")
			told <- err
		}()
		go func() {
			_, err := connect("comes")
			told <- err
		}()
		time.Sleep(time.Second)
		leaving, cancel := context.WithTimeout(t.Context(), time.Second)
		conns["leaves"].Close(leaving)
		cancel()
		synctest.Wait()
		if r := tt.ledger.Report(time.Now()); r.Sessions != 2 {
			t.Errorf("%d sessions when one has left, want 2", r.Sessions)
		}
		for range 2 {
			var is *pgconn.PgError
			if err := <-told; !errors.As(err, &is) || is.Code != "08006" || !strings.Contains(is.Message, "the connection to the server is lost: ") {
				t.Errorf("the app is told %v", err)
			}
			if took := time.Since(began); took != noticed {
				t.Errorf("it is told after %v, want %v", took, noticed)
			}
		}
		if _, err := conns["silent"].Exec(t.Context(), "commit"); err == nil {
			t.Error("the one that was silent has its session still")
		}
		synctest.Wait()
		r := tt.ledger.Report(time.Now())
		if r.Sessions != 0 || len(r.Listed) != 3 {
			t.Errorf("%d sessions, %+v", r.Sessions, r.Listed)
		}
		for _, tx := range r.Listed {
			if !tx.Lost || tx.Application == "silent" && tx.Silent != watch.Seconds(noticed+began.Sub(since["silent"])) {
				t.Errorf("got %+v", tx)
			}
		}
		back.Store(true)
		c, err := connect("again")
		if err != nil {
			t.Fatal(err)
		}
		c.Close(t.Context())
		want := []string{"the connection to the server is lost: read tcp: read: connection timed out", "the server is reached again"}
		if got := tt.lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("the log has %q, want %q", got, want)
		}
		time.Sleep(time.Minute) // pgx's timers
	})
}
