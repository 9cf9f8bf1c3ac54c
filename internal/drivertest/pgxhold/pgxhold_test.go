package pgxhold_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/pgxhold"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// open makes a pool of up to two connections with a recorder.
func open(t *testing.T, change func(*pgxpool.Config)) (*pgxpool.Pool, *pghold.Recorder) {
	t.Helper()
	return openAt(t, pgtest.DSN(t), change)
}

func openAt(t *testing.T, dsn string, change func(*pgxpool.Config)) (*pgxpool.Pool, *pghold.Recorder) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = 2
	if change != nil {
		change(cfg)
	}
	r := pghold.NewRecorder(pghold.Config{})
	if err := pgxhold.Install(cfg, r, "main"); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool, r
}

// sum adds the series up.
func sum(t *testing.T, r *pghold.Recorder) (all pghold.Series) {
	t.Helper()
	s := r.Snapshot()
	if len(s.Open) != 0 {
		t.Errorf("%d holds are still open: %+v", len(s.Open), s.Open)
	}
	for _, p := range s.Pools {
		if p.Checkouts != p.Releases || p.Waiting != 0 {
			t.Errorf("pool %+v: every checkout should have its release, and nobody should wait", p)
		}
	}
	for _, series := range s.Series {
		all.Held.Merge(&series.Held)
		all.Wait.Merge(&series.Wait)
		all.Silent.Merge(&series.Silent)
		all.Statements += series.Statements
		all.Busy += series.Busy
		all.SilentInTransaction += series.SilentInTransaction
		if series.Site.File == "" || !strings.HasSuffix(series.Site.File, "_test.go") {
			t.Errorf("a hold was taken at %+v, want a line of this test", series.Site)
		}
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// goesTo is what the time of the one open hold goes to now: all that passes between two
// looks at it, however long that is.
func goesTo(t *testing.T, r *pghold.Recorder) string {
	t.Helper()
	look := func() pghold.Hold {
		open := r.Snapshot().Open
		if len(open) != 1 {
			t.Fatalf("%d holds are open, want one: %+v", len(open), open)
		}
		return open[0]
	}
	a := look()
	b := look()
	for b.Held == a.Held { // until the clock has moved
		b = look()
	}
	switch b.Held - a.Held {
	case b.Busy - a.Busy:
		return "a statement"
	case b.SilentInTransaction - a.SilentInTransaction:
		return "silence in a transaction"
	case b.Silent() - a.Silent():
		return "silence"
	}
	return "several things"
}

func TestTracer_PoolMethods(t *testing.T) {
	pool, r := open(t, nil)
	ctx := pghold.WithRoute(t.Context(), "GET /")
	_, err := pool.Exec(ctx, "create table t (n int)")
	must(t, err)
	var n int
	must(t, pool.QueryRow(ctx, "select count(*) from t where n = $1", 1).Scan(&n))
	rows, err := pool.Query(ctx, "select generate_series(1, 3)")
	must(t, err)
	_, err = pgx.CollectRows(rows, pgx.RowTo[int])
	must(t, err)
	batch := &pgx.Batch{}
	batch.Queue("select 1")
	batch.Queue("select 2")
	must(t, pool.SendBatch(ctx, batch).Close())
	_, err = pool.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}}))
	must(t, err)
	all := sum(t, r)
	if all.Held.Count() != 5 || all.Statements < 5 || all.SilentInTransaction != 0 {
		t.Errorf("%d holds, %d statements, %v silent in transaction; want 5 holds of at least a statement each, outside of transactions",
			all.Held.Count(), all.Statements, all.SilentInTransaction)
	}
	if p := r.Snapshot().Pools[0]; p.Open != 1 || p.Max != 2 {
		t.Errorf("the pool says of itself %+v, want 1 connection of at most 2", p)
	}
	for _, s := range r.Snapshot().Series {
		if s.Route != "GET /" || s.Pool != "main" || !strings.HasSuffix(s.Site.Func, "TestTracer_PoolMethods") {
			t.Errorf("got %s, %s, %+v", s.Pool, s.Route, s.Site)
		}
	}
}

