package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/attack"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
)

// Options say how a run is carried out.
type Options struct {
	// Settings are the run's. A case may have others.
	Settings experiment.Settings
	// Cases are what is run, in order.
	Cases []experiment.Case
	// Repeat is how many times each case is run, in rounds: all cases once, then all
	// again, so that a machine that becomes slower does so for every case. The figures
	// and files of a case are those of its run with the median throughput, and the
	// other runs leave theirs in RouteResult.Repeats. Default 1.
	Repeat int
	// Dir is an existing folder that gets, for every case, its requests (NAME.bin, as
	// vegeta writes them), its connection samples (NAME.connections.csv), its checkouts
	// (NAME.checkouts.csv) and what the recorder knew of its holds at the end
	// (NAME.holds.json, a pghold.Snapshot in wall-clock time).
	Dir string
	// Tap puts a tap between the app and its database, and samples the server as pghold
	// watch does, for RouteResult.Sides. It takes a connection more.
	Tap bool
	// Progress is told how the run goes, several times a second. It is called by
	// one goroutine at a time. Default: nobody is told.
	Progress func(Progress)
	// Bouncer starts a PgBouncer in front of the database, in transaction mode with so
	// many server connections, for the cases that have one. Default: such a case is an
	// error.
	Bouncer func(ctx context.Context, connections int) (*Bouncer, error)
}

// Bouncer is a PgBouncer in front of the database, which is not the lab's.
type Bouncer struct {
	DSN string // of the database by way of it
	// Refused returns how many of its connections the server has refused, and why: its
	// clients only wait longer. A route with one is not valid.
	Refused func() (n int, reason string)
	Stop    func() error
}

// Progress is the state of a run.
type Progress struct {
	Case     experiment.Case
	Number   int           // of the case, from 1 to the number of cases
	Round    int           // from 1
	Rounds   int           // Options.Repeat
	Elapsed  time.Duration // since the route's first request, in the experiment's own time
	Requests int           // to be sent
	Sent     int
	OK       int // answered in time
	Failed   int // errors and time-outs
	InFlight int // handlers that run, whether or not their client still waits
	Draining bool
	// Killing is true while the app is killed and started again, to see what it
	// leaves behind.
	Killing  bool
	Sessions activity.Sample // the app's, on the server
	// SoFar returns what was measured of the route until now, and what happened one by
	// one. It costs time that the attack may need: call it where somebody looks.
	SoFar func() (*experiment.RouteResult, *experiment.Trace)
	// Done is the route's result, on the last Progress of each run of a route.
	Done *experiment.RouteResult
}

// Run runs the experiment: each case on a server and a pool of its own, one after
// the other, each once the last has drained. When ctx ends, it ends too and returns
// the cases that were finished, with Interrupted set. So it does at an error, which it
// returns beside them and has in Failed; where no case was finished, it returns only the
// error.
func Run(ctx context.Context, db *Database, o Options) (*experiment.Result, error) {
	for _, c := range append([]experiment.Case{{Settings: o.Settings}}, o.Cases...) {
		if err := c.Settings.Check(); err != nil {
			return nil, err
		}
		if err := allowFiles(c.Settings); err != nil {
			return nil, err
		}
	}
	o.Repeat = max(1, o.Repeat)
	sampler, err := db.openSampler(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting the observer: %w", err)
	}
	defer sampler.Close(context.WithoutCancel(ctx))

	started := time.Now().UTC().Truncate(time.Second)
	res := &experiment.Result{
		Kind: experiment.Measured, StartedAt: &started, Settings: o.Settings,
		Routes: []experiment.RouteResult{}, Warnings: []string{},
	}
	if o.Repeat > 1 {
		res.Repeat = o.Repeat
	}
	res.Settings.Postgres = db.Version
	all := make([]rundir.Runs, len(o.Cases))
	var failed error
	defer func() {
		for _, r := range all {
			r.Clear()
		}
	}()
	for round := 1; round <= o.Repeat && !res.Interrupted; round++ {
		for i, c := range o.Cases {
			if c.Settings.TransactionTimeout > 0 && db.major() < 17 {
				if round == 1 {
					res.Warnings = append(res.Warnings, fmt.Sprintf("%s was left out: transaction_timeout needs PostgreSQL 17, and this is %s.", c.Name, db.Version))
				}
				continue
			}
			own, err := o.forRun(i, round)
			if err == nil {
				var r *experiment.RouteResult
				if r, err = runCase(ctx, db, sampler, own, c); err != nil {
					r = nil
				}
				all[i].Add(r, own.Dir, o.Dir)
			}
			if err != nil && ctx.Err() == nil {
				failed = fmt.Errorf("%s: %w", c.Name, err)
			}
			if err != nil {
				res.Interrupted = true
				break
			}
		}
	}
	var ran []ranCase
	for i, c := range o.Cases {
		if len(all[i].Done()) == 0 {
			continue
		}
		r, err := all[i].Result(o.Dir)
		if err != nil {
			res.Interrupted, failed = true, cmp.Or(failed, fmt.Errorf("%s: %w", c.Name, err))
			continue
		}
		res.Routes = append(res.Routes, *r)
		ran = append(ran, ranCase{c, all[i].Done()})
	}
	if failed != nil && len(res.Routes) == 0 {
		return nil, failed
	}
	if failed != nil {
		res.Failed = failed.Error()
	}
	res.Warnings = append(res.Warnings, warnings(res, ran, len(o.Cases))...)
	return res, failed
}

