package pghold

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
	"weak"

	"github.com/pghold/pghold/internal/callsite"
)

// queued are goroutines that were seen where database/sql lets callers wait.
type queued struct {
	route   string
	at      Site                // where it has no route
	request weak.Pointer[scope] // the one, where it is known; the last profile keeps none alive
	count   int
	longest time.Duration // at least; 0 is not known
}

type queuers []queued

// callers is how many they are.
func (all queuers) callers() (n int) {
	for _, q := range all {
		n += q.count
	}
	return n
}

// queueing is what was seen of a request that waited in each of some profiles, one after
// the other.
type queueing struct {
	of              *Pool
	handler         string        // on its stack
	first, last     time.Duration // profiles
	takes, unscoped uint64        // checkouts, of the request and without its context, before the last that was of this pool
}

// look is what is known before a profile of those who may be seen to wait in it. Labels
// are given out again: a goroutine belongs to who has its label before and after.
type look struct {
	recorder *Recorder
	pool     *Pool                      // for which they wait; nil where that is not known
	before   map[string][]time.Duration // by the handler, since when who was seen last waited, the longest first
	now      map[string][]time.Duration // the same of who is seen
	owners   [sharedLabel + 1]*scope
	takes    [sharedLabel + 1]uint64
	unscoped map[string]uint64
	last     time.Duration // when the profile before was taken
}

// lookAt begins to look at who waits for a connection of a pool.
func (r *Recorder) lookAt(p *Pool) *look {
	l := &look{recorder: r, pool: p, last: r.stacks.taken, before: r.stacks.since, now: map[string][]time.Duration{}}
	if p != nil {
		l.unscoped = p.unscoped.all()
	}
	for i := range owners {
		if s := owners[i].Load(); s != nil {
			s.mu.Lock()
			l.owners[i], l.takes[i] = s, s.takes
			s.mu.Unlock()
		}
	}
	return l
}

// queued are those who wait, by a profile that was taken at an instant.
func (l *look) queued(byLabel map[string][]callsite.Goroutines, taken time.Duration) (all queuers) {
	requests := map[string][]request{} // by the handler
	for value, goroutines := range byLabel {
		label, _ := strconv.ParseUint(value, 10, 8) // of a label that all share, of none, and of another's: 0
		for _, g := range goroutines {
			if !inQueue(g.Frames) {
				continue
			}
			// What a request has started may outlive it, and have its label: only who is in Do
			// is in that one. Who is in one within another may have either's route.
			handler, inDo := callsite.HandlerOf(g.Frames, doFrame, l.recorder.cfg.Skip)
			q := queued{route: handler, count: g.Count}
			if s := l.owner(label); s != nil && inDo && !s.inner.Load() {
				if name := s.knownName(); name != "" && (name != noPattern || q.route == "") {
					q.route = name
				}
				q.request = weak.Make(s)
				requests[handler] = append(requests[handler], request{s, l.takes[label], len(all)})
			}
			if i := callsite.Application(g.Frames, l.recorder.cfg.Skip); i >= 0 && q.route == "" {
				q.at = Site(g.Frames[i])
			}
			all = append(all, q)
		}
	}
	for handler, seen := range requests {
		for i, since := range l.since(handler, seen, taken) {
			all[seen[i].at].longest = taken - since
		}
	}
	return all
}

// request is one that is seen to wait.
type request struct {
	scope *scope
	takes uint64 // of connections, before the profile
	at    int    // of all that are seen
}

// owner is who has had a label since before the profile, or nil.
func (l *look) owner(label uint64) *scope {
	if label >= uint64(len(owners)) || l.owners[label] == nil || owners[label].Load() != l.owners[label] {
		return nil
	}
	return l.owners[label]
}

