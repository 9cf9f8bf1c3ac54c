package queuepool_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/queuepool"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// newPool makes a pool on a database of the test's own, closed at its end.
func newPool(t testing.TB, change func(*queuepool.Config)) *queuepool.Pool {
	t.Helper()
	cc, err := pgx.ParseConfig(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg := queuepool.NewConfig(cc)
	cfg.ConnConfig.RuntimeParams["application_name"] = "queuepool test"
	if change != nil {
		change(cfg)
	}
	p, err := queuepool.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func acquire(t testing.TB, p *queuepool.Pool) *queuepool.Conn {
	t.Helper()
	c, err := p.Acquire(t.Context())
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	return c
}

func pid(c *queuepool.Conn) uint32 { return c.Conn().PgConn().PID() }

// until waits for a condition that another goroutine brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// onServer counts the pool's connections as the server sees them.
func onServer(t testing.TB, c *pgx.Conn) (n int) {
	t.Helper()
	err := c.QueryRow(t.Context(), "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'queuepool test'").Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func exec(t testing.TB, c *queuepool.Conn, sql string) {
	t.Helper()
	if _, err := c.Conn().Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestPool_OpensNothingAheadOfUse(t *testing.T) {
	p := newPool(t, nil)
	if got := p.Stat(); got.Connects != 0 || got.Overflow != -5 {
		t.Errorf("a new pool has %+v, want no connection and overflow -5, as SQLAlchemy counts", got)
	}
	acquire(t, p).Release()
	c := acquire(t, p)
	defer c.Release()
	if got := p.Stat(); got.Connects != 1 || got.CheckedOut != 1 || got.CheckedIn != 0 {
		t.Errorf("after two checkouts in turn: %+v, want one connection", got)
	}
}

func TestPool_TimeoutSaysWhatSQLAlchemySays(t *testing.T) {
	p := newPool(t, func(c *queuepool.Config) { c.Timeout = 10 * time.Millisecond })
	var all []*queuepool.Conn
	for range 15 {
		all = append(all, acquire(t, p))
	}
	_, err := p.Acquire(t.Context())
	var timeout *queuepool.TimeoutError
	if !errors.As(err, &timeout) {
		t.Fatalf("16th checkout: got %v, want a *TimeoutError", err)
	}
	if timeout.Size != 5 || timeout.MaxOverflow != 10 || timeout.Waited != 10*time.Millisecond || !timeout.Timeout() {
		t.Errorf("got %+v, want size 5, overflow 10, 10 ms", timeout)
	}
	if got, want := err.Error(), "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 0.01"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := p.Stat(); got.Waiting != 0 || got.Timeouts != 1 {
		t.Errorf("after the time-out: %+v, want nobody waiting and one time-out", got)
	}
	for _, c := range all {
		c.Release()
	}
}

// asked is a tracer that is asked who holds the connections.
type asked struct {
	holders func() []string
}

func (asked) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (asked) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (asked) TraceCheckoutStart(ctx context.Context) context.Context          { return ctx }
func (asked) TraceCheckoutEnd(ctx context.Context, conn *pgx.Conn, err error) {}
func (asked) TraceCheckin(conn *pgx.Conn)                                     {}
func (a asked) Holders(context.Context) []string                              { return a.holders() }

// To find out who holds the connections may take long. Who does so is out of the
// queue, so that one which comes back meanwhile does not lie idle.
func TestPool_AsksForTheHoldersOutsideOfTheQueue(t *testing.T) {
	var p *queuepool.Pool
	var holder *queuepool.Conn
	p = newPool(t, func(c *queuepool.Config) {
		c.Size, c.MaxOverflow, c.Timeout = 1, 0, time.Millisecond
		c.ConnConfig.Tracer = asked{func() []string {
			if s := p.Stat(); s.Waiting != 0 || s.Timeouts != 1 {
				t.Errorf("while it is asked: %+v, want nobody in the queue and one time-out", s)
			}
			holder.Release()
			if s := p.Stat(); s.CheckedIn != 1 {
				t.Errorf("the connection that came back went to who had timed out: %+v", s)
			} else {
				acquire(t, p).Release()
			}
			return []string{"a", "b", "c", "d", "e", "f"}
		}}
	})
	holder = acquire(t, p)
	c, err := p.Acquire(t.Context())
	if err == nil {
		c.Release()
	}
	var timeout *queuepool.TimeoutError
	if !errors.As(err, &timeout) || !slices.Equal(timeout.Holders, []string{"a", "b", "c", "d", "e"}) {
		t.Errorf("got %v, want a time-out that names the first five", err)
	}
}

// Many who time out at the same time ask at the same time.
func TestPool_AsksForTheHoldersAllAtOnce(t *testing.T) {
	const callers = 4
	asking, answer := make(chan struct{}), make(chan struct{})
	p := newPool(t, func(c *queuepool.Config) {
		c.Size, c.MaxOverflow, c.Timeout = 1, 0, time.Millisecond
		c.ConnConfig.Tracer = asked{func() []string {
			asking <- struct{}{}
			<-answer
			return nil
		}}
	})
	defer acquire(t, p).Release()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			var timeout *queuepool.TimeoutError
			if _, err := p.Acquire(t.Context()); !errors.As(err, &timeout) {
				t.Errorf("got %v, want a time-out", err)
			}
		})
	}
	deadline := time.After(10 * time.Second)
	for i := range callers {
		select {
		case <-asking:
		case <-deadline:
			t.Errorf("%d of %d ask at the same time", i, callers)
			go func() {
				for range asking { // the others
				}
			}()
			close(answer)
			wg.Wait()
			return
		}
	}
	close(answer)
	wg.Wait()
}

func TestPool_ClosesOverflowAtReleaseWhenNobodyWaits(t *testing.T) {
	p := newPool(t, func(c *queuepool.Config) { c.Size, c.MaxOverflow = 2, 3 })
	var all []*queuepool.Conn
	for range 5 {
		all = append(all, acquire(t, p))
	}
	if n := onServer(t, all[0].Conn()); n != 5 {
		t.Fatalf("the server has %d connections, want 5", n)
	}
	for _, c := range all {
		c.Release()
	}
	if got := p.Stat(); got.CheckedIn != 2 || got.CheckedOut != 0 || got.Overflow != 0 {
		t.Errorf("after all came back: %+v, want 2 idle", got)
	}
	c := acquire(t, p)
	defer c.Release()
	if n := onServer(t, c.Conn()); n != 2 {
		t.Errorf("the server has %d connections after the overflow was released, want 2", n)
	}
}

func TestPool_ServesWaitersInOrderAndReusesOverflow(t *testing.T) {
	p := newPool(t, func(c *queuepool.Config) { c.Size, c.MaxOverflow = 1, 1 })
	holders := []*queuepool.Conn{acquire(t, p), acquire(t, p)}
	const waiters = 8
	served := make(chan int, waiters)
	release := make(chan struct{})
	var wg sync.WaitGroup
	for i := range waiters {
		wg.Go(func() {
			c, err := p.Acquire(t.Context())
			if err != nil {
				t.Errorf("waiter %d: %v", i, err)
				return
			}
			served <- i
			<-release
			c.Release()
		})
		until(t, fmt.Sprintf("%d wait", i+1), func() bool { return p.Stat().Waiting == i+1 })
	}
	holders[1].Release()
	holders[0].Release()
	// The two served now hold until they are told; every further release serves
	// exactly the next.
	got := []int{<-served, <-served}
	slices.Sort(got) // two releases, two goroutines: which of them reports first is open
	for i := 2; i < waiters; i++ {
		release <- struct{}{}
		got = append(got, <-served)
	}
	close(release)
	wg.Wait()
	if want := []int{0, 1, 2, 3, 4, 5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("served in order %v, want %v", got, want)
	}
	if n := p.Stat().Connects; n != 2 {
		t.Errorf("%d connections were opened, want 2: while somebody waits the overflow is handed on", n)
	}
}

func TestPool_HandsOutIdleConnectionsInTurn(t *testing.T) {
	for _, lifo := range []bool{false, true} {
		t.Run(fmt.Sprintf("UseLIFO=%v", lifo), func(t *testing.T) {
			p := newPool(t, func(c *queuepool.Config) { c.UseLIFO = lifo })
			a, b, c := acquire(t, p), acquire(t, p), acquire(t, p)
			order := []uint32{pid(a), pid(b), pid(c)}
			a.Release()
			b.Release()
			c.Release()
			if lifo {
				slices.Reverse(order)
			}
			for i, want := range order {
				conn := acquire(t, p)
				defer conn.Release()
				if pid(conn) != want {
					t.Errorf("checkout %d got another connection than the one that is next", i)
				}
			}
		})
	}
}

func TestConn_ReleaseRollsBack(t *testing.T) {
	p := newPool(t, nil)
	c := acquire(t, p)
	first := pid(c)
	exec(t, c, "create table t (n int)")
	for name, sql := range map[string]string{
		"open transaction":    "begin; insert into t values (1)",
		"aborted transaction": "begin; insert into t values (1); select 1/0",
	} {
		t.Run(name, func(t *testing.T) {
			c.Conn().Exec(t.Context(), sql)
			c.Release()
			c = acquire(t, p)
			var n int
			if err := c.Conn().QueryRow(t.Context(), "select count(*) from t").Scan(&n); err != nil || n != 0 {
				t.Errorf("the next user sees %d rows, error %v; want 0 rows", n, err)
			}
			if pid(c) != first {
				t.Errorf("the connection was replaced, want it rolled back and kept")
			}
		})
	}
	c.Release()
}

func TestConn_ReleaseInTheMiddleOfAResultDropsTheConnection(t *testing.T) {
	p := newPool(t, nil)
	c := acquire(t, p)
	first := pid(c)
	rows, err := c.Conn().Query(t.Context(), "select generate_series(1, 100000)")
	if err != nil {
		t.Fatal(err)
	}
	rows.Next()
	c.Release()
	c = acquire(t, p)
	defer c.Release()
	if pid(c) == first {
		t.Error("the connection was kept although its result was not read")
	}
	until(t, "only the new connection is out", func() bool { return p.Stat().CheckedOut == 1 })
	if got := p.Stat(); got.CheckedIn != 0 {
		t.Errorf("got %+v, want the one connection checked out", got)
	}
}

func TestConn_ReleaseTwiceCountsOnce(t *testing.T) {
	p := newPool(t, nil)
	c := acquire(t, p)
	c.Release()
	c.Release()
	if got := p.Stat(); got.CheckedIn != 1 || got.CheckedOut != 0 {
		t.Errorf("got %+v, want one idle connection", got)
	}
}

func TestPool_RecycleReplacesTheOld(t *testing.T) {
	p := newPool(t, func(c *queuepool.Config) { c.Recycle = time.Nanosecond })
	c := acquire(t, p)
	first := pid(c)
	c.Release()
	c = acquire(t, p)
	defer c.Release()
	if pid(c) == first {
		t.Error("a connection older than Recycle was handed out again")
	}
}

// terminate ends a connection from the server's side and waits until it is gone.
func terminate(t testing.TB, by *pgx.Conn, pid uint32) {
	t.Helper()
	if _, err := by.Exec(t.Context(), "select pg_terminate_backend($1, 10000)", pid); err != nil {
		t.Fatal(err)
	}
}

func TestPool_PrePing(t *testing.T) {
	for _, ping := range []bool{true, false} {
		t.Run(fmt.Sprintf("PrePing=%v", ping), func(t *testing.T) {
			p := newPool(t, func(c *queuepool.Config) { c.PrePing = ping })
			idle, killer := acquire(t, p), acquire(t, p)
			victim := pid(idle)
			idle.Release()
			terminate(t, killer.Conn(), victim)
			c := acquire(t, p)
			_, err := c.Conn().Exec(t.Context(), "select 1")
			if ping && err != nil {
				t.Errorf("with PrePing the dead connection was handed out: %v", err)
			}
			if !ping && err == nil {
				t.Error("without PrePing the dead connection should have been handed out: SQLAlchemy is as optimistic")
			}
			c.Release()
			killer.Release()
		})
	}
}

func TestPool_LosingOneConnectionReplacesTheOthers(t *testing.T) {
	p := newPool(t, nil)
	victim, idle, killer := acquire(t, p), acquire(t, p), acquire(t, p)
	before := pid(idle)
	idle.Release()
	terminate(t, killer.Conn(), pid(victim))
	if _, err := victim.Conn().Exec(t.Context(), "select 1"); err == nil {
		t.Fatal("the terminated connection still works")
	}
	victim.Release()
	c := acquire(t, p)
	defer c.Release()
	if pid(c) == before {
		t.Error("a connection opened before the loss was handed out again")
	}
	// The one that was in use comes back and is replaced at its next checkout.
	used := pid(killer)
	killer.Release()
	again := acquire(t, p)
	defer again.Release()
	if pid(again) == used {
		t.Error("the connection in use during the loss was handed out again")
	}
	if got := p.Stat(); got.Connects != 5 {
		t.Errorf("%d connections were opened, want 5: three, and two replaced", got.Connects)
	}
}

func TestPool_ACancelledStatementSaysNothingAboutOthers(t *testing.T) {
	p := newPool(t, nil)
	cancelled, idle := acquire(t, p), acquire(t, p)
	before := pid(idle)
	idle.Release()
	watcher, victim := acquire(t, p), pid(cancelled)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := cancelled.Conn().Exec(ctx, "select pg_sleep(60)")
		failed <- err
	}()
	until(t, "the statement runs on the server", func() (sleeps bool) {
		err := watcher.Conn().QueryRow(t.Context(), "select coalesce(wait_event = 'PgSleep', false) from pg_stat_activity where pid = $1", victim).Scan(&sleeps)
		return err == nil && sleeps
	})
	cancel()
	if err := <-failed; err == nil {
		t.Fatal("the statement was not cancelled")
	}
	watcher.Release()
	cancelled.Release()
	c := acquire(t, p)
	defer c.Release()
	if pid(c) != before {
		t.Error("a cancelled context made the pool replace its other connections")
	}
}

