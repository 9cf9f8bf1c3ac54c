package prove

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/attack"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Dial connects to a service.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Options say what is measured, and how.
type Options struct {
	// Settings are those of the load: rate, duration and client timeout.
	Settings experiment.Settings
	Targets  []Target
	// Together sends to each route alone, and then to all at once, at Settings.Rate each.
	Together bool
	// Repeat is how many times it is all done, in rounds. Default 1.
	Repeat int
	// WarmUp is for how long requests are sent before, at the same rate, without being
	// counted.
	WarmUp time.Duration
	// Dir is an existing folder that gets, for every route, its requests (FILE.bin, as vegeta
	// writes them) and its transactions (FILE.checkouts.csv).
	Dir string
	// Wire has the transactions. Sampled says that they are from samples.
	Wire    *Wire
	Sampled bool
	// Holds is the URL of the service's own recorder, which knows what fills the gaps. By
	// default there is none.
	Holds string
	// Failed is closed when the service has ended.
	Failed <-chan struct{}
	// Dial connects to the service. By default that is the net package's. Where it is given,
	// nobody looks whether this machine's processors have time to spare.
	Dial Dial
	// Progress is told how the run goes, several times a second, by one goroutine at a time.
	// By default nobody is.
	Progress func(Progress)
}

// Progress is the state of a run.
type Progress struct {
	Route         string // which is attacked, or Together
	Number        int    // of it, from 1
	Routes        int
	Round, Rounds int
	WarmingUp     bool
	Draining      bool // all requests have ended, and transactions go on
	Elapsed       time.Duration
	Requests      int // to be sent
	Sent          int
	OK, Failed    int
	Sessions      watch.Moment
	// Done are the results, on the last Progress of each.
	Done []*experiment.RouteResult
}

// ErrServiceEnded is the error of a run whose service has ended meanwhile.
var ErrServiceEnded = errors.New("the service has ended")

// stay says that so many connections do.
func stay(n int) string {
	if n == 1 {
		return "1 connection stays idle"
	}
	return fmt.Sprintf("%d connections stay idle", n)
}

// Run attacks the routes. When ctx ends, or the service, it ends too, and returns the
// routes that were finished, with Interrupted set, or nil where none was.
func Run(ctx context.Context, o Options) (*experiment.Result, error) {
	o.Repeat = max(1, o.Repeat)
	started := time.Now().UTC().Truncate(time.Second)
	res := &experiment.Result{Kind: experiment.Measured, StartedAt: &started, Settings: o.Settings, Routes: []experiment.RouteResult{}, Warnings: []string{}}
	if o.Repeat > 1 {
		res.Repeat = o.Repeat
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-o.Failed:
			cancel(ErrServiceEnded)
		case <-ctx.Done():
		}
	}()
	conns := &connections{dial: o.Dial}
	stop := context.AfterFunc(ctx, conns.close)
	defer stop()

	steps, order := stepsOf(routesOf(o.Targets), o.Together)
	all := map[string]*rundir.Runs{}
	defer func() {
		for _, r := range all {
			r.Clear()
		}
	}()
	background, err := o.background(ctx)
	if err != nil {
		return nil, err
	}
	var failed error
	for round := 1; round <= o.Repeat && failed == nil; round++ {
		for i, step := range steps {
			own := o
			own.Progress = func(p Progress) {
				p.Number, p.Routes, p.Round, p.Rounds = i+1, len(steps), round, o.Repeat
				if o.Progress != nil {
					o.Progress(p)
				}
			}
			if o.Repeat > 1 {
				if own.Dir, failed = rundir.Round(o.Dir, round); failed != nil {
					break
				}
			}
			m := &measurement{Options: own, step: step, dial: conns.Dial, background: background}
			results, err := m.run(ctx)
			if err != nil {
				failed = err
				if len(results) == 0 && o.Repeat > 1 {
					os.RemoveAll(own.Dir)
				}
				break
			}
			for _, r := range results {
				if all[r.Name] == nil {
					all[r.Name] = &rundir.Runs{}
				}
				all[r.Name].Add(r, own.Dir, o.Dir)
			}
			if last := results[len(results)-1]; last.Wire != nil && last.Wire.Stuck != nil && (i+1 < len(steps) || round < o.Repeat) {
				failed = fmt.Errorf("after %s the service is stuck: %s in transaction, and no statement runs. What was to come was not attacked", m.name, stay(last.Wire.Stuck.Transactions))
				break
			}
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		failed = cause
	}
	for _, of := range order {
		if all[of.name] == nil {
			continue
		}
		r, err := all[of.name].ResultOf(all[of.medianOf].Median(), o.Dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", of.name, err)
		}
		res.Routes = append(res.Routes, *r)
	}
	if failed != nil {
		if len(res.Routes) == 0 {
			return nil, failed
		}
		res.Interrupted = true
		if !errors.Is(failed, context.Canceled) {
			res.Failed = failed.Error()
		}
	}
	return res, failed
}

