package queuepool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/queuepool"
)

// network leads to a server that takes 100 ms for a ping. While it is down nothing
// passes. What was lost is sent again as Linux does it for TCP, or never: a firewall
// or a balancer may have forgotten the connection, or the machine may be gone.
// It is for virtual time.
type network struct {
	memnet.Network
	listener net.Listener
	forgets  bool
	down     atomic.Bool
}

func newNetwork(t *testing.T, forgets bool) *network {
	n := &network{forgets: forgets}
	var err error
	if n.listener, err = n.Listen(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := n.listener.Accept()
			if err != nil {
				return
			}
			go n.serve(c)
		}
	}()
	return n
}

func (n *network) dial(ctx context.Context, name, addr string) (net.Conn, error) {
	// The first packet of a connection: after 1, 3, 7, 15 s and so on (tcp_syn_retries
	// in https://docs.kernel.org/networking/ip-sysctl.html).
	if !n.passes(ctx, time.Second) {
		return nil, ctx.Err()
	}
	return n.Dial(ctx, name, addr)
}

// passes waits until a packet that is sent now arrives, and reports whether it does.
// Each time that it is lost it is sent again after twice as long.
func (n *network) passes(ctx context.Context, again time.Duration) bool {
	if n.down.Load() && n.forgets {
		<-ctx.Done()
		return false
	}
	for n.down.Load() {
		select {
		case <-time.After(again):
			again *= 2
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (n *network) serve(c net.Conn) {
	defer c.Close()
	b := pgproto3.NewBackend(c, c)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for b.Flush() == nil {
		m, err := b.Receive()
		if err != nil {
			return
		}
		if n.down.Load() && n.forgets {
			io.Copy(io.Discard, c)
			return
		}
		// Within a connection: after 0.2, 0.6, 1.4 s and so on (TCP_RTO_MIN).
		n.passes(context.Background(), 200*time.Millisecond)
		q, ok := m.(*pgproto3.Query)
		if !ok || q.String == "leave" { // without a word
			return
		}
		time.Sleep(100 * time.Millisecond)
		if code, fails := strings.CutPrefix(q.String, "fail "); fails {
			b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: code})
		} else {
			b.Send(&pgproto3.EmptyQueryResponse{})
		}
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
}

// dsn leads to the server, by way of the network.
func (n *network) dsn() string {
	return "postgres://u@" + n.listener.Addr().String() + "/db?sslmode=disable"
}

// pool makes a pool on the network. It is closed at the end of the bubble, which also
// waits until pgx has given up its own closing in the background, for which it takes
// up to 15 s.
func (n *network) pool(t *testing.T, change func(*queuepool.Config)) *queuepool.Pool {
	t.Helper()
	cc, err := pgx.ParseConfig(n.dsn())
	if err != nil {
		t.Fatal(err)
	}
	cfg := queuepool.NewConfig(cc)
	cfg.ConnConfig.DialFunc = n.dial
	cfg.Size, cfg.MaxOverflow = 1, 0
	if change != nil {
		change(cfg)
	}
	p, err := queuepool.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		n.listener.Close()
		time.Sleep(time.Minute)
	})
	return p
}

func TestPool_AcquireKeepsItsDeadlineOnADeadNetwork(t *testing.T) {
	for name, change := range map[string]func(*queuepool.Config){
		"a connection that is too old":  func(c *queuepool.Config) { c.Recycle = time.Nanosecond },
		"a connection that is asked":    func(c *queuepool.Config) { c.PrePing = true },
		"one that is asked and too old": func(c *queuepool.Config) { c.PrePing, c.Recycle = true, time.Nanosecond },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t, true)
				p := n.pool(t, change)
				acquire(t, p).Release()
				time.Sleep(time.Second)
				n.down.Store(true)
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				start := time.Now()
				_, err := p.Acquire(ctx)
				if d := time.Since(start); d != 100*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("with a deadline of 100 ms it returned after %v: %v", d, err)
				}
				n.down.Store(false)
				acquire(t, p).Release() // the place comes back
			})
		})
	}
}

func TestPool_WhatAcquireDoesOnItsOwnIsLimited(t *testing.T) {
	for name, c := range map[string]struct {
		idle   bool
		change func(*queuepool.Config)
		want   time.Duration
	}{
		"an attempt":                    {false, nil, 10 * time.Second},
		"an attempt, connect_timeout=2": {false, func(c *queuepool.Config) { c.ConnConfig.ConnectTimeout = 2 * time.Second }, 2 * time.Second},
		"a host that is dead, and another": {false, func(c *queuepool.Config) {
			c.ConnConfig.Fallbacks = append(c.ConnConfig.Fallbacks, &pgconn.FallbackConfig{Host: "127.0.0.2", Port: 1})
		}, 20 * time.Second},
		"a ping of 2 s, a hang-up of 1 s, an attempt": {true, func(c *queuepool.Config) { c.PrePing = true }, 13 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t, true)
				p := n.pool(t, c.change)
				if c.idle {
					acquire(t, p).Release()
				}
				n.down.Store(true)
				start := time.Now()
				_, err := p.Acquire(t.Context())
				if d := time.Since(start); d != c.want || err == nil {
					t.Errorf("it returned after %v (%v), want an error after %v", d, err, c.want)
				}
				n.down.Store(false)
				acquire(t, p).Release() // the place comes back
			})
		})
	}
}