func TestPool_AcquireObeysItsContext(t *testing.T) {
	p := newPool(t, func(c *queuepool.Config) { c.Size, c.MaxOverflow = 1, 0 })
	holder := acquire(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := p.Acquire(ctx)
		failed <- err
	}()
	until(t, "it waits", func() bool { return p.Stat().Waiting == 1 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if _, err := p.Acquire(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: got %v, want context.Canceled", err)
	}
	holder.Release()
	if got := p.Stat(); got.Waiting != 0 || got.CheckedIn != 1 || got.Timeouts != 0 {
		t.Errorf("got %+v, want one idle connection, nobody waiting, no time-out", got)
	}
}

func TestPool_AFailedConnectGivesItsPlaceToTheNext(t *testing.T) {
	var dials atomic.Int32
	dialing, fail := make(chan struct{}), make(chan struct{})
	p := newPool(t, func(c *queuepool.Config) {
		c.Size, c.MaxOverflow = 1, 0
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials.Add(1) == 1 {
				close(dialing)
				<-fail
				return nil, errors.New("refused by the test")
			}
			return dial(ctx, network, addr)
		}
	})
	first := make(chan error, 1)
	go func() {
		_, err := p.Acquire(t.Context())
		first <- err
	}()
	<-dialing
	second := make(chan error, 1)
	go func() {
		c, err := p.Acquire(t.Context())
		if err == nil {
			c.Release()
		}
		second <- err
	}()
	until(t, "the second waits", func() bool { return p.Stat().Waiting == 1 })
	close(fail)
	if err := <-first; err == nil {
		t.Error("the failed dial gave a connection")
	}
	if err := <-second; err != nil {
		t.Errorf("the waiter got %v, want the place of the one that failed", err)
	}
}

func TestPool_AnAttemptToConnectOutlivesItsCaller(t *testing.T) {
	dialing, dial := make(chan struct{}), make(chan struct{})
	p := newPool(t, func(c *queuepool.Config) {
		inner := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			close(dialing)
			<-dial
			return inner(ctx, network, addr)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := p.Acquire(ctx)
		failed <- err
	}()
	<-dialing
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled although the dial still hangs", err)
	}
	close(dial)
	until(t, "the connection is in the pool", func() bool { return p.Stat().CheckedIn == 1 })
	acquire(t, p).Release()
	if n := p.Stat().Connects; n != 1 {
		t.Errorf("%d connections were opened, want the one that its caller had left", n)
	}
}

func TestPool_CloseTurnsWaitersAwayAndWaitsForUsers(t *testing.T) {
	p := newPool(t, func(c *queuepool.Config) { c.Size, c.MaxOverflow = 1, 0 })
	user := acquire(t, p)
	waiter := make(chan error, 1)
	go func() {
		_, err := p.Acquire(context.Background())
		waiter <- err
	}()
	until(t, "it waits", func() bool { return p.Stat().Waiting == 1 })
	closed := make(chan struct{})
	go func() {
		p.Close()
		close(closed)
	}()
	if err := <-waiter; !errors.Is(err, queuepool.ErrClosed) {
		t.Errorf("the waiter got %v, want ErrClosed", err)
	}
	select {
	case <-closed:
		t.Error("Close returned while a connection was in use")
	default:
	}
	user.Release()
	<-closed
	if _, err := p.Acquire(t.Context()); !errors.Is(err, queuepool.ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}
}

func TestPool_WithoutLimits(t *testing.T) {
	for name, change := range map[string]func(*queuepool.Config){
		"Size 0 keeps all":         func(c *queuepool.Config) { c.Size, c.MaxOverflow = 0, 0 },
		"MaxOverflow -1 keeps two": func(c *queuepool.Config) { c.Size, c.MaxOverflow = 2, -1 },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, func(c *queuepool.Config) { change(c); c.Timeout = 0 })
			var all []*queuepool.Conn
			for range 20 {
				all = append(all, acquire(t, p)) // a wait would time out at once
			}
			for _, c := range all {
				c.Release()
			}
			want := 20
			if size := p.Stat().Size; size > 0 {
				want = size
			}
			if got := p.Stat().CheckedIn; got != want {
				t.Errorf("%d connections were kept, want %d", got, want)
			}
		})
	}
}

