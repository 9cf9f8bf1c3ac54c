package lab

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/tap"
	"github.com/pghold/pghold/internal/pg/connstring"
)

// sides are those who see how long an app's connections are silent in transaction, beside
// the app's recorder: a tap between it and the database, and, where that is a real one, a
// source of samples and the server's own counter.
type sides struct {
	db          *Database
	application string
	speed       float64

	tap      *tap.Tap
	listener net.Listener
	serving  sync.WaitGroup
	ledger   *watch.Ledger // the tap's

	server  *activity.Sampler // asked for the counter
	before  time.Duration     // by the counter
	counts  bool
	samples *samples // nil where nothing is sampled
}

// samples is a source of samples, and what it has seen of the app.
type samples struct {
	source       *activity.Source
	stop         context.CancelFunc
	stopped      chan error
	seen, atMost time.Duration
}

// startSides starts all of them for an app of that name, which connects by dsn.
func startSides(ctx context.Context, db *Database, server *activity.Sampler, c experiment.Case, application, dsn string) (_ *sides, err error) {
	s := &sides{db: db, application: application, speed: c.Settings.Speed, server: server, ledger: watch.New(time.Now())}
	cc, err := connstring.Parse(dsn)
	if err != nil {
		return nil, err
	}
	if db.network != nil {
		cc.DialFunc = db.network.Dial
	}
	if s.listener, err = listen(db.network); err != nil {
		return nil, err
	}
	s.tap = tap.New(tap.Config{Server: &cc.Config, Ledger: s.ledger})
	s.serving.Go(func() { s.tap.Serve(s.listener) })
	if db.network != nil {
		return s, nil
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	// A PgBouncer keeps its sessions, which tell the counter later what they have done.
	if s.counts = db.major() >= 14 && c.Settings.PgBouncer == 0; s.counts {
		if s.before, err = server.Counted(ctx); err != nil {
			return nil, err
		}
	}
	s.samples, err = s.startSampling(ctx)
	return s, err
}

// startSampling samples until the sides end, as pghold watch does, but faster where the
// experiment is.
func (s *sides) startSampling(ctx context.Context) (*samples, error) {
	cc, err := connstring.Parse(s.db.dsn)
	if err != nil {
		return nil, err
	}
	seen := &samples{stopped: make(chan error, 1)}
	ledger := watch.New(time.Now())
	ledger.OnFinish(func(t watch.Transaction) {
		if t.Application != s.application {
			return
		}
		most := t.MoreGapsS
		for _, g := range t.Gaps {
			most += max(g.S, g.AtMost)
		}
		seen.seen += time.Duration(t.Silent + t.Aborted)
		seen.atMost += time.Duration(most)
	})
	interval := max(minSamplePeriod, time.Duration(float64(activity.DefaultInterval)/s.speed))
	if seen.source, err = activity.Connect(ctx, activity.Config{Server: cc, Ledger: ledger, Interval: interval}); err != nil {
		return nil, fmt.Errorf("connecting the sampler: %w", connstring.Hide(cc, err))
	}
	// A sample is not cut short: that would cost the connection, and the last one is yet
	// to come.
	var sampling context.Context
	sampling, seen.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			if err := seen.sample(); err != nil {
				seen.stopped <- err
				return
			}
			select {
			case <-tick.C:
			case <-sampling.Done():
				seen.stopped <- nil
				return
			}
		}
	}()
	return seen, nil
}

func (seen *samples) sample() error {
	ctx, cancel := context.WithTimeout(context.Background(), sampleTimeout)
	defer cancel()
	return seen.source.Sample(ctx)
}

// saw is what all have seen, and the recorder. The app has closed its connections.
func (s *sides) saw(ctx context.Context, recorder time.Duration) (*experiment.Sides, error) {
	s.tap.Close() // all is counted when it returns
	r := s.ledger.Report(time.Now())
	saw := &experiment.Sides{Recorder: recorder, Tap: experiment.Stretch(time.Duration(r.Silent+r.Aborted), s.speed)}
	if s.samples == nil {
		return saw, nil
	}
	if err := s.left(ctx); err != nil {
		return nil, err
	}
	seen := s.samples
	seen.stop()
	err := <-seen.stopped
	seen.stopped <- nil
	if err == nil {
		err = seen.sample() // in which the sessions that have left are not any more
	}
	if err != nil {
		return nil, fmt.Errorf("the sampler: %w", err)
	}
	saw.Sampled, saw.SampledAtMost = experiment.Stretch(seen.seen, s.speed), experiment.Stretch(seen.atMost, s.speed)
	if s.counts {
		time.Sleep(activity.CounterDelay(s.db.Version))
		now, err := s.server.Counted(ctx)
		if err != nil {
			return nil, err
		}
		saw.Counted = experiment.Stretch(now-s.before, s.speed)
	}
	return saw, nil
}

// left waits until the app's sessions have ended: the server's counter has all of a
// session's time when it has. Where they do not end, the counter is not asked.
func (s *sides) left(ctx context.Context) error {
	giveUp := time.Now().Add(sampleTimeout)
	for s.counts {
		sample, err := s.server.Sample(ctx, s.application)
		if err != nil || len(sample.Sessions) == 0 {
			return err
		}
		s.counts = time.Now().Before(giveUp)
		select {
		case <-time.After(minSamplePeriod):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// close ends all of them.
func (s *sides) close() {
	s.tap.Close()
	s.listener.Close()
	s.serving.Wait()
	if seen := s.samples; seen != nil {
		seen.stop()
		<-seen.stopped
		seen.source.Close(context.Background())
	}
}