// measurement is one attack, on one route or on several at once.
type measurement struct {
	Options
	step
	dial       Dial
	background float64 // statements per second that the service runs by itself
}

// lookEvery is how far apart looks at the ledger are.
const lookEvery = 50 * time.Millisecond

func (m *measurement) run(ctx context.Context) (_ []*experiment.RouteResult, failed error) {
	if err := m.warmUp(ctx); err != nil {
		return nil, err
	}
	recorded, err := m.recorded(ctx)
	if err != nil {
		return nil, err
	}
	loads := m.attacks(m.Settings)
	win := m.Wire.open(time.Now())
	began := time.Now()
	before := processorTime()
	sum := func() (sent, ok, bad int) {
		for _, l := range loads {
			s, o, b := l.Counts()
			sent, ok, bad = sent+s, ok+o, bad+b
		}
		return sent, ok, bad
	}
	look := func() Progress {
		p := Progress{Route: m.name, Elapsed: time.Since(began), Requests: len(loads) * m.Settings.Requests()}
		p.Sent, p.OK, p.Failed = sum()
		p.Sessions = m.Wire.look(win, p.Sent-p.OK-p.Failed, p.OK)
		p.Draining = p.OK+p.Failed >= p.Requests
		return p
	}
	stop := context.AfterFunc(ctx, func() {
		for _, l := range loads {
			l.Stop()
		}
	})
	defer stop()
	attacked := make(chan error, 1)
	go func() { attacked <- m.attack(loads) }()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var attackErr error
	for going := true; going; {
		select {
		case <-ticker.C:
			m.Progress(look())
		case attackErr = <-attacked:
			going = false
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if attackErr != nil {
		return nil, attackErr
	}
	after := processorTime()
	ended := time.Time{}
	for _, l := range loads {
		if at := l.Ended(); at.After(ended) {
			ended = at
		}
	}
	results := resultsOf(loads)
	d := m.drain(ctx, ticker, results, look)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	now, err := m.recorded(ctx)
	if err != nil {
		return nil, err
	}
	processor := 0.0
	if m.Options.Dial == nil {
		processor = after.busySince(before)
	}
	s := m.Wire.close(win, time.Now())
	if now != nil {
		s.filled = filled(recorded, now)
	}
	return m.results(loads, results, s, ended, d, processor)
}

// recorded is what the service's own recorder knows, or nil.
func (m *measurement) recorded(ctx context.Context) (*pghold.Snapshot, error) {
	if m.Holds == "" {
		return nil, nil
	}
	s, err := (&recorder{m.Holds, m.dial}).snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking the service's recorder: %w", err)
	}
	return s, nil
}

// attacks are the loads, one for each route.
func (m *measurement) attacks(s experiment.Settings) (loads []*attack.Attack) {
	for _, r := range m.routes {
		loads = append(loads, attack.New(attack.Config{Name: r.name, Targets: r.targeter(), Settings: s, Dial: m.dial}))
	}
	return loads
}

// attack sends the loads at once, and writes their requests down.
func (m *measurement) attack(loads []*attack.Attack) error {
	errs := make([]error, len(loads))
	var running sync.WaitGroup
	for i, l := range loads {
		running.Go(func() {
			f, err := os.Create(rundir.Requests.Of(m.Dir, m.routes[i].file))
			if err != nil {
				errs[i] = err
				return
			}
			errs[i] = errors.Join(l.Run(f), f.Close())
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// warmUp sends requests that do not count.
func (m *measurement) warmUp(ctx context.Context) error {
	s := m.Settings
	s.Duration = m.WarmUp
	if s.Requests() < 1 {
		return nil
	}
	m.Progress(Progress{Route: m.name, WarmingUp: true, Requests: len(m.routes) * s.Requests()})
	var running sync.WaitGroup
	loads := m.attacks(s)
	stop := context.AfterFunc(ctx, func() {
		for _, l := range loads {
			l.Stop()
		}
	})
	defer stop()
	for _, l := range loads {
		running.Go(func() { l.Run(io.Discard) })
	}
	running.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	d := m.drain(ctx, ticker, resultsOf(loads), func() Progress {
		return Progress{Route: m.name, WarmingUp: true, Draining: true, Sessions: m.Wire.ledger.Now()}
	})
	if d.stuck > 0 && ctx.Err() == nil {
		return fmt.Errorf("%s: after the warm-up %s in transaction for %s, and no statement runs: as nothing goes on, nothing can be measured. --warm-up 0s shows how it comes to that",
			m.name, stay(d.stuck), words.Plain(m.drainLimit()))
	}
	return context.Cause(ctx)
}

// resultsOf are the loads' own shares, which take a while to make.
func resultsOf(loads []*attack.Attack) (results []*experiment.RouteResult) {
	for _, l := range loads {
		r := l.Result()
		results = append(results, &r)
	}
	return results
}

// results are the routes', and where they were attacked together one of all.
func (m *measurement) results(loads []*attack.Attack, results []*experiment.RouteResult, s *seen, ended time.Time, d drained, processor float64) ([]*experiment.RouteResult, error) {
	for i, r := range results {
		r.File = m.routes[i].file
	}
	whole := results[0]
	if m.together {
		whole = together(loads, results)
		results = append(results, whole)
	}
	s.mostInFlight, s.sentAway = mostInFlight(loads), s.refused(loads)
	s.describe(whole)
	for i := len(s.txs) - 1; i >= 0; i-- {
		if end := s.txs[i].StartedAt.Add(lasted(&s.txs[i])); end.Sub(ended) > whole.DrainedAfter {
			whole.DrainedAfter = end.Sub(ended)
		}
	}
	c := circumstances{wired: s.wired || m.Sampled, drained: d, limit: m.drainLimit(), processor: processor}
	for _, r := range results { // of those together, what spoils one spoils all
		if r == whole {
			c.foreign, c.text = s.failures(loads, whole.Errors, s.sentAway > 0)
		}
		whole.NotValid = cmp.Or(whole.NotValid, c.notValid(r))
	}
	for _, r := range results {
		r.NotValid = whole.NotValid
	}
	if d.stuck > 0 {
		whole.Wire.Stuck = &experiment.Stuck{Transactions: d.stuck, For: experiment.Seconds(m.drainLimit())}
	}
	f, err := os.Create(rundir.Checkouts.Of(m.Dir, whole.File))
	if err != nil {
		return nil, err
	}
	err = errors.Join(experiment.WriteCheckouts(f, s.checkouts(loads[0].Began())), f.Close())
	if err != nil {
		return nil, err
	}
	m.Progress(Progress{Route: m.name, Done: results})
	return results, nil
}
