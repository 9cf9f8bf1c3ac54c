package prove

import (
	"context"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// quietFor is for how long nothing must go on before handlers whose clients have left
// count as done, where no gap was longer.
const quietFor = time.Second

// background is how many statements per second the service runs by itself.
func (o *Options) background(ctx context.Context) (perSecond float64, err error) {
	before := o.Wire.ledger.Now().Statements
	select {
	case <-time.After(quietFor):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return float64(o.Wire.ledger.Now().Statements-before) / quietFor.Seconds(), nil
}

// drain waits until the transactions have ended that the attack has left: no statement
// runs and none is open. Where clients left without their answer, their handlers may come
// back to the database: then it must be quiet for as long as the service's gaps and its
// quickest answers are, but for what the service does by itself. It gives up when that takes
// longer than two client timeouts.
func (m *measurement) drain(ctx context.Context, ticker *time.Ticker, results []*experiment.RouteResult, look func() Progress) drained {
	needed := time.Duration(0)
	for _, r := range results {
		if r.Outcomes.ClientTimeout == 0 {
			continue
		}
		if needed == 0 {
			needed = max(quietFor, time.Duration(m.Wire.ledger.Report(time.Now()).LongestSilent)+quietFor/2)
		}
		needed = max(needed, r.SuccessLatency.Min+quietFor/2)
	}
	needed = min(needed, m.Settings.ClientTimeout)
	began := time.Now()
	looks := &looks{needed: needed, statements: m.byItself(needed)}
	var halfway *watch.Moment
	for {
		p := look()
		p.Draining = true
		m.Progress(p)
		now := time.Now()
		switch {
		case looks.quiet(now, p.Sessions):
			return drained{all: true}
		case now.Sub(began) > m.drainLimit():
			d := drained{}
			if s := p.Sessions; s.Busy == 0 && float64(s.Statements-halfway.Statements) <= m.byItself(m.drainLimit()/2) {
				d.stuck = s.InTransaction
			}
			return d
		case halfway == nil && now.Sub(began) >= m.drainLimit()/2:
			halfway = &p.Sessions
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return drained{}
		}
	}
}

// drained is how the wait for the end of the transactions has ended.
type drained struct {
	all bool // there is none any more
	// stuck are those that stay open: they were idle in the end, and for half of the wait
	// hardly a statement had run.
	stuck int
}

// byItself is how many statements a service may run in a while without being asked.
func (m *measurement) byItself(in time.Duration) float64 {
	return 2*m.background*in.Seconds() + someStatements
}

// someStatements are those that a service may run in a while even if it ran none before:
// a transaction of a job that looks whether there is something to do.
const someStatements = 4

// looks are those at a service that is to become quiet.
type looks struct {
	needed     time.Duration
	statements float64 // that it may run meanwhile
	all        []looked
}

type looked struct {
	at time.Time
	watch.Moment
}

// quiet reports whether it was quiet for as long as needed, at a look. For one look in five
// it may be at work.
func (l *looks) quiet(now time.Time, m watch.Moment) bool {
	l.all = append(l.all, looked{now, m})
	if l.needed == 0 {
		return m.Busy+m.InTransaction == 0
	}
	for len(l.all) > 1 && now.Sub(l.all[1].at) >= l.needed {
		l.all = l.all[1:]
	}
	working := 0
	for _, o := range l.all {
		if o.Busy+o.InTransaction > 0 {
			working++
		}
	}
	return now.Sub(l.all[0].at) >= l.needed && m.Busy+m.InTransaction == 0 && 5*working <= len(l.all) && float64(m.Statements-l.all[0].Statements) <= l.statements
}

// drainLimit is how long drain waits at most.
func (m *measurement) drainLimit() time.Duration { return 2*m.Settings.ClientTimeout + quietFor }
