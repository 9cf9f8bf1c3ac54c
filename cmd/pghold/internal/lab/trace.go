package lab

import (
	"slices"
	"sync"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/attack"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// trace writes down every checkout of an app, for a picture. None is written down by nil.
type trace struct {
	mu    sync.Mutex // guards what follows
	done  []finished
	waits map[int]time.Time // those who wait now, by number
	holds map[int]checkout  // those who hold now, by lane
	next  int               // wait
}

// checkout is one that is open: who waited since began has had a connection since at.
type checkout struct {
	began, at time.Time
	lane      int // experiment.Checkout.Connection
}

type finished struct {
	checkout
	held, busy, silentInTx time.Duration
}

// wait begins a wait and returns its number.
func (t *trace) wait() int {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waits == nil {
		t.waits, t.holds = map[int]time.Time{}, map[int]checkout{}
	}
	t.next++
	t.waits[t.next] = time.Now()
	return t.next
}

// gaveUp ends a wait that got no connection.
func (t *trace) gaveUp(wait int) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := checkout{began: t.waits[wait], at: time.Now()}
	delete(t.waits, wait)
	t.done = append(t.done, finished{checkout: c})
}

// took ends a wait that got a connection.
func (t *trace) took(wait int) checkout {
	if t == nil {
		return checkout{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := checkout{began: t.waits[wait], at: time.Now(), lane: 1}
	delete(t.waits, wait)
	for ; ; c.lane++ {
		if _, taken := t.holds[c.lane]; !taken {
			break
		}
	}
	t.holds[c.lane] = c
	return c
}

func (t *trace) released(c checkout, h pghold.Hold) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.holds, c.lane)
	t.done = append(t.done, finished{c, time.Since(c.at), h.Busy, h.SilentInTransaction})
}

// checkouts returns all so far, in the experiment's own time since the first request.
// What still lasts is as long as it has been, and said to be silent in a transaction
// where inTransaction says that the route is so: those who still wait are the ones without
// a connection at the latest moment there is.
func (t *trace) checkouts(since time.Time, speed float64, inTransaction bool) []experiment.Checkout {
	t.mu.Lock()
	s := func(d time.Duration) time.Duration { return experiment.Stretch(d, speed) }
	cs := make([]experiment.Checkout, 0, len(t.done)+len(t.waits)+len(t.holds))
	add := func(f finished) {
		cs = append(cs, experiment.Checkout{
			At: s(f.at.Sub(since)), Connection: f.lane, Wait: s(f.at.Sub(f.began)),
			Held: s(f.held), Busy: s(f.busy), SilentInTransaction: s(f.silentInTx),
		})
	}
	for _, f := range t.done {
		add(f)
	}
	now := time.Now()
	for _, c := range t.holds {
		f := finished{checkout: c, held: now.Sub(c.at)}
		if inTransaction {
			f.silentInTx = f.held
		}
		add(f)
	}
	for _, began := range t.waits {
		add(finished{checkout: checkout{began: began, at: now}})
	}
	t.mu.Unlock()
	slices.SortFunc(cs, func(a, b experiment.Checkout) int { return int(a.At - b.At) })
	return cs
}

// traceOf is what has been seen of a case so far.
func traceOf(a *attack.Attack, app *App, r experiment.Route, speed float64) *experiment.Trace {
	return &experiment.Trace{Requests: a.Requests(), Checkouts: app.trace.checkouts(a.Began(), speed, r.SilentInTransaction())}
}

// writeCheckouts writes a case's checkouts into the run's folder.
func writeCheckouts(dir string, c experiment.Case, cs []experiment.Checkout, failed *error) error {
	f, err := create(rundir.Checkouts.Of(dir, c.Name), failed)
	if err != nil {
		return err
	}
	err = experiment.WriteCheckouts(f, cs)
	if err != nil {
		*failed = err
	}
	f.close()
	return err
}
