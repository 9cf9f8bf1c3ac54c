package pgxhold

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold"
)

// Install makes a pool that will be opened with cfg tell a recorder of its holds,
// under a name. It fails where it has been done before. Where two pools that are open at
// the same time have one name, the one that is used later is called "main (2)".
func Install(cfg *pgxpool.Config, recorder *pghold.Recorder, name string) error {
	if cfg == nil || cfg.ConnConfig == nil {
		return errors.New("pgxhold: no pool configuration: make it with pgxpool.ParseConfig")
	}
	return InstallConn(cfg.ConnConfig, recorder, name)
}

// InstallConn is Install for pools that open connections with a pgx.ConnConfig,
// such as queuepool's.
func InstallConn(cfg *pgx.ConnConfig, recorder *pghold.Recorder, name string) error {
	switch {
	case cfg == nil:
		return errors.New("pgxhold: no connection configuration: make it with pgx.ParseConfig")
	case recorder == nil:
		return errors.New("pgxhold: no recorder: make it with pghold.NewRecorder")
	case installed(cfg.Tracer):
		return errors.New("pgxhold: this configuration has been installed already: every hold would be counted twice")
	}
	recorder.Pool(name) // which snapshots have before it is used
	tracer := &Tracer{recorder: recorder, name: name}
	if cfg.Tracer == nil {
		cfg.Tracer = tracer
		return nil
	}
	before, _ := cfg.Tracer.(checkoutTracer)
	cfg.Tracer = both{multitracer.New(tracer, cfg.Tracer), tracer, before}
	return nil
}

// checkoutTracer has the hooks of queuepool.Tracer. It is declared here, so that whoever
// imports pgxhold does not get a pool with it.
type checkoutTracer interface {
	TraceCheckoutStart(ctx context.Context) context.Context
	TraceCheckoutEnd(ctx context.Context, conn *pgx.Conn, err error)
	TraceCheckin(conn *pgx.Conn)
}

// poolTracer has the hook of queuepool.New.
type poolTracer interface {
	TracePool(stat func() (open, most int, closed bool))
}

// both is a tracer and one that was there before, with the hooks that pgx's
// multitracer does not know.
type both struct {
	*multitracer.Tracer
	ours   *Tracer
	before checkoutTracer // nil where the one that was there has not these hooks
}

func (b both) TraceCheckoutStart(ctx context.Context) context.Context {
	ctx = b.ours.TraceCheckoutStart(ctx)
	if b.before != nil {
		ctx = b.before.TraceCheckoutStart(ctx)
	}
	return ctx
}

func (b both) TraceCheckoutEnd(ctx context.Context, conn *pgx.Conn, err error) {
	b.ours.TraceCheckoutEnd(ctx, conn, err)
	if b.before != nil {
		b.before.TraceCheckoutEnd(ctx, conn, err)
	}
}

func (b both) TraceCheckin(conn *pgx.Conn) {
	b.ours.TraceCheckin(conn)
	if b.before != nil {
		b.before.TraceCheckin(conn)
	}
}

func (b both) TracePool(stat func() (open, most int, closed bool)) {
	b.ours.TracePool(stat)
	if before, ok := b.before.(poolTracer); ok {
		before.TracePool(stat)
	}
}

func (b both) Holders(ctx context.Context) []string { return b.ours.Holders(ctx) }

func installed(t pgx.QueryTracer) bool {
	switch t := t.(type) {
	case *Tracer, both:
		return true
	case *multitracer.Tracer:
		for _, inner := range t.QueryTracers {
			if installed(inner) {
				return true
			}
		}
	}
	return false
}

// Tracer tells a pool's recorder what pgx does. It is for those who put tracers
// together themselves; Install does it for the others.
type Tracer struct {
	pool     atomic.Pointer[pghold.Pool] // nil before it is used
	recorder *pghold.Recorder            // for then
	name     string
	opened   opened
}