func TestTracer_Transaction(t *testing.T) {
	pool, r := open(t, nil)
	silent := func(after string) {
		t.Helper()
		if got := goesTo(t, r); got != "silence in a transaction" {
			t.Errorf("after %s the time goes to %s, want silence in a transaction", after, got)
		}
	}
	tx, err := pool.Begin(t.Context())
	must(t, err)
	silent("BEGIN")
	_, err = tx.Exec(t.Context(), "select 1")
	must(t, err)
	inner, err := tx.Begin(t.Context()) // a savepoint
	must(t, err)
	silent("a savepoint")
	must(t, inner.Rollback(t.Context()))
	_, err = tx.Exec(t.Context(), "select 1/0") // aborts it
	if err == nil {
		t.Fatal("no error")
	}
	silent("an error")
	must(t, tx.Rollback(t.Context()))
	if all := sum(t, r); all.Held.Count() != 1 || all.Statements != 6 {
		t.Errorf("%d holds, %d statements; want 1 and 6", all.Held.Count(), all.Statements)
	}
}

// Whatever a hold has done, between its statements it is not busy.
func TestTracer_EndsWhatItBegins(t *testing.T) {
	pool, r := open(t, nil)
	ctx := t.Context()
	conn, err := pool.Acquire(ctx)
	must(t, err)
	defer conn.Release()
	idle := func(what string) {
		t.Helper()
		if got := goesTo(t, r); got != "silence" {
			t.Errorf("after %s the time goes to %s, want silence", what, got)
		}
	}
	_, err = conn.Exec(ctx, "create table t (n int)")
	must(t, err)
	idle("Exec")
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}}))
	must(t, err)
	idle("CopyFrom")
	batch := &pgx.Batch{}
	batch.Queue("select 1")
	must(t, conn.SendBatch(ctx, batch).Close())
	idle("SendBatch")
	_, err = conn.Conn().Prepare(ctx, "a", "select 1")
	must(t, err)
	idle("Prepare")
}

func TestTracer_GapAfterTheTransactionIsNotInIt(t *testing.T) {
	pool, r := open(t, nil)
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	_, err = conn.Exec(t.Context(), "begin; select 1; commit")
	must(t, err)
	if got := goesTo(t, r); got != "silence" {
		t.Errorf("after COMMIT the time goes to %s, want silence", got)
	}
	conn.Release()
	if all := sum(t, r); all.SilentInTransaction != 0 {
		t.Errorf("%v silent in transaction, want none", all.SilentInTransaction)
	}
}

func TestTracer_PreparedStatement(t *testing.T) {
	pool, r := open(t, nil)
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	_, err = conn.Conn().Prepare(t.Context(), "p", "select $1::int")
	must(t, err)
	_, err = conn.Exec(t.Context(), "p", 1)
	must(t, err)
	_, err = conn.Exec(t.Context(), "select $1::text", "prepared on the way")
	must(t, err)
	conn.Release()
	if all := sum(t, r); all.Statements != 3 || all.Busy <= 0 {
		t.Errorf("%d statements, busy %v; want 3: what is prepared on the way is part of its statement", all.Statements, all.Busy)
	}
}

// A hook of the pool's that panics: pgxpool then ends the acquire with neither a
// connection nor an error, and the panic must be the one that arrives.
func TestTracer_AcquireThatPanics(t *testing.T) {
	cfg, err := pgxpool.ParseConfig(pgtest.DSN(t))
	must(t, err)
	//lint:ignore SA1019 the oldest pgx that pgxhold works with has no PrepareConn
	cfg.BeforeAcquire = func(ctx context.Context, conn *pgx.Conn) bool {
		conn.Close(ctx)
		panic("the hook's own")
	}
	r := pghold.NewRecorder(pghold.Config{})
	must(t, pgxhold.Install(cfg, r, "main"))
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg) // not closed: pgxpool would wait for ever for the connection that the panic lost
	must(t, err)
	func() {
		defer func() {
			if got := recover(); got != "the hook's own" {
				t.Errorf("recovered %v, want the hook's own panic", got)
			}
		}()
		pool.Acquire(t.Context())
	}()
	if all := sum(t, r); all.Held.Count() != 0 || r.Snapshot().Pools[0].Failures != 1 {
		t.Errorf("%d holds, pool %+v; want none, and one failure", all.Held.Count(), r.Snapshot().Pools[0])
	}
}

