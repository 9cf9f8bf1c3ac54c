package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
)

// samplePeriod is how often the server's sessions are sampled, in the
// experiment's own time, but no oftener than minSamplePeriod of the clock.
const (
	samplePeriod    = 200 * time.Millisecond
	minSamplePeriod = 20 * time.Millisecond
	sampleTimeout   = 10 * time.Second // after which Postgres counts as gone
)

// observer watches the app's connections on the server while a route runs.
type observer struct {
	sampler     *activity.Sampler
	application string
	speed       float64
	file        *bufio.Writer // of samples
	seen        experiment.Connections
	first, last time.Time // the server's time of the first and of the last sample
	silent      int       // sessions that were silent in transaction in the last
}

// connectionsHeader is the first line of a file of connection samples. Times
// are the experiment's own, at_s since the first sample.
const connectionsHeader = "at_s,pid,state,in_state_s,transaction_s,wait_event\n"

func newObserver(sampler *activity.Sampler, application string, speed float64, w io.Writer) (*observer, error) {
	o := &observer{sampler: sampler, application: application, speed: speed, file: bufio.NewWriter(w)}
	_, err := o.file.WriteString(connectionsHeader)
	return o, err
}

// watch samples until ctx ends, and tells what it saw each time. It fails when
// Postgres does not answer.
func (o *observer) watch(ctx context.Context, tell func(activity.Sample)) error {
	var ticker *time.Ticker // after the first, so that no sample falls on the instant of a request
	for {
		sample, err := o.sample(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		tell(sample)
		if ticker == nil {
			ticker = time.NewTicker(max(minSamplePeriod, time.Duration(float64(samplePeriod)/o.speed)))
			defer ticker.Stop()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// sample takes one sample and writes it down. It is not cut short by ctx: that
// would cost the sampler its connection.
func (o *observer) sample(ctx context.Context) (activity.Sample, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sampleTimeout)
	defer cancel()
	s, err := o.sampler.Sample(ctx, o.application)
	if err != nil {
		return s, err
	}
	if o.first.IsZero() {
		o.first = s.At
	}
	silent := s.Count(activity.State.InTransaction)
	o.seen.Max = max(o.seen.Max, len(s.Sessions))
	o.seen.MaxSilentInTransaction = max(o.seen.MaxSilentInTransaction, silent)
	if !o.last.IsZero() { // between two samples, half of each
		o.seen.SilentInTransaction += experiment.Stretch(s.At.Sub(o.last), o.speed) * time.Duration(silent+o.silent) / 2
	}
	o.last, o.silent = s.At, silent
	at := experiment.Stretch(s.At.Sub(o.first), o.speed).Seconds()
	for _, c := range s.Sessions {
		fmt.Fprintf(o.file, "%.4f,%d,%s,%.4f,%.4f,%s\n", at, c.PID, c.State,
			experiment.Stretch(c.StateFor, o.speed).Seconds(), experiment.Stretch(c.TransactionFor, o.speed).Seconds(), c.WaitEvent)
	}
	return s, nil
}

// settleTries bounds the wait for closed connections to leave the server's list.
const settleTries = 20

// left counts the connections that are still there once the load has gone. A
// connection that was just closed is listed for a moment longer, so it counts
// until two samples agree.
func (o *observer) left(ctx context.Context) error {
	before := -1
	for range settleTries {
		s, err := o.sample(ctx)
		if err != nil {
			return err
		}
		o.seen.Left = len(s.Sessions)
		if o.seen.Left == before {
			break
		}
		before = o.seen.Left
		select {
		case <-time.After(minSamplePeriod):
		case <-ctx.Done():
			return nil
		}
	}
	return o.file.Flush()
}