// runCase runs one case. When ctx ends, what it returns is incomplete, and its files
// are removed.
func runCase(ctx context.Context, db *Database, sampler *activity.Sampler, o Options, c experiment.Case) (_ *experiment.RouteResult, failed error) {
	defer func() {
		if failed != nil {
			for _, kind := range rundir.Kinds() {
				os.Remove(kind.Of(o.Dir, c.Name))
			}
		}
	}()
	speed := c.Settings.Speed
	env, err := startEnvironment(ctx, db, sampler, o, c)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := env.close(); err != nil && failed == nil {
			failed = err
		}
	}()
	app, err := NewApp(env.app)
	if err != nil {
		return nil, err
	}
	defer app.Close()
	listener, err := listen(db.network)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: app, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(listener)
	defer server.Close()

	requests, err := create(rundir.Requests.Of(o.Dir, c.Name), &failed)
	if err != nil {
		return nil, err
	}
	defer requests.close()
	samples, err := create(rundir.Connections.Of(o.Dir, c.Name), &failed)
	if err != nil {
		return nil, err
	}
	defer samples.close()
	observer, err := newObserver(sampler, env.app.Application, speed, samples)
	if err != nil {
		return nil, err
	}

	// The observer runs until it is told to stop. Its failure, or the end of ctx,
	// ends the attack and everything that waits.
	load := newAttack(c, db.network, "http://"+listener.Addr().String())
	observing, stopObserving := context.WithCancel(ctx)
	began := time.Now()
	measured := func() (*experiment.RouteResult, *experiment.Trace) {
		r, snapshot := load.Result(), app.recorder.Snapshot()
		nameResult(&r, o, c, db)
		r.Time, r.Holds, r.PerRequest = app.trips.means(speed), holds(snapshot, speed), app.perRequest(snapshot)
		return &r, traceOf(load, app, c.Route, speed)
	}
	progress := Progress{Case: c, Requests: c.Settings.Requests()}
	observed := make(chan error, 1)
	go func() {
		err := observer.watch(observing, func(s activity.Sample) {
			progress.Elapsed, progress.Sessions = experiment.Stretch(time.Since(began), speed), s
			count(load, &progress)
			progress.InFlight = int(app.inFlight.Load())
			seen := observer.seen // by now; later it is changed while somebody asks
			progress.SoFar = func() (*experiment.RouteResult, *experiment.Trace) {
				r, happened := measured()
				r.Connections = seen
				return r, happened
			}
			o.tell(progress)
		})
		stopObserving()
		observed <- err
	}()
	keepServing := context.AfterFunc(observing, func() {
		load.Stop()
		app.Stop()
		server.Close()
	})
	attackErr := load.Run(requests)
	server.Shutdown(observing) // returns when every handler has, or when observing ends
	var drainErr error
	if c.Route.AnswersEarly() && observing.Err() == nil {
		drainErr = db.drainOutbox(observing)
		app.trips.lastEnded = time.Now()
	}
	keepServing()
	stopObserving()
	switch err := <-observed; {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("the Postgres server no longer answers: %w", err)
	case attackErr != nil:
		return nil, attackErr
	case drainErr != nil:
		return nil, drainErr
	}
	if err := observer.left(ctx); err != nil {
		return nil, err
	}

	r, happened := measured()
	r.Connections = observer.seen
	r.Holds.Opening = app.traffic.openings(speed)
	r.Holds.Handover = experiment.NewQuantiles(experiment.Handovers(happened.Checkouts, c.Settings.Connections()))
	r.DrainedAfter = max(0, experiment.Stretch(app.trips.lastEnded.Sub(load.Ended()), speed))
	r.NotValid = notValid(app, load, env.bouncer)
	if failed = writeHolds(o.Dir, c, app.recorder.Snapshot()); failed != nil {
		return nil, failed
	}
	if failed = writeCheckouts(o.Dir, c, happened.Checkouts, &failed); failed != nil {
		return nil, failed
	}
	if env.sides != nil {
		app.Close() // so that no transaction is cut off
		if r.Sides, err = env.sides.saw(ctx, r.Holds.SilentInTransaction); err != nil {
			return nil, err
		}
	}
	if c.Route.Updates() {
		progress.Killing = true
		o.tell(progress)
		app.Close() // the apps that are killed need its connections
		if r.Updates, err = env.updates(ctx, int(app.retries.Load())); err != nil {
			return nil, err
		}
	}
	progress.Done = r
	progress.SoFar = func() (*experiment.RouteResult, *experiment.Trace) { return r, happened }
	count(load, &progress)
	o.tell(progress)
	return r, nil
}