func TestTracer_Hijack(t *testing.T) {
	pool, r := open(t, nil)
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	mine := conn.Hijack()
	if s := r.Snapshot(); len(s.Open) != 1 {
		t.Errorf("%d holds are open, want the hijacked one", len(s.Open))
	}
	must(t, mine.Close(t.Context()))
	pgxhold.Released(mine)
	pgxhold.Released(mine)
	if all := sum(t, r); all.Held.Count() != 1 {
		t.Errorf("%d holds, want 1", all.Held.Count())
	}
}

func TestTracer_AcquireAllIdle(t *testing.T) {
	pool, r := open(t, nil)
	must(t, pool.Ping(t.Context()))
	for _, conn := range pool.AcquireAllIdle(t.Context()) {
		_, err := conn.Exec(t.Context(), "select 1")
		must(t, err)
		conn.Release()
	}
	if all := sum(t, r); all.Held.Count() != 1 { // of Ping
		t.Errorf("%d holds, want 1: of what AcquireAllIdle takes nobody is told", all.Held.Count())
	}
}

func TestTracer_OutsideOfAPool(t *testing.T) {
	cfg, err := pgx.ParseConfig(pgtest.DSN(t))
	must(t, err)
	r := pghold.NewRecorder(pghold.Config{})
	must(t, pgxhold.InstallConn(cfg, r, "none"))
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	must(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "select 1")
	must(t, err)
	if s := r.Snapshot(); len(s.Open)+len(s.Series) != 0 {
		t.Errorf("%d open and %d series, want none", len(s.Open), len(s.Series))
	}
}

// other is a tracer that was there before; it has every hook there is.
type other struct{ seen map[string]int }

func (o other) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	o.seen["QueryStart"]++
	return ctx
}
func (o other) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) { o.seen["QueryEnd"]++ }
func (o other) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	o.seen["BatchStart"]++
	return ctx
}
func (o other) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {
	o.seen["BatchQuery"]++
}
func (o other) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) { o.seen["BatchEnd"]++ }
func (o other) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	o.seen["CopyFromStart"]++
	return ctx
}
func (o other) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {
	o.seen["CopyFromEnd"]++
}
func (o other) TracePrepareStart(ctx context.Context, _ *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	o.seen["PrepareStart"]++
	return ctx
}
func (o other) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {
	o.seen["PrepareEnd"]++
}
func (o other) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	o.seen["ConnectStart"]++
	return ctx
}
func (o other) TraceConnectEnd(context.Context, pgx.TraceConnectEndData) { o.seen["ConnectEnd"]++ }
func (o other) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	o.seen["AcquireStart"]++
	return ctx
}
func (o other) TraceAcquireEnd(context.Context, *pgxpool.Pool, pgxpool.TraceAcquireEndData) {
	o.seen["AcquireEnd"]++
}
func (o other) TraceRelease(*pgxpool.Pool, pgxpool.TraceReleaseData) { o.seen["Release"]++ }

func TestInstall_KeepsTheTracerThatIsThere(t *testing.T) {
	before := other{map[string]int{}}
	pool, r := open(t, func(c *pgxpool.Config) { c.MaxConns, c.ConnConfig.Tracer = 1, before })
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	_, err = conn.Exec(t.Context(), "create temp table t (n int)")
	must(t, err)
	batch := &pgx.Batch{}
	batch.Queue("select 1")
	must(t, conn.SendBatch(t.Context(), batch).Close())
	_, err = conn.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}}))
	must(t, err)
	conn.Release()
	for _, hook := range []string{"QueryStart", "QueryEnd", "BatchStart", "BatchQuery", "BatchEnd", "CopyFromStart", "CopyFromEnd",
		"PrepareStart", "PrepareEnd", "ConnectStart", "ConnectEnd", "AcquireStart", "AcquireEnd", "Release"} {
		if before.seen[hook] == 0 {
			t.Errorf("the tracer that was there is no longer told of %s", hook)
		}
	}
	if all := sum(t, r); all.Held.Count() != 1 || all.Statements != 3 {
		t.Errorf("%d holds, %d statements; want 1 and 3", all.Held.Count(), all.Statements)
	}
}