// since is for each of the requests that wait in a handler the first profile in which it was
// seen to, if it was in each since, and got no connection meanwhile. A profile that does not
// tell for which pool it waits, as when a connection is just being handed over, goes on with
// what was known.
//
// Of connections that were taken without a context it is known in which handler, and not by
// which of its requests. So it is said of as few as can be, as if those who have waited
// longest had got them; who waits no more is one of these.
func (l *look) since(handler string, seen []request, taken time.Duration) []time.Duration {
	since := make([]time.Duration, len(seen))
	var again []int // that were seen before
	var got uint64  // connections without a context
	for i, r := range seen {
		since[i] = taken
		r.scope.mu.Lock()
		switch q := r.scope.queue; {
		case q == nil || q.last != l.last:
		case l.pool == nil:
			q.last = taken
		case q.of == l.pool && q.handler == handler && q.takes == r.scope.takes:
			since[i] = q.first
			again = append(again, i)
			got = max(got, l.pool.unscoped.of(handler)-q.unscoped)
		}
		r.scope.mu.Unlock()
	}
	if l.pool == nil {
		return since
	}
	if got > 0 {
		left := l.before[handler]
		left = left[min(got, uint64(len(left))):]
		slices.SortFunc(again, func(a, b int) int { return cmp.Compare(since[a], since[b]) })
		for k, i := range again {
			if k >= len(left) {
				since[i] = taken
				continue
			}
			since[i] = max(since[i], left[k])
		}
	}
	for i, r := range seen {
		r.scope.mu.Lock()
		r.scope.queue = &queueing{of: l.pool, handler: handler, first: since[i], last: taken, takes: r.takes, unscoped: l.unscoped[handler]}
		r.scope.mu.Unlock()
	}
	l.now[handler] = slices.Sorted(slices.Values(since))
	return since
}

// unscoped counts checkouts of a pool that does not tell who waits, without a context of
// WithRoute or Do, by the handler that was on the stack: "" in none, as of goroutines that a
// handler has started.
type unscoped struct {
	mu        sync.Mutex
	byHandler map[string]uint64 // as many as the program's code has
}

func (u *unscoped) add(handler string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byHandler == nil {
		u.byHandler = map[string]uint64{}
	}
	u.byHandler[handler]++
}

func (u *unscoped) of(handler string) uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.byHandler[handler]
}

func (u *unscoped) all() map[string]uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.byHandler)
}

// onlyFull is the pool that does not tell who waits, and of which all connections are
// held, if it is the only one; else nil: a stack does not say for which pool it waits.
func (r *Recorder) onlyFull() (only *Pool) {
	n := 0
	r.pools.Range(func(_, v any) bool {
		if p := v.(*Pool); !p.tellsWaits.Load() && p.full() {
			only = p
			n++
		}
		return n < 2
	})
	if n > 1 {
		return nil
	}
	return only
}

// queuers are those who wait for a connection of the pool by the last profile, and when
// that was taken: 0 where it is not known.
func (p *Pool) queuers() (queuers, time.Duration) {
	r := p.recorder
	if r.onlyFull() != p {
		return nil, 0
	}
	r.profile()
	r.stacks.mu.Lock()
	defer r.stacks.mu.Unlock()
	if r.stacks.of != p {
		return nil, 0
	}
	return r.stacks.queued, r.stacks.taken
}

// seenWaiters are those who were seen to wait for a connection of the pool, in the order of
// a snapshot, and how many wait now: 0 where the profile was taken a LongWait ago or more.
// Their routes are not told where they are more than have ever waited for one, for some wait
// elsewhere. holds are those that are open: they say who waits for himself.
func (p *Pool) seenWaiters(holds []Hold) (_ []Waiter, now int) {
	type key struct {
		route   string
		itself  bool
		own, at Site
	}
	queuers, taken := p.queuers()
	seen := p.recorder.started.Add(taken).Round(0)
	groups := map[key]*Waiter{}
	for _, q := range queuers {
		k := key{route: q.route, at: q.at}
		for _, h := range holds {
			if h.of.pool == p && h.OwnWait != nil && h.of.scope != nil && weak.Make(h.of.scope) == q.request {
				k.itself, k.own = true, h.Site
			}
		}
		sum := rowOf(groups, k)
		sum.Pool, sum.Route, sum.Itself, sum.Own, sum.At, sum.Seen = p.name, k.route, k.itself, k.own, k.at, seen
		sum.Count += q.count
		sum.Longest = max(sum.Longest, q.longest)
	}
	n := queuers.callers()
	if taken > p.recorder.now()-p.recorder.cfg.LongWait {
		now = n
	}
	if uint64(n) > p.Stat().Waits {
		return nil, now
	}
	return inOrder(groups), now
}