// nameResult says what a result is of.
func nameResult(r *experiment.RouteResult, o Options, c experiment.Case, db *Database) {
	r.Name = c.Name
	if c.Name != c.Route.Name {
		r.Route = c.Route.Name
	}
	if c.Settings != o.Settings {
		own := c.Settings
		own.Postgres = db.Version
		r.Settings = &own
	}
}

// forRun are the options of one run of a case. Where there are several, each has a
// folder of its own for its files until it is known which of them stay.
func (o Options) forRun(i, round int) (Options, error) {
	tell := o.tell
	own := o
	own.Progress = func(p Progress) {
		p.Number, p.Round, p.Rounds = i+1, round, o.Repeat
		tell(p)
	}
	if o.Repeat == 1 {
		return own, nil
	}
	var err error
	own.Dir, err = rundir.Round(o.Dir, round)
	return own, err
}

func (o Options) tell(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

// newAttack is an attack of the case's route at base, an http://host:port.
func newAttack(c experiment.Case, n Network, base string) *attack.Attack {
	cfg := attack.Config{
		Name: c.Name, Settings: c.Settings,
		Targets: vegeta.NewStaticTargeter(vegeta.Target{Method: c.Route.Method(), URL: base + c.Route.Path()}),
	}
	if n != nil {
		cfg.Dial = n.Dial
	}
	return attack.New(cfg)
}

// count sets the progress of an attack.
func count(a *attack.Attack, p *Progress) {
	p.Sent, p.OK, p.Failed = a.Counts()
	p.Draining = p.OK+p.Failed >= p.Requests
}

func writeHolds(dir string, c experiment.Case, s *pghold.Snapshot) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(rundir.Holds.Of(dir, c.Name), append(b, '\n'), 0o666)
}

// file is one of a case's files, which go when it has failed.
type file struct {
	*os.File
	failed *error
}

func create(name string, failed *error) (*file, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	return &file{f, failed}, nil
}

func (f *file) close() {
	if err := f.Close(); err != nil && *f.failed == nil {
		*f.failed = err
	}
}