// A COPY is one statement, also while its rows are still being made.
func TestTracer_CopyIsBusy(t *testing.T) {
	pool, r := open(t, nil)
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "create temp table t (n int)")
	must(t, err)
	n := 0
	_, err = conn.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"n"}, pgx.CopyFromFunc(func() ([]any, error) {
		if holds := r.OpenHolds(); len(holds) != 1 || !holds[0].Running {
			t.Errorf("while rows are copied the open holds are %+v, want one in a statement", holds)
		}
		if n++; n > 2 {
			return nil, nil
		}
		return []any{n}, nil
	}))
	must(t, err)
	if holds := r.OpenHolds(); len(holds) != 1 || holds[0].Running {
		t.Errorf("after the COPY the open holds are %+v, want one in no statement", holds)
	}
}

// COPY TO is sent by the PgConn, of which tracers are not told.
func TestBusy(t *testing.T) {
	pool, r := open(t, nil)
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	var b strings.Builder
	must(t, pgxhold.Busy(conn.Conn(), func() error {
		for _, h := range r.OpenHolds() {
			if !h.Running {
				t.Errorf("during the COPY the hold is %s", h.Doing())
			}
		}
		_, err := conn.Conn().PgConn().CopyTo(t.Context(), &b, "copy (select 4711) to stdout")
		return err
	}))
	if h := r.OpenHolds()[0]; b.String() != "4711\n" || h.Running || h.Statements != 1 {
		t.Errorf("it copied %q, and the hold is %+v", b.String(), h)
	}
	broken := errors.New("broken")
	if err := pgxhold.Busy(conn.Conn(), func() error { return broken }); err != broken {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() { recover() }()
		pgxhold.Busy(conn.Conn(), func() error { panic("broken") })
	}()
	if r.OpenHolds()[0].Running {
		t.Error("it is said to run after it panicked")
	}
	conn.Release()
}

// acquires is a tracer around another one that does not pass releases on, as that of
// dd-trace-go was.
type acquires struct{ inner *pgxhold.Tracer }

func (a acquires) TraceQueryStart(ctx context.Context, c *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	return a.inner.TraceQueryStart(ctx, c, d)
}
func (a acquires) TraceQueryEnd(ctx context.Context, c *pgx.Conn, d pgx.TraceQueryEndData) {
	a.inner.TraceQueryEnd(ctx, c, d)
}
func (a acquires) TraceAcquireStart(ctx context.Context, p *pgxpool.Pool, d pgxpool.TraceAcquireStartData) context.Context {
	return a.inner.TraceAcquireStart(ctx, p, d)
}
func (a acquires) TraceAcquireEnd(ctx context.Context, p *pgxpool.Pool, d pgxpool.TraceAcquireEndData) {
	a.inner.TraceAcquireEnd(ctx, p, d)
}

// Releases that never arrive are told, once.
func TestTracer_ReleasesThatNeverArrive(t *testing.T) {
	var told []string
	r := pghold.NewRecorder(pghold.Config{OnHint: func(hint string) { told = append(told, hint) }})
	cfg, err := pgxpool.ParseConfig(pgtest.DSN(t))
	must(t, err)
	cfg.MaxConns = 1
	cfg.ConnConfig.Tracer = acquires{pgxhold.NewTracer(r.Pool("main"))}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	must(t, err)
	defer pool.Close()
	for range 3 {
		_, err := pool.Exec(t.Context(), "select 1")
		must(t, err)
	}
	if len(told) != 1 || !strings.Contains(told[0], "multitracer") {
		t.Errorf("told of %q, want what to do, once", told)
	}
	if s := r.Snapshot(); len(s.Open) != 1 || s.Pools[0].Checkouts != 3 || s.Pools[0].Releases != 2 {
		t.Errorf("%d holds are open, of %+v", len(s.Open), s.Pools[0])
	}
}

