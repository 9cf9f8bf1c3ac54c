package lab

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/pgxhold"
	"github.com/pghold/pghold/session"
)

// trips sums up where requests spent their time. What their connections did, the
// recorder knows.
type trips struct {
	mu        sync.Mutex
	handled   int // all
	count     int // that went the whole way
	sum       experiment.TimeSplit
	lastEnded time.Time // when the last handler was done
}

// trip is one request's way through its handler. Only that handler's goroutine
// touches it.
type trip struct {
	experiment.TimeSplit
	err       error // of the handler
	brokenOff bool  // its answer, so that its client has none
}

type tripKey struct{}

func withTrip(ctx context.Context) context.Context {
	return context.WithValue(ctx, tripKey{}, &trip{})
}

// tripOf returns the trip of a request, or of a worker.
func tripOf(ctx context.Context) *trip { return ctx.Value(tripKey{}).(*trip) }

// slow adds the time since a slow call began.
func (t *trip) slow(began time.Time) { t.Slow += time.Since(began) }

// ended adds a request whose handler has ended. Only those without an error went
// the whole way, and only these are averaged.
func (ts *trips) ended(t *trip) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.lastEnded = time.Now()
	ts.handled++
	if t.err != nil {
		return
	}
	ts.count++
	ts.sum.ThreadWait += t.ThreadWait
	ts.sum.PoolWait += t.PoolWait
	ts.sum.Busy += t.Busy
	ts.sum.Slow += t.Slow
}

// means are in the experiment's own time.
func (ts *trips) means(speed float64) experiment.TimeSplit {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	mean := func(sum time.Duration) time.Duration {
		return experiment.Stretch(sum, speed) / time.Duration(max(ts.count, 1))
	}
	return experiment.TimeSplit{
		ThreadWait: mean(ts.sum.ThreadWait), PoolWait: mean(ts.sum.PoolWait),
		Busy: mean(ts.sum.Busy), Slow: mean(ts.sum.Slow),
	}
}

// perRequest is what the requests did with the database, in the mean.
func (a *App) perRequest(s *pghold.Snapshot) experiment.PerRequest {
	a.trips.mu.Lock()
	n := float64(max(a.trips.handled, 1))
	a.trips.mu.Unlock()
	var checkouts, statements uint64
	for _, series := range s.Series {
		checkouts += series.Held.Count()
		statements += series.Statements
	}
	return experiment.PerRequest{
		Checkouts: float64(checkouts) / n, Statements: float64(statements) / n, RoundTrips: float64(a.traffic.roundTrips.Load()) / n,
	}
}

// holds sums up what the recorder knows of the app's one pool, in the experiment's
// own time.
func holds(s *pghold.Snapshot, speed float64) experiment.Holds {
	var held, wait pghold.Sketch
	var busy, silent time.Duration
	for _, series := range s.Series {
		held.Merge(&series.Held)
		wait.Merge(&series.Wait)
		busy += series.Busy
		silent += series.SilentInTransaction
	}
	h := experiment.Holds{
		Count:               int(held.Count()),
		Held:                quantiles(&held, speed),
		SilentInTransaction: experiment.Stretch(silent, speed),
		Wait:                quantiles(&wait, speed),
	}
	if held.Sum() > 0 {
		h.BusyRatio = float64(busy) / float64(held.Sum())
	}
	for _, p := range s.Pools {
		h.MaxWaiting = max(h.MaxWaiting, p.MaxWaiting)
	}
	return h
}

func quantiles(s *pghold.Sketch, speed float64) experiment.Quantiles {
	q := func(d time.Duration) time.Duration { return experiment.Stretch(d, speed) }
	return experiment.Quantiles{
		Min: q(s.Min()), Mean: q(s.Mean()), P50: q(s.Quantile(0.50)), P90: q(s.Quantile(0.90)),
		P95: q(s.Quantile(0.95)), P99: q(s.Quantile(0.99)), Max: q(s.Max()),
	}
}

// wrappers are this package's own, which no call site should be in.
var wrappers = []string{
	"github.com/pghold/pghold/cmd/pghold/internal/lab.timedPool",
	"github.com/pghold/pghold/cmd/pghold/internal/lab.tracedPool",
	"github.com/pghold/pghold/cmd/pghold/internal/lab.bounded",
	"github.com/pghold/pghold/cmd/pghold/internal/lab.(*App).slowCall",
	"github.com/pghold/pghold/cmd/pghold/internal/lab.model",
}

// timedPool adds to a request's trip what the recorder knows of its holds: for how long
// they waited, and their statements took. It writes each checkout into the trace.
type timedPool struct {
	session.Pool
	trace *trace
}

type timedConn struct {
	conn  session.Conn
	trip  *trip
	trace *trace
	as    checkout
}

func (p timedPool) Acquire(ctx context.Context) (session.Conn, error) {
	t := tripOf(ctx)
	w := p.trace.wait()
	c, err := p.Pool.Acquire(ctx)
	if err != nil {
		p.trace.gaveUp(w)
		return nil, err
	}
	return timedConn{c, t, p.trace, p.trace.took(w)}, nil
}

func (c timedConn) Conn() *pgx.Conn { return c.conn.Conn() }

func (c timedConn) Release() {
	if hold := pgxhold.Of(c.Conn()); hold != nil {
		if h, open := hold.Describe(); open {
			c.trip.PoolWait += h.Wait
			c.trip.Busy += h.Busy
			c.trace.released(c.as, h)
		}
	}
	c.conn.Release()
}

// tracedPool tells a tracer of checkouts, for database/sql, which has no hooks of
// its own for that.
type tracedPool struct {
	session.Pool
	tracer *pgxhold.Tracer
}

type tracedConn struct {
	conn   session.Conn
	tracer *pgxhold.Tracer
}

func (p tracedPool) Acquire(ctx context.Context) (session.Conn, error) {
	ctx = p.tracer.TraceCheckoutStart(ctx)
	c, err := p.Pool.Acquire(ctx)
	if err != nil {
		p.tracer.TraceCheckoutEnd(ctx, nil, err)
		return nil, err
	}
	p.tracer.TraceCheckoutEnd(ctx, c.Conn(), nil)
	return tracedConn{c, p.tracer}, nil
}

func (c tracedConn) Conn() *pgx.Conn { return c.conn.Conn() }

func (c tracedConn) Release() {
	c.tracer.TraceCheckin(c.conn.Conn())
	c.conn.Release()
}