// NewTracer makes a tracer. Without a pool it panics.
func NewTracer(pool *pghold.Pool) *Tracer {
	if pool == nil {
		panic("pgxhold: NewTracer needs a pool, and got nil: get one with a Recorder's Pool")
	}
	t := &Tracer{}
	t.pool.Store(pool)
	return t
}

// recorded is the recorder's pool. It is found when it is first used: by then it is known
// whether another of the name is open.
func (t *Tracer) recorded() *pghold.Pool {
	if p := t.pool.Load(); p != nil {
		return p
	}
	t.opened.binding.Lock()
	defer t.opened.binding.Unlock()
	if t.pool.Load() == nil {
		t.pool.Store(t.recorder.OpenPool(t.name, t.opened.open))
	}
	return t.pool.Load()
}

var (
	_ pgx.QueryTracer       = (*Tracer)(nil)
	_ pgx.BatchTracer       = (*Tracer)(nil)
	_ pgx.CopyFromTracer    = (*Tracer)(nil)
	_ pgx.PrepareTracer     = (*Tracer)(nil)
	_ pgxpool.AcquireTracer = (*Tracer)(nil)
	_ pgxpool.ReleaseTracer = (*Tracer)(nil)
	_ checkoutTracer        = (*Tracer)(nil)
	_ checkoutTracer        = both{}
)

// holdKey is where a connection's slot is found among pgconn's custom data.
const holdKey = "github.com/pghold/pghold/pgxhold"

// slot has the hold of a connection, nil while it is not checked out.
type slot struct {
	hold atomic.Pointer[pghold.Checkout]
}

func slotOf(conn *pgx.Conn) *slot {
	s, _ := conn.PgConn().CustomData()[holdKey].(*slot)
	return s
}

// newSlot makes the slot of a connection. No hook tells that a connection was hijacked,
// so its hold ends at the latest when nobody has the connection any more. A pool has
// its connections until they are released.
func newSlot(conn *pgx.Conn) *slot {
	s := &slot{}
	conn.PgConn().CustomData()[holdKey] = s
	runtime.AddCleanup(conn, (*slot).release, s)
	return s
}

func (s *slot) release() {
	if c := s.hold.Swap(nil); c != nil {
		c.Release()
	}
}

// Of returns the hold of a connection that is checked out, or nil.
func Of(conn *pgx.Conn) *pghold.Checkout {
	if conn == nil {
		panic("pgxhold: Of needs a connection, and got nil")
	}
	if s := slotOf(conn); s != nil {
		return s.hold.Load()
	}
	return nil
}

// Released ends the hold of a connection that its pool will not see again, because
// it was hijacked. It does nothing for others.
func Released(conn *pgx.Conn) {
	if conn == nil {
		panic("pgxhold: Released needs a connection, and got nil")
	}
	if s := slotOf(conn); s != nil {
		s.release()
	}
}

// Busy runs f and tells that a statement runs meanwhile: one that pgx's tracers are not
// told of, because it is sent by the pgconn.PgConn. It returns f's error.
//
//	err := pgxhold.Busy(conn, func() error {
//		_, err := conn.PgConn().CopyTo(ctx, w, "copy orders to stdout")
//		return err
//	})
func Busy(conn *pgx.Conn, f func() error) error {
	if conn == nil {
		panic("pgxhold: Busy needs a connection, and got nil")
	}
	begin(conn)
	defer end(conn)
	return f()
}

// waiting is a context that carries a wait from the start of an acquire to its
// end, in one allocation.
type waiting struct {
	context.Context
	wait pghold.Wait
}

type waitKey struct{}

func (w *waiting) Value(key any) any {
	if key == (waitKey{}) {
		return w
	}
	return w.Context.Value(key)
}

// TraceCheckoutStart begins a wait. It and the next two are what queuepool calls.
func (t *Tracer) TraceCheckoutStart(ctx context.Context) context.Context {
	return &waiting{ctx, t.recorded().Wait(ctx)}
}

var errNoConn = errors.New("pgxhold: the pool gave neither a connection nor an error")