// Two pools that were given one name are told apart while both are open.
func TestInstall_TwoPoolsOfOneName(t *testing.T) {
	var told []string
	r := pghold.NewRecorder(pghold.Config{OnHint: func(hint string) { told = append(told, hint) }})
	open := func() *pgxpool.Pool {
		cfg, err := pgxpool.ParseConfig(pgtest.DSN(t))
		must(t, err)
		cfg.MaxConns = 3
		must(t, pgxhold.Install(cfg, r, "main"))
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		must(t, err)
		return pool
	}
	first, second := open(), open()
	defer second.Close()
	if s := r.Snapshot(); len(s.Pools) != 1 || s.Pools[0].Name != "main" {
		t.Errorf("before they are used the pools are %+v", s.Pools)
	}
	for range 2 {
		must(t, second.Ping(t.Context())) // is used first
		must(t, first.Ping(t.Context()))
	}
	if s := r.Snapshot(); len(s.Pools) != 2 || s.Pools[1].Name != "main (2)" || s.Pools[0].Max != 3 || s.Pools[1].Max != 3 || s.Pools[0].Checkouts != 2 || s.Pools[1].Checkouts != 2 {
		t.Errorf("the pools are %+v, want two with two checkouts each", s.Pools)
	}
	if len(told) != 1 {
		t.Errorf("told of %q, want one hint", told)
	}
	first.Close()
	third := open()
	defer third.Close()
	must(t, third.Ping(t.Context()))
	if s := r.Snapshot(); len(s.Pools) != 2 || s.Pools[1].Checkouts != 3 {
		t.Errorf("the pools are %+v, want that the third is called as the one that was closed", s.Pools)
	}
}

// A connection that is taken again has been given back, whether that was told or not.
func TestTracer_TakenAgainWithoutACheckin(t *testing.T) {
	pool, _ := open(t, nil)
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	defer conn.Release()
	other := pghold.NewRecorder(pghold.Config{})
	tracer := pgxhold.NewTracer(other.Pool("main"))
	for range 3 {
		tracer.TraceCheckoutEnd(tracer.TraceCheckoutStart(t.Context()), conn.Conn(), nil)
	}
	if p := other.Snapshot().Pools[0]; p.Checkouts != 3 || p.Releases != 2 {
		t.Errorf("%d checkouts and %d releases, want 3 and 2", p.Checkouts, p.Releases)
	}
	tracer.TraceCheckin(conn.Conn())
	if p := other.Snapshot().Pools[0]; p.Releases != 3 {
		t.Errorf("%d releases at the end, want 3", p.Releases)
	}
}

// tracesCheckouts is a tracer that was there before and has queuepool's hooks too.
type tracesCheckouts struct{ other }

type checkoutKey struct{}

func (t tracesCheckouts) TraceCheckoutStart(ctx context.Context) context.Context {
	t.seen["CheckoutStart"]++
	return context.WithValue(ctx, checkoutKey{}, "its own")
}
func (t tracesCheckouts) TraceCheckoutEnd(ctx context.Context, conn *pgx.Conn, err error) {
	if ctx.Value(checkoutKey{}) == "its own" && (conn == nil) == (err != nil) {
		t.seen["CheckoutEnd"]++
	}
}
func (t tracesCheckouts) TraceCheckin(conn *pgx.Conn) { t.seen["Checkin"]++ }

// Pools that are opened with one configuration are one, and what a closed one said
// of itself is forgotten.
func TestInstall_PoolsOfOneConfiguration(t *testing.T) {
	cfg, err := pgxpool.ParseConfig(pgtest.DSN(t))
	must(t, err)
	cfg.MaxConns = 3
	r := pghold.NewRecorder(pghold.Config{})
	must(t, pgxhold.Install(cfg, r, "main"))
	open := func() *pgxpool.Pool {
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		must(t, err)
		must(t, pool.Ping(t.Context()))
		return pool
	}
	want := func(when string, open, max int, waits uint64) {
		t.Helper()
		if p := r.Snapshot().Pools[0]; p.Open != open || p.Max != max || p.Waits != waits {
			t.Errorf("%s: %d open, at most %d, %d waits; want %d, %d and %d", when, p.Open, p.Max, p.Waits, open, max, waits)
		}
	}
	first := open() // and its first caller waited for a connection to be opened
	want("one pool", 1, 3, 1)
	second := open()
	defer second.Close()
	want("two pools", 2, 6, 2)
	must(t, first.Ping(t.Context()))
	must(t, second.Ping(t.Context()))
	want("two pools that were used again", 2, 6, 2)
	first.Close()
	want("the first is closed", 1, 3, 2)
	third := open()
	want("the first is closed and another open", 2, 6, 2)
	third.Close()
	want("the last is closed", 1, 3, 2)
	must(t, second.Ping(t.Context()))
	want("and the second goes on", 1, 3, 2)
}

