package pghold

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Call is a slow call under way.
type Call struct{ c *call } // nil where there is nobody to tell

// StartSlowCall tells of a slow call that begins: whatever the context's handler waits
// for now and that is not the database. Each hold of the context's route that is open
// before it ends will know of it, and counts the time in which both the call lasted
// and no statement was running. Where that is less than 1 ms, and less than half of
// the call's time in the hold, the call is not the hold's: something else ran beside
// its statements. what names the call as in SlowCall. Without a route there is nothing
// to tell, and it costs next to nothing.
//
//	call := pghold.StartSlowCall(ctx, "POST api.example.com/v1/charges")
//	defer call.End()
func StartSlowCall(ctx context.Context, what string) Call {
	s := scopeOf(ctx)
	if s == nil {
		strays.see(ctx)
		return Call{}
	}
	strays.attributed.Store(true)
	// A slow call takes long enough for a deep stack, which has those for whom a
	// helper took the connection.
	k := &call{scope: s, what: what}
	if runtime.Callers(2, k.pcs[:]) == len(k.pcs) { // SDKs may have a hundred frames
		k.more = make([]uintptr, 2*len(k.pcs))
		k.more = k.more[:runtime.Callers(2+len(k.pcs), k.more)]
	}
	now := time.Now()
	for ; s != nil; s = s.outer {
		s.mu.Lock()
		if len(s.calls) < maxOpenCalls {
			s.calls = append(s.calls, k)
		}
		for _, c := range s.open {
			k.join(c, max(c.began, now.Sub(c.pool.recorder.started)), true)
		}
		s.mu.Unlock()
	}
	return Call{k}
}

// Within is a context for what the slow call is made of: further ones in it are a part
// of this one, and are not told. Connections that are taken in it have no route.
func (call Call) Within(ctx context.Context) context.Context {
	return context.WithValue(ctx, scopeKey{}, (*scope)(nil))
}

// End tells that the slow call has ended. In a hold that was released meanwhile it
// lasted until then. Further calls do nothing.
func (call Call) End() {
	k := call.c
	if k == nil || k.ended.Swap(true) {
		return
	}
	for s := k.scope; s != nil; s = s.outer {
		s.mu.Lock()
		if i := slices.Index(s.calls, k); i >= 0 {
			s.calls = slices.Delete(s.calls, i, i+1)
		}
		s.mu.Unlock()
	}
	k.mu.Lock() // it has no scope any more, so nobody joins it
	holds := k.holds
	k.mu.Unlock()
	for i := range holds {
		holds[i].hold.endCall(holds[i].call)
	}
}

type call struct {
	scope *scope
	what  string
	pcs   deepStack
	more  []uintptr // of the stack, beyond pcs
	ended atomic.Bool
	mu    sync.Mutex
	holds []callIn
}

// callIn is a call in one of the holds that were open when it began, or have begun
// since.
type callIn struct {
	hold *Checkout
	call slowCall
}

// join makes the call one of a hold's, from an instant on. within says that the hold was
// there first. The caller holds the lock of a scope that has the call.
func (k *call) join(c *Checkout, began time.Duration, within bool) {
	c.shard.mu.Lock()
	site := c.shard.sites.ofCall(k, c.pool.recorder.cfg.Skip)
	c.shard.mu.Unlock()
	if in, ok := c.beginCall(slowCall{what: k.what, site: site, began: began, of: k, quiet: within}); ok {
		k.mu.Lock()
		k.holds = append(k.holds, callIn{c, in})
		k.mu.Unlock()
	}
}

// maxOpenCalls is how many slow calls of a scope holds that begin later know of.
const maxOpenCalls = 64

// maxSlowCalls is how many slow calls a hold keeps one by one.
const maxSlowCalls = 8

// slowCalls are those of one hold. The lock of the hold guards them. Instants are
// since the recorder was made.
type slowCalls struct {
	open  []slowCall  // of those that have not ended, at most maxSlowCalls
	ended []slowCall  // the longest of those that have, at most maxSlowCalls
	left  []SlowCalls // sums of those that were not kept one by one, of at most maxPlaces names and lines

	// more is how many are open beside these, and moreSilent the sum of how long the
	// hold was silent before each.
	more       int
	moreSilent time.Duration

	// What is known of the silence that lasts now: how much of it some call had taken
	// when the last one ended, and the name of the one that took most of it. since is
	// from when on there has always been one that was open.
	covered time.Duration
	longest time.Duration
	in      string
	since   time.Duration
}

