package frameworktest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdtest"
	"github.com/pghold/pghold/httphold"
	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/pgxhold"
	"github.com/pghold/pghold/riverhold"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// The jobs call an API: bad with a transaction open, the others after it.
type (
	goodJob     struct{}
	badJob      struct{}
	failingJob  struct{}
	panickedJob struct{}
)

func (goodJob) Kind() string     { return "good" }
func (badJob) Kind() string      { return "bad" }
func (failingJob) Kind() string  { return "failing" }
func (panickedJob) Kind() string { return "panicked" }

var errDeclined = errors.New("declined")

func workers(pool *pgxpool.Pool, call func(context.Context)) *river.Workers {
	read := func(ctx context.Context, then func()) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "select 1")
			then()
			return err
		})
	}
	nothing := func() {}
	all := river.NewWorkers()
	river.AddWorker(all, river.WorkFunc(func(ctx context.Context, _ *river.Job[goodJob]) error {
		defer call(ctx)
		return read(ctx, nothing)
	}))
	river.AddWorker(all, river.WorkFunc(func(ctx context.Context, _ *river.Job[badJob]) error {
		return read(ctx, func() { call(ctx) })
	}))
	river.AddWorker(all, river.WorkFunc(func(ctx context.Context, _ *river.Job[failingJob]) error {
		return errors.Join(read(ctx, nothing), errDeclined)
	}))
	river.AddWorker(all, river.WorkFunc(func(ctx context.Context, _ *river.Job[panickedJob]) error {
		return read(ctx, func() { panic("worker") })
	}))
	return all
}

// seen is what there is to see of a job.
type seen struct {
	found int // by holdtest
	holds uint64
	// Of the job's holds, and the only ones with a route:
	route  string
	call   string // the slow call, of the API
	panics uint64
	// As river has it in the end:
	state rivertype.JobState
	err   string
}

// of fills in what was recorded.
func (l *seen) of(t *testing.T, recorder *pghold.Recorder, api string) {
	t.Helper()
	holdtests := &told{TB: t}
	holdtest.Fail(holdtests, recorder, holdtest.Rules{MaxGap: time.Hour}) // slow calls alone, on a busy machine too
	l.found = len(holdtests.errors)
	for _, s := range recorder.Snapshot().Series {
		if s.Intended || s.Route == "" { // river's own, and what the test has inserted
			if s.Intended && s.Route != "river" {
				t.Errorf("%q is held on purpose", s.Route)
			}
			continue
		}
		l.holds += s.Held.Count()
		l.panics += s.Panics
		l.route += s.Route
		for _, c := range s.SlowCalls {
			l.call += strings.ReplaceAll(c.What, strings.TrimPrefix(api, "http://"), "api")
		}
	}
}

// worked has river work a job.
func worked(t *testing.T, args river.JobArgs) (l seen) {
	t.Helper()
	ctx := t.Context()
	dsn := pgtest.DSN(t)
	plain, err := pgxpool.New(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(plain), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		t.Fatal(err)
	}

	recorder := pghold.NewRecorder(pghold.Config{})
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := pgxhold.Install(cfg, recorder, "main"); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "slow") }))
	defer api.Close()
	s := &service{client: &http.Client{Transport: httphold.Transport(nil, "GET /slow")}, api: api.URL}
	config := &river.Config{
		Logger:  slog.New(slog.DiscardHandler),
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2}},
		Workers: workers(pool, s.call),
	}
	// recipe: river
	config.Middleware = []rivertype.Middleware{riverhold.Middleware{}} // before others that take connections
	client, err := river.NewClient(riverpgxv5.New(pool), config)
	// end
	if err != nil {
		t.Fatal(err)
	}
	events, unsubscribe := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed)
	defer unsubscribe()
	if _, err := client.Insert(ctx, args, &river.InsertOpts{MaxAttempts: 1}); err != nil {
		t.Fatal(err)
	}
	// recipe: river start
	err = client.Start(pghold.Intend(ctx, "river"))
	// end
	if err != nil {
		t.Fatal(err)
	}
	job := (<-events).Job
	if err := client.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	l.state = job.State
	for _, e := range job.Errors {
		l.err += e.Error
	}
	l.of(t, recorder, api.URL)
	return l
}

func TestRiver(t *testing.T) {
	for args, want := range map[river.JobArgs]seen{
		goodJob{}:     {holds: 1, state: rivertype.JobStateCompleted},
		badJob{}:      {holds: 1, state: rivertype.JobStateCompleted, found: 1, call: "GET api/slow"},
		failingJob{}:  {holds: 1, state: rivertype.JobStateDiscarded, err: "declined"},
		panickedJob{}: {holds: 1, state: rivertype.JobStateDiscarded, err: "worker", panics: 1},
	} {
		t.Run(args.Kind(), func(t *testing.T) {
			want.route = "job " + args.Kind()
			if got := worked(t, args); got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}