// TraceCheckoutEnd ends a wait and, without an error, begins the hold.
func (t *Tracer) TraceCheckoutEnd(ctx context.Context, conn *pgx.Conn, err error) {
	w, ok := ctx.Value(waitKey{}).(*waiting)
	if !ok {
		return
	}
	if err == nil && conn == nil { // a hook of the pool's panicked, or called runtime.Goexit
		err = errNoConn
	}
	if err != nil {
		w.wait.Fail(err)
		return
	}
	s := slotOf(conn)
	if s == nil {
		s = newSlot(conn)
	}
	if lost := s.hold.Swap(nil); lost != nil { // it was given back, and nobody said so
		t.recorded().Lost()
		lost.Release()
	}
	s.hold.Store(w.wait.Checkout())
}

// TraceCheckin ends the hold.
func (t *Tracer) TraceCheckin(conn *pgx.Conn) { Released(conn) }

// Holders says who holds the pool's connections now, a line for each place; those
// with the most connections come first. Before these it says whether the request of ctx
// holds one itself, and whether all that hold one wait for another. queuepool puts it into
// its TimeoutError.
func (t *Tracer) Holders(ctx context.Context) []string { return t.recorded().HolderLines(ctx) }

// TracePool is what queuepool calls when a pool is made: it says how many connections are
// open, and how many may be, 0 where there is no limit, and whether the pool is closed.
func (t *Tracer) TracePool(stat func() (open, most int, closed bool)) {
	t.opened.addQueue(stat)
	t.recorded().SetStat(t.opened.stat)
}

// TraceAcquireStart begins a wait.
func (t *Tracer) TraceAcquireStart(ctx context.Context, pool *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if t.opened.add(pool) {
		t.recorded().SetStat(t.opened.stat)
	}
	return t.TraceCheckoutStart(ctx)
}

// TraceAcquireEnd ends a wait and begins the hold.
func (t *Tracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, data pgxpool.TraceAcquireEndData) {
	t.TraceCheckoutEnd(ctx, data.Conn, data.Err)
}

// TraceRelease ends the hold.
func (t *Tracer) TraceRelease(_ *pgxpool.Pool, data pgxpool.TraceReleaseData) { Released(data.Conn) }

func begin(conn *pgx.Conn) {
	if c := Of(conn); c != nil {
		c.BeginStatement()
	}
}

func end(conn *pgx.Conn) {
	if c := Of(conn); c != nil {
		c.EndStatement(!conn.IsClosed() && conn.PgConn().TxStatus() != 'I')
	}
}

// TraceQueryStart begins a statement.
func (t *Tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	begin(conn)
	return ctx
}

// TraceQueryEnd ends a statement.
func (t *Tracer) TraceQueryEnd(_ context.Context, conn *pgx.Conn, _ pgx.TraceQueryEndData) {
	end(conn)
}

// TraceBatchStart begins a batch, which is one statement.
func (t *Tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	begin(conn)
	return ctx
}

// TraceBatchQuery does nothing: the batch is one statement.
func (t *Tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd ends a batch.
func (t *Tracer) TraceBatchEnd(_ context.Context, conn *pgx.Conn, _ pgx.TraceBatchEndData) {
	end(conn)
}

// TraceCopyFromStart begins a COPY.
func (t *Tracer) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	begin(conn)
	return ctx
}

// TraceCopyFromEnd ends a COPY.
func (t *Tracer) TraceCopyFromEnd(_ context.Context, conn *pgx.Conn, _ pgx.TraceCopyFromEndData) {
	end(conn)
}

// TracePrepareStart begins a preparation; within a statement it is part of it.
func (t *Tracer) TracePrepareStart(ctx context.Context, conn *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	begin(conn)
	return ctx
}

// TracePrepareEnd ends a preparation.
func (t *Tracer) TracePrepareEnd(_ context.Context, conn *pgx.Conn, _ pgx.TracePrepareEndData) {
	end(conn)
}