func TestNewConfig_HasSQLAlchemysDefaults(t *testing.T) {
	cc, err := pgx.ParseConfig("postgres://127.0.0.1/app")
	if err != nil {
		t.Fatal(err)
	}
	cfg := queuepool.NewConfig(cc)
	if cfg.Size != 5 || cfg.MaxOverflow != 10 || cfg.Timeout != 30*time.Second || cfg.UseLIFO || cfg.Recycle != 0 || cfg.PrePing {
		t.Errorf("got %+v, want 5 + 10 connections, 30 s, and all else off", cfg)
	}
}

func TestNew_SaysWhatIsWrong(t *testing.T) {
	good := func() *queuepool.Config {
		cc, err := pgx.ParseConfig("postgres://localhost/x")
		if err != nil {
			t.Fatal(err)
		}
		return queuepool.NewConfig(cc)
	}
	for name, spoil := range map[string]func(*queuepool.Config) *queuepool.Config{
		"no config":         func(*queuepool.Config) *queuepool.Config { return nil },
		"no ConnConfig":     func(*queuepool.Config) *queuepool.Config { return &queuepool.Config{} },
		"negative size":     func(c *queuepool.Config) *queuepool.Config { c.Size = -1; return c },
		"overflow below -1": func(c *queuepool.Config) *queuepool.Config { c.MaxOverflow = -2; return c },
		"negative timeout":  func(c *queuepool.Config) *queuepool.Config { c.Timeout = -1; return c },
		"negative recycle":  func(c *queuepool.Config) *queuepool.Config { c.Recycle = -1; return c },
	} {
		if _, err := queuepool.New(spoil(good())); err == nil {
			t.Errorf("%s: New has no error", name)
		}
	}
}