func TestPool_APingInVainReplacesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, true)
		p := n.pool(t, func(c *queuepool.Config) { c.Size, c.PrePing = 2, true })
		a, b := acquire(t, p), acquire(t, p)
		a.Release()
		b.Release()
		n.down.Store(true)
		if _, err := p.Acquire(t.Context()); err == nil {
			t.Error("a dead network gave a connection")
		}
		n.down.Store(false)
		acquire(t, p).Release()
		if got := p.Stat().Connects; got != 3 {
			t.Errorf("%d connections were opened, want 3: one that is as old as one that was lost is not asked, but replaced", got)
		}
	})
}

func TestPool_CloseDoesNotWaitForADeadNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, true)
		p := n.pool(t, func(c *queuepool.Config) { c.Size = 6 })
		var idle []*queuepool.Conn
		for range 5 {
			idle = append(idle, acquire(t, p))
		}
		n.down.Store(true)
		failed := make(chan error, 1)
		go func() {
			_, err := p.Acquire(t.Context())
			failed <- err
		}()
		synctest.Wait()
		for _, c := range idle {
			c.Release()
		}
		start := time.Now()
		p.Close()
		if d := time.Since(start); d != time.Second {
			t.Errorf("it took %v, want the second that the server has to let go of five connections", d)
		}
		if err := <-failed; !errors.Is(err, queuepool.ErrClosed) {
			t.Errorf("who was connecting got %v, want ErrClosed", err)
		}
	})
}

func TestPool_AnEndedContextOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newNetwork(t, true).pool(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.Acquire(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		synctest.Wait()
		if got := p.Stat(); got.Connects != 0 || got.CheckedIn != 0 {
			t.Errorf("got %+v, want no connection", got)
		}
	})
}

// deaf is a connection on which nothing can be sent once it is off, and nothing comes.
type deaf struct {
	net.Conn
	off *atomic.Bool
}

var errDeaf = errors.New("nothing can be sent")

func (d deaf) Write(b []byte) (int, error) {
	if d.off.Load() {
		return 0, errDeaf
	}
	return d.Conn.Write(b)
}

func TestPool_WhatCannotBeSentIsAnErrorAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var off atomic.Bool
		n := newNetwork(t, true)
		p := n.pool(t, func(c *queuepool.Config) {
			c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := n.dial(ctx, network, addr)
				return deaf{c, &off}, err
			}
		})
		conn, err := p.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		off.Store(true)
		if _, err := conn.Conn().Exec(t.Context(), "x", pgx.QueryExecModeSimpleProtocol); !errors.Is(err, errDeaf) {
			t.Errorf("got %v, want %v", err, errDeaf)
		}
		conn.Release()
	})
}

// What pgx is told to do with the server's errors, it does.
func TestPool_KeepsTheConfigurationsOnPgError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		n := newNetwork(t, true)
		p := n.pool(t, func(c *queuepool.Config) {
			c.ConnConfig.OnPgError = func(_ *pgconn.PgConn, e *pgconn.PgError) bool {
				told = append(told, e.Code)
				return e.Code != "22012" // this one ends the connection
			}
		})
		for _, c := range []struct {
			code  string
			opens uint64
		}{{"23505", 1}, {"22012", 1}, {"23505", 2}} {
			conn, err := p.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Conn().Exec(t.Context(), "fail "+c.code, pgx.QueryExecModeSimpleProtocol); err == nil {
				t.Errorf("%s: no error", c.code)
			}
			conn.Release()
			if got := p.Stat().Connects; uint64(got) != c.opens {
				t.Errorf("%s: %d connections opened, want %d", c.code, got, c.opens)
			}
		}
		if want := []string{"23505", "22012", "23505"}; !slices.Equal(told, want) {
			t.Errorf("it was told %q, want %q", told, want)
		}
	})
}

func TestPool_CloseOfAnEmptyPoolReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newNetwork(t, true).pool(t, nil)
		p.Close()
		p.Close() // again is harmless
	})
}