func TestInstall_Refuses(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	if err := pgxhold.Install(nil, r, "x"); err == nil {
		t.Error("no configuration: no error")
	}
	if err := pgxhold.InstallConn(nil, r, "x"); err == nil {
		t.Error("no connection configuration: no error")
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no pool: no panic")
			}
		}()
		pgxhold.NewTracer(nil)
	}()
	for _, tracer := range []pgx.QueryTracer{nil, other{map[string]int{}}} {
		cfg, err := pgxpool.ParseConfig("postgres://127.0.0.1/x")
		must(t, err)
		cfg.ConnConfig.Tracer = tracer
		if err := pgxhold.Install(cfg, nil, "x"); err == nil {
			t.Error("no recorder: no error")
		}
		must(t, pgxhold.Install(cfg, r, "x"))
		if err := pgxhold.Install(cfg, r, "x"); err == nil {
			t.Error("installed twice: no error")
		}
		cfg.ConnConfig.Tracer = multitracer.New(other{map[string]int{}}, cfg.ConnConfig.Tracer)
		if err := pgxhold.Install(cfg, r, "x"); err == nil {
			t.Error("installed a second time, among other tracers: no error")
		}
		cfg.ConnConfig.Tracer = multitracer.New(other{map[string]int{}})
		must(t, pgxhold.Install(cfg, r, "x"))
	}
}

// Two pools that share a recorder are told apart by their names.
func TestInstall_TwoPools(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	for _, name := range []string{"a", "b"} {
		cfg, err := pgxpool.ParseConfig(pgtest.DSN(t))
		must(t, err)
		must(t, pgxhold.Install(cfg, r, name))
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		must(t, err)
		defer pool.Close()
		must(t, pool.Ping(t.Context()))
	}
	if s := r.Snapshot(); len(s.Pools) != 2 || s.Pools[0].Checkouts != 1 || s.Pools[1].Checkouts != 1 || len(s.Series) != 2 {
		t.Errorf("got %+v in %d series", s.Pools, len(s.Series))
	}
}

// A hold with one statement costs at most two allocations, beside another tracer too.
func TestTracer_Allocations(t *testing.T) {
	allocations := func(change func(*pgxpool.Config)) float64 {
		cfg, err := pgxpool.ParseConfig(pgtest.DSN(t))
		must(t, err)
		change(cfg)
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		must(t, err)
		defer pool.Close()
		ctx := pghold.WithRoute(t.Context(), "GET /")
		ask := func() {
			var n int
			must(t, pool.QueryRow(ctx, "select $1::int", 1).Scan(&n))
		}
		ask() // connects and prepares
		return min(testing.AllocsPerRun(200, ask), testing.AllocsPerRun(200, ask), testing.AllocsPerRun(200, ask))
	}
	r := pghold.NewRecorder(pghold.Config{})
	for name, before := range map[string]pgx.QueryTracer{"alone": nil, "beside another": silent{}} {
		without := allocations(func(c *pgxpool.Config) { c.ConnConfig.Tracer = before })
		with := allocations(func(c *pgxpool.Config) {
			c.ConnConfig.Tracer = before
			must(t, pgxhold.Install(c, r, name))
		})
		t.Logf("%s: %v allocations with it, %v without", name, with, without)
		if with > without+2 {
			t.Errorf("%s: a SELECT makes %v allocations, and %v without a recorder; want at most 2 more", name, with, without)
		}
	}
	for _, p := range r.Snapshot().Pools {
		if p.Checkouts < 200 {
			t.Errorf("%+v: nothing was recorded", p)
		}
	}
}

// silent is a tracer that does nothing.
type silent struct{}

func (silent) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (silent) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