// Many callers, some of whom give up, some of whom leave a transaction open or a
// connection dead: nobody is forgotten, and the server never has more
// connections than the pool may open. That does not hold for connections that
// their users close: of these the server takes leave in its own time.
func TestPool_UnderLoadLosesNobody(t *testing.T) {
	t.Run("connections come back", func(t *testing.T) { underLoad(t, false) })
	t.Run("some are closed", func(t *testing.T) { underLoad(t, true) })
}

func underLoad(t *testing.T, closing bool) {
	const limit = 7
	p := newPool(t, func(c *queuepool.Config) { c.Size, c.MaxOverflow = 3, limit-3 })
	var wg sync.WaitGroup
	var out, most atomic.Int64
	for worker := range 24 {
		wg.Go(func() {
			for i := range 25 {
				ctx, cancel := context.WithCancel(t.Context())
				if (worker+i)%5 == 0 {
					go cancel() // at any moment
				}
				c, err := p.Acquire(ctx)
				if err != nil {
					cancel()
					if !errors.Is(err, context.Canceled) {
						t.Errorf("Acquire: %v", err)
					}
					continue
				}
				n := out.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				var seen int64
				err = c.Conn().QueryRow(t.Context(), "select count(*) from pg_stat_activity where datname = current_database()").Scan(&seen)
				if err != nil || seen > limit && !closing {
					t.Errorf("the server has %d connections (error %v), want at most %d", seen, err, limit)
				}
				switch (worker * i) % 7 {
				case 1:
					c.Conn().Exec(t.Context(), "begin")
				case 2:
					if closing {
						c.Conn().Close(t.Context())
					}
				}
				out.Add(-1)
				c.Release()
				cancel()
			}
		})
	}
	wg.Wait()
	if most.Load() > limit {
		t.Errorf("%d connections were out at once, want at most %d", most.Load(), limit)
	}
	// What was closed, and what its caller did not wait for, goes in the background.
	until(t, "nothing is out", func() bool { return p.Stat().CheckedOut == 0 })
	if got := p.Stat(); got.Waiting != 0 || got.CheckedIn > 3 {
		t.Errorf("once all is over: %+v, want nobody waiting, at most 3 idle", got)
	}
}