// A server that leaves without a word ends a connection as one that says so, and the
// pool's own hanging up does not.
func TestPool_WhatEndsAConnectionTellsOfTheOthersOrNot(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(*testing.T, *queuepool.Conn)
		opens int64
	}{
		"the server leaves": {func(t *testing.T, c *queuepool.Conn) {
			if _, err := c.Conn().PgConn().Exec(t.Context(), "leave").ReadAll(); err == nil {
				t.Error("the server answered")
			}
		}, 3},
		"one too many is closed": {func(*testing.T, *queuepool.Conn) {}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newNetwork(t, true).pool(t, func(c *queuepool.Config) { c.MaxOverflow = 1 })
				kept, other := acquire(t, p), acquire(t, p)
				kept.Release()
				c.end(t, other)
				other.Release()
				synctest.Wait()
				acquire(t, p).Release()
				if got := p.Stat().Connects; got != c.opens {
					t.Errorf("%d connections were opened, want %d", got, c.opens)
				}
			})
		})
	}
}

// outage is what users see of a network that was down for 4 s: 20 requests/s, each of
// which pings with a deadline of 1 s.
type outage struct {
	after    time.Duration // from when the network was up again until the last request failed
	failures int
}

func (o outage) String() string { return fmt.Sprintf("%v with %d failures", o.after, o.failures) }

func (n *network) outage(t *testing.T, ping func(context.Context) error) outage {
	t.Helper()
	const (
		interval = 50*time.Millisecond + 137*time.Microsecond // so that no request comes as another ends
		before   = 10*time.Second + 1*time.Microsecond
		during   = 4 * time.Second
		rest     = 2 * time.Minute
	)
	start := time.Now()
	time.AfterFunc(before, func() { n.down.Store(true) })
	time.AfterFunc(before+during, func() { n.down.Store(false) })
	failed := make(chan time.Duration, (before+during+rest)/interval+1)
	var requests sync.WaitGroup
	for time.Since(start) < before+during+rest {
		requests.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if ping(ctx) != nil {
				failed <- time.Since(start)
			}
		})
		time.Sleep(interval)
	}
	requests.Wait()
	close(failed)
	var o outage
	for at := range failed {
		o.after = max(o.after, at-before-during)
		o.failures++
	}
	return o
}

// The attempts to connect that began while the network was down keep their places
// until they end, when it is long up again. docs/guide.md has these figures.
func TestPool_TheOutageAfterABlackHoleIsNoLongerThanPgxpools(t *testing.T) {
	for _, c := range []struct {
		name           string
		forgets        bool
		connectTimeout time.Duration
		want           time.Duration
	}{
		{"lost packets are sent again", false, 0, 3244387 * time.Microsecond},
		{"lost packets are sent again, connect_timeout=2", false, 2 * time.Second, 236167 * time.Microsecond},
		{"nothing is sent again", true, 0, 6352881 * time.Microsecond},
		{"nothing is sent again, connect_timeout=2", true, 2 * time.Second, 236167 * time.Microsecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := func(n *network) *pgx.ConnConfig {
				cc, err := pgx.ParseConfig(n.dsn())
				if err != nil {
					t.Fatal(err)
				}
				cc.DialFunc = n.dial
				cc.ConnectTimeout = c.connectTimeout
				return cc
			}
			// run has a pool of 15 on a network that fails. pgx closes connections in
			// the background, for which it takes up to 15 s.
			run := func(make func(*testing.T, *network) (ping func(context.Context) error, close func())) (o outage) {
				synctest.Test(t, func(t *testing.T) {
					n := newNetwork(t, c.forgets)
					ping, close := make(t, n)
					o = n.outage(t, ping)
					close()
					n.listener.Close()
					time.Sleep(time.Minute)
				})
				return o
			}
			queue := run(func(t *testing.T, n *network) (func(context.Context) error, func()) {
				p, err := queuepool.New(&queuepool.Config{ConnConfig: config(n), Size: 5, MaxOverflow: 10, Timeout: 30 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				return func(ctx context.Context) error {
					c, err := p.Acquire(ctx)
					if err != nil {
						return err
					}
					defer c.Release()
					return c.Conn().Ping(ctx)
				}, p.Close
			})
			pgx := run(func(t *testing.T, n *network) (func(context.Context) error, func()) {
				cfg, err := pgxpool.ParseConfig(n.dsn())
				if err != nil {
					t.Fatal(err)
				}
				cfg.MaxConns = 15
				cfg.ConnConfig = config(n)
				p, err := pgxpool.NewWithConfig(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				return p.Ping, p.Close
			})
			sql := run(func(t *testing.T, n *network) (func(context.Context) error, func()) {
				db := stdlib.OpenDB(*config(n))
				db.SetMaxOpenConns(15)
				db.SetMaxIdleConns(15)
				return db.PingContext, func() { db.Close() }
			})
			t.Logf("queuepool %v, pgxpool %v, database/sql %v", queue, pgx, sql)
			if queue.after != c.want {
				t.Errorf("queuepool's last failure was %v after the network was up again, want %v", queue.after, c.want)
			}
			if queue.after > pgx.after || queue.failures > pgx.failures {
				t.Error("pgxpool is up again before queuepool, or has fewer failures")
			}
		})
	}
}
