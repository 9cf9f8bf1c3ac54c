package lab

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/experiment"
	"github.com/pghold/pghold/session"
)

// recorder sees every checkout, statement and release of the app's pool, and
// every request from start to end.
type recorder struct {
	mu         sync.Mutex
	waiting    int // callers in Acquire now
	maxWaiting int
	held       []time.Duration
	waits      []time.Duration
	busy       time.Duration // of all holds
	silent     time.Duration // in transaction, of all holds

	trips     int
	time      experiment.TimeSplit // sums over trips
	lastEnded time.Time            // when the last handler was done
}

// trip is one request's way through its handler. Only that handler's goroutine
// touches it.
type trip struct{ experiment.TimeSplit }

type tripKey struct{}

func tripOf(ctx context.Context) *trip {
	t, _ := ctx.Value(tripKey{}).(*trip)
	return t
}

// ended adds a request whose handler has ended. Only those without an error went
// the whole way, and only these are averaged.
func (r *recorder) ended(t *trip, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastEnded = time.Now()
	if err != nil {
		return
	}
	r.trips++
	r.time.ThreadWait += t.ThreadWait
	r.time.PoolWait += t.PoolWait
	r.time.Busy += t.Busy
	r.time.Slow += t.Slow
}

// result returns what was recorded, in the experiment's own time.
func (r *recorder) result(speed float64) (experiment.TimeSplit, experiment.Holds) {
	r.mu.Lock()
	defer r.mu.Unlock()
	mean := func(sum time.Duration) time.Duration {
		if r.trips == 0 {
			return 0
		}
		return stretch(sum, speed) / time.Duration(r.trips)
	}
	var held time.Duration
	for _, d := range r.held {
		held += d
	}
	holds := experiment.Holds{
		Count:               len(r.held),
		Held:                experiment.NewQuantiles(stretchAll(r.held, speed)),
		SilentInTransaction: stretch(r.silent, speed),
		Wait:                experiment.NewQuantiles(stretchAll(r.waits, speed)),
		MaxWaiting:          r.maxWaiting,
	}
	if held > 0 {
		holds.BusyRatio = r.busy.Seconds() / held.Seconds()
	}
	return experiment.TimeSplit{
		ThreadWait: mean(r.time.ThreadWait), PoolWait: mean(r.time.PoolWait),
		Busy: mean(r.time.Busy), Slow: mean(r.time.Slow),
	}, holds
}

func stretch(d time.Duration, speed float64) time.Duration {
	return time.Duration(float64(d) * speed)
}

func stretchAll(ds []time.Duration, speed float64) []time.Duration {
	out := make([]time.Duration, len(ds))
	for i, d := range ds {
		out[i] = stretch(d, speed)
	}
	return out
}

// recordedPool passes checkouts on and tells the recorder.
type recordedPool struct {
	session.Pool
	recorder *recorder
}

// hold is one checkout, from Acquire to Release. Its connection serves one
// goroutine at a time, and so does the hold.
type hold struct {
	conn      session.Conn
	recorder  *recorder
	trip      *trip
	wait      time.Duration
	began     time.Time
	statement time.Time // when the running statement began
	silence   time.Time // when the last one ended with its transaction open; else zero
	busy      time.Duration
	silent    time.Duration
}

// holdKey is where the connection's hold is found among pgconn's custom data.
const holdKey = "pghold lab hold"

func (p recordedPool) Acquire(ctx context.Context) (session.Conn, error) {
	r := p.recorder
	start := time.Now()
	r.mu.Lock()
	r.waiting++
	r.maxWaiting = max(r.maxWaiting, r.waiting)
	r.mu.Unlock()

	c, err := p.Pool.Acquire(ctx)
	now := time.Now()
	r.mu.Lock()
	r.waiting--
	r.mu.Unlock()
	t := tripOf(ctx)
	if t != nil {
		t.PoolWait += now.Sub(start)
	}
	if err != nil {
		return nil, err
	}
	h := &hold{conn: c, recorder: r, trip: t, wait: now.Sub(start), began: now}
	c.Conn().PgConn().CustomData()[holdKey] = h
	return h, nil
}

func (h *hold) Conn() *pgx.Conn { return h.conn.Conn() }

func (h *hold) Release() {
	delete(h.Conn().PgConn().CustomData(), holdKey)
	now := time.Now()
	h.endSilence(now)
	if h.trip != nil {
		h.trip.Busy += h.busy
	}
	r := h.recorder
	r.mu.Lock()
	r.held = append(r.held, now.Sub(h.began))
	r.waits = append(r.waits, h.wait)
	r.busy += h.busy
	r.silent += h.silent
	r.mu.Unlock()
	h.conn.Release()
}

func (h *hold) endSilence(now time.Time) {
	if !h.silence.IsZero() {
		h.silent += now.Sub(h.silence)
		h.silence = time.Time{}
	}
}

// tracer tells a connection's hold when its statements begin and end.
type tracer struct{}

var (
	_ pgx.QueryTracer = tracer{}
	_ pgx.BatchTracer = tracer{}
)

func holdOf(c *pgx.Conn) *hold {
	h, _ := c.PgConn().CustomData()[holdKey].(*hold)
	return h
}

func began(c *pgx.Conn) {
	if h := holdOf(c); h != nil {
		h.statement = time.Now()
		h.endSilence(h.statement)
	}
}

func ended(c *pgx.Conn) {
	if h := holdOf(c); h != nil {
		now := time.Now()
		h.busy += now.Sub(h.statement)
		if c.PgConn().TxStatus() != 'I' {
			h.silence = now
		}
	}
}

func (tracer) TraceQueryStart(ctx context.Context, c *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	began(c)
	return ctx
}

func (tracer) TraceQueryEnd(_ context.Context, c *pgx.Conn, _ pgx.TraceQueryEndData) { ended(c) }

func (tracer) TraceBatchStart(ctx context.Context, c *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	began(c)
	return ctx
}

func (tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (tracer) TraceBatchEnd(_ context.Context, c *pgx.Conn, _ pgx.TraceBatchEndData) { ended(c) }
