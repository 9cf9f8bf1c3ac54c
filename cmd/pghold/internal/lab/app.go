package lab

import (
	"context"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/session"
)

// App is the web service under test: its routes, their pool, the threads that its
// sync routes share, and the worker of its outbox.
type App struct {
	settings   experiment.Settings // in wall-clock time
	compressed bool                // they are not the experiment's own
	network    Network
	tap        net.Addr // nil where there is none
	pool       session.Pool
	closePool  func()
	sql        statements
	threads    *semaphore.Weighted // first come, first served, as AnyIO's limiter
	provider   *provider
	mux        *http.ServeMux
	recorder   *pghold.Recorder // of what its connections do
	trips      trips
	trace      *trace  // nil where nobody asks for it
	traffic    traffic // to the database

	// What the experiment did not ask for: of requests, of the outbox's workers, and of
	// connections that the server ended.
	failures, workerFailures, ended faults

	inFlight atomic.Int64

	updates  atomic.Int64 // begun
	retries  atomic.Int64 // of writes
	workers  sync.WaitGroup
	outboxed chan struct{} // a signal that the outbox has something new

	ctx  context.Context // of the handlers, where they outlive their clients
	stop context.CancelFunc
}

// AppConfig is what an App is made of.
type AppConfig struct {
	Database *Database
	Settings experiment.Settings
	Routes   []experiment.Route
	// Application is the name that its connections have on the server.
	Application string
	// Provider is the address of the slow API (package upstream). Routes that need
	// one fail without.
	Provider string
	// Via is the address of the database by way of a PgBouncer; empty where there is
	// none.
	Via string

	// tap is where a tap listens that its connections go through; nil where there is none.
	tap net.Addr
	// traced says that each checkout is to be written down. It takes memory as long as
	// the app lives.
	traced bool
}

// NewApp makes an app on a database that was set up. It opens no connection before
// the first request, except for the worker of an outbox.
func NewApp(cfg AppConfig) (*App, error) {
	recorded := pghold.Config{Skip: wrappers}
	if cfg.Database.network != nil {
		// A goroutine profile takes no virtual time, so its cost does not bound how often
		// one is taken: for each of the thousands of pool timeouts, of thousands of goroutines.
		recorded.StuckAfter = math.MaxInt64
	}
	a := &App{
		settings: cfg.Settings.Compressed(), compressed: cfg.Settings.Speed > 1,
		recorder: pghold.NewRecorder(recorded), mux: http.NewServeMux(),
		sql: statementsOf(cfg.Database), threads: semaphore.NewWeighted(int64(cfg.Settings.Threads)),
		outboxed: make(chan struct{}, 1),
	}
	a.network, a.tap = cfg.Database.network, cfg.tap
	a.provider = newProvider(cfg.Provider, a.settings, a.network)
	dsn := cfg.Database.dsn
	if cfg.Via != "" {
		dsn = cfg.Via
	}
	pool, closePool, err := a.openPool(dsn, cfg.Application)
	if err != nil {
		return nil, err
	}
	if cfg.traced {
		a.trace = &trace{}
	}
	a.pool, a.closePool = timedPool{pool, a.trace}, closePool
	a.ctx, a.stop = context.WithCancel(context.Background())
	for _, r := range cfg.Routes {
		a.mux.Handle(r.Method()+" "+r.Path(), a.handle(r))
	}
	if slices.ContainsFunc(cfg.Routes, experiment.Route.AnswersEarly) {
		a.startWorkers()
	}
	return a, nil
}

// ServeHTTP serves the routes.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Stop ends what handlers and workers are waiting for: connections, threads, the
// slow call.
func (a *App) Stop() { a.stop() }

// Close stops the app and closes its pool, once the handlers have returned.
func (a *App) Close() {
	a.stop()
	a.workers.Wait()
	a.provider.close()
	a.closePool()
}

// handle wraps a route: it waits for a thread where the route needs one, runs the
// handler, answers, and records where the time went.
func (a *App) handle(route experiment.Route) http.Handler {
	run := handlers[route.Name]
	inner := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := tripOf(r.Context())
		pghold.Do(r.Context(), r.Pattern, func(ctx context.Context) {
			answer, err := a.onThread(ctx, route, t, run)
			if err == nil {
				err = answer.write(ctx, w)
			} else {
				writeError(w, err)
			}
			t.err = err
		})
	}))
	if perRequest[route.Name] {
		inner = session.PerRequest(a.pool, session.Options{})(inner)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := a.inFlight.Add(1)
		defer a.inFlight.Add(-1)
		if limit := a.settings.MaxInFlight; limit > 0 && now > int64(limit) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		// net/http ends a request's context when its client has gone; the
		// frameworks that the experiment is about do not.
		ctx := a.ctx
		if a.settings.CancelOnDisconnect {
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(a.ctx, cancel)()
		}
		ctx = withTrip(ctx)
		defer func() { // the session has ended, and a stream that broke off has panicked
			t := tripOf(ctx)
			a.trips.ended(t)
			if reason, ok := a.fault(ctx, t.err); ok && !t.brokenOff {
				a.failures.add(reason)
			}
		}()
		inner.ServeHTTP(w, r.WithContext(ctx))
	})
}

// onThread runs a handler, in one of the threads where its route needs one.
func (a *App) onThread(ctx context.Context, route experiment.Route, t *trip, run handler) (reply, error) {
	if route.Sync {
		start := time.Now()
		err := a.threads.Acquire(ctx, 1)
		t.ThreadWait = time.Since(start)
		if err != nil {
			return reply{}, err
		}
		defer a.threads.Release(1)
	}
	return run(a, ctx)
}
