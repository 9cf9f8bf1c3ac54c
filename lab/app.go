package lab

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/experiment"
	"github.com/pghold/pghold/session"
)

// App is the web service under test: its routes, their pool, and the threads
// that its sync routes share.
type App struct {
	settings   experiment.Settings // in wall-clock time
	compressed bool                // they are not the experiment's own
	pool       session.Pool
	closePool  func()
	threads    *semaphore.Weighted // first come, first served, as AnyIO's limiter
	selectSQL  string
	mux        *http.ServeMux
	recorder   *pghold.Recorder // of what its connections do
	trips      trips
	inFlight   atomic.Int64

	ctx  context.Context // of the handlers, where they outlive their clients
	stop context.CancelFunc
}

// NewApp makes an app with these routes on a database that was set up. It opens
// no connection before the first request. application is the name that its
// connections have on the server.
func NewApp(db *Database, s experiment.Settings, routes []experiment.Route, application string) (*App, error) {
	a := &App{settings: s.Compressed(), compressed: s.Speed > 1, recorder: pghold.New(pghold.Config{Skip: wrappers}), mux: http.NewServeMux(),
		selectSQL: "select id, name from " + db.users() + " where id = $1"}
	pool, closePool, err := openPool(a.settings, db.dsn, application, a.recorder)
	if err != nil {
		return nil, err
	}
	a.pool, a.closePool = timedPool{pool}, closePool
	a.threads = semaphore.NewWeighted(int64(s.Threads))
	a.ctx, a.stop = context.WithCancel(context.Background())
	for _, r := range routes {
		a.mux.Handle("GET "+r.Path(), a.handle(r))
	}
	return a, nil
}

// ServeHTTP serves the routes.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Stop ends what handlers are waiting for: connections, threads, the slow call.
func (a *App) Stop() { a.stop() }

// Close stops the app and closes its pool, once the handlers have returned.
func (a *App) Close() {
	a.stop()
	a.closePool()
}

// handle wraps a route: it waits for a thread where the route needs one, runs
// the handler, answers, and records where the time went.
func (a *App) handle(route experiment.Route) http.Handler {
	run := a.outside
	if route.SlowInside {
		run = a.inside
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.inFlight.Add(1)
		defer a.inFlight.Add(-1)

		// net/http ends a request's context when its client has gone; the
		// frameworks that the experiment is about do not.
		ctx := a.ctx
		if a.settings.CancelOnDisconnect {
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(a.ctx, cancel)()
		}
		t := &trip{}
		pghold.Do(context.WithValue(ctx, tripKey{}, t), r.Pattern, func(ctx context.Context) {
			u, err := a.onThread(ctx, route, t, run)
			a.trips.ended(t, err)
			answer(w, u, err)
		})
	})
}

// onThread runs a handler, in one of the threads where its route needs one.
func (a *App) onThread(ctx context.Context, route experiment.Route, t *trip, run func(context.Context) (*User, error)) (*User, error) {
	if route.Sync {
		start := time.Now()
		err := a.threads.Acquire(ctx, 1)
		t.ThreadWait = time.Since(start)
		if err != nil {
			return nil, err
		}
		defer a.threads.Release(1)
	}
	return run(ctx)
}

// User is what the routes answer.
type User struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// inside makes the slow call with its session open: connection and transaction
// are held through it.
func (a *App) inside(ctx context.Context) (*User, error) {
	s := session.New(a.pool, session.Options{})
	defer s.Close()
	u, err := a.readUser(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := a.slowCall(ctx); err != nil {
		return nil, err
	}
	return u, nil
}

// outside closes its session before it makes the slow call.
func (a *App) outside(ctx context.Context) (u *User, err error) {
	err = session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) error {
		u, err = a.readUser(ctx, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := a.slowCall(ctx); err != nil {
		return nil, err
	}
	return u, nil
}

func (a *App) readUser(ctx context.Context, s *session.Session) (*User, error) {
	u := &User{}
	if err := s.QueryRow(ctx, a.selectSQL, 1).Scan(&u.ID, &u.Name); err != nil {
		return nil, err
	}
	return u, nil
}

// slowCall stands for the language model or the payment provider.
func (a *App) slowCall(ctx context.Context) error {
	if a.settings.Slow == 0 {
		return nil
	}
	defer pghold.Start(ctx, "sleep").End()
	start := time.Now()
	defer func() { tripOf(ctx).Slow += time.Since(start) }()
	if a.compressed {
		return sleepExactly(ctx, a.settings.Slow)
	}
	return sleep(ctx, a.settings.Slow)
}

// sleep waits for d or until ctx ends, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer writes the user or the error. A pool that had no connection in time is
// 503 here, so that a client can tell it from a mistake; FastAPI answers 500.
func answer(w http.ResponseWriter, u *User, err error) {
	status := http.StatusOK
	var body any = u
	if err != nil {
		body = map[string]string{"error": err.Error()}
		switch {
		case isPoolTimeout(err):
			status = http.StatusServiceUnavailable
		case errors.Is(err, context.Canceled):
			status = 499 // the client has gone, as nginx has it
		default:
			status = http.StatusInternalServerError
		}
	}
	b, marshalErr := json.Marshal(body)
	if marshalErr != nil {
		status, b = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(b)
}