type slowCall struct {
	what     string
	site     *place
	began    time.Duration // or when the hold did, where that was later
	silent   time.Duration // of the hold, before
	duration time.Duration // of its silence since
	of       *call         // nil when it has ended
	quiet    bool          // it began within the hold, in silence
}

func (s *slowCalls) begin(call slowCall) {
	if len(s.open)+s.more == 0 {
		s.since = call.began
	}
	if len(s.open) < maxSlowCalls {
		s.open = append(s.open, call)
		return
	}
	s.more++
	s.moreSilent += call.silent
}

// fills reports whether a call that lasted for a time within the hold took so much of
// its silence that it is the hold's. What does not only ran beside statements. One may
// take no time, where the clock is coarse or a test's: then it counts how it began.
func (c *slowCall) fills(silent, lasted time.Duration) bool {
	return silent >= longGap || 2*silent >= lasted && (silent > 0 || c.quiet)
}

// end ends the call, in a hold that has been silent, or busy, since an instant, and was
// silent for a time in all.
func (s *slowCalls) end(call slowCall, silentSince, now, silent time.Duration) {
	if i := slices.IndexFunc(s.open, func(o slowCall) bool { return o.of == call.of }); i >= 0 {
		call = s.open[i]
		s.open = slices.Delete(s.open, i, i+1)
	} else {
		s.more--
		s.moreSilent -= call.silent
	}
	if len(s.open)+s.more == 0 {
		s.covered += now - max(s.since, silentSince)
	}
	if in := now - max(call.began, silentSince); in > s.longest {
		s.longest, s.in = in, call.what
	}
	s.done(call, now, silent)
}

// done keeps a call that has ended, where it counts.
func (s *slowCalls) done(call slowCall, now, silent time.Duration) {
	call.duration, call.of = silent-call.silent, nil
	if call.fills(call.duration, now-call.began) {
		s.keep(call)
	}
}

// keep keeps a call that has ended among the longest.
func (s *slowCalls) keep(call slowCall) {
	if len(s.ended) < maxSlowCalls {
		s.ended = append(s.ended, call)
		return
	}
	shortest := 0
	for i := range s.ended {
		if s.ended[i].duration < s.ended[shortest].duration {
			shortest = i
		}
	}
	if s.ended[shortest].duration < call.duration {
		call, s.ended[shortest] = s.ended[shortest], call
	}
	keepCostliest(&s.left, SlowCalls{What: call.what, Site: call.site.site(), Count: 1, Duration: call.duration, Longest: call.duration, at: call.site}, maxPlaces)
}

// endAll ends what is open: the hold is over.
func (s *slowCalls) endAll(now, silent time.Duration) {
	for _, call := range s.open {
		s.done(call, now, silent)
	}
	if s.more > 0 {
		d := time.Duration(s.more)*silent - s.moreSilent
		keepCostliest(&s.left, SlowCalls{What: Folded, Count: uint64(s.more), Duration: d, Longest: d / time.Duration(s.more)}, maxPlaces)
	}
	s.open, s.more, s.moreSilent = nil, 0, 0
}

// silence begins a new one.
func (s *slowCalls) silence() { s.covered, s.longest, s.in = 0, 0, "" }

// filled returns the name of the call that took most of the silence, "" where less
// than half of it was within any.
func (s *slowCalls) filled(silentSince, now time.Duration) string {
	covered, longest, in := s.covered, s.longest, s.in
	if len(s.open)+s.more > 0 {
		covered += now - max(s.since, silentSince)
	}
	if 2*covered <= now-silentSince {
		return ""
	}
	for _, call := range s.open {
		if d := now - max(call.began, silentSince); d > longest {
			longest, in = d, call.what
		}
	}
	if in == "" { // it is one of those that are not known one by one
		return Folded
	}
	return in
}

// describe returns the calls, the longest first, and what the others come to.
func (s *slowCalls) describe(now, silent time.Duration) (calls []SlowCall, left int, leftTime time.Duration) {
	for _, call := range s.ended {
		calls = append(calls, SlowCall{call.what, call.site.site(), call.duration, false})
	}
	for _, call := range s.open {
		if d := silent - call.silent; call.fills(d, now-call.began) {
			calls = append(calls, SlowCall{call.what, call.site.site(), d, true})
		}
	}
	slices.SortStableFunc(calls, func(a, b SlowCall) int { return cmp.Compare(b.Duration, a.Duration) })
	left, leftTime = s.more, time.Duration(s.more)*silent-s.moreSilent
	for _, l := range s.left {
		left += int(l.Count)
		leftTime += l.Duration
	}
	return calls, left, leftTime
}
