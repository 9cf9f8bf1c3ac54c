package pghold

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// scope is a request, a job or whatever else has a route: it knows the holds that
// are open in it, so that its slow calls find them.
type scope struct {
	route func() string
	label string // of the goroutine, "" outside of Do
	mu    sync.Mutex
	open  []*Checkout
	calls []*call   // that have not ended, at most maxOpenCalls
	last  *Checkout // that was released, within Do
}

// maxOpenCalls is how many slow calls of a scope holds that begin later know of.
const maxOpenCalls = 64

type scopeKey struct{}

// WithRoute names the route of what happens in the context: for a web request its
// pattern, "GET /users/{id}", never its path. There should be few of them.
func WithRoute(ctx context.Context, route string) context.Context {
	return WithRouteFunc(ctx, func() string { return route })
}

// WithRouteFunc is WithRoute for a name that is known only later, as that of a web
// request before it has been routed. route is called at each checkout, by who
// makes it.
func WithRouteFunc(ctx context.Context, route func() string) context.Context {
	return context.WithValue(ctx, scopeKey{}, &scope{route: route})
}

func scopeOf(ctx context.Context) *scope {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

func (s *scope) add(c *Checkout) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.open = append(s.open, c)
	for _, k := range s.calls {
		k.join(c, c.began, false)
	}
	s.mu.Unlock()
}

func (s *scope) remove(c *Checkout) {
	if s == nil {
		return
	}
	s.mu.Lock()
	if i := slices.Index(s.open, c); i >= 0 {
		s.open = slices.Delete(s.open, i, i+1)
	}
	if s.label != "" {
		s.last = c
	}
	s.mu.Unlock()
}

// panicked marks the holds of a function that panicked.
func (s *scope) panicked() {
	s.mu.Lock()
	holds := slices.Clone(s.open)
	if s.last != nil {
		holds = append(holds, s.last)
	}
	s.mu.Unlock()
	for _, c := range holds {
		c.markPanicked()
	}
}

// Call is a slow call under way.
type Call struct{ c *call } // nil where there is nobody to tell

type call struct {
	scope *scope
	what  string
	pcs   deepStack
	holds []callIn // the scope's lock guards it
	ended atomic.Bool
}

// callIn is a call in one of the holds that were open when it began, or have begun
// since.
type callIn struct {
	hold *Checkout
	call slowCall
}

// join makes the call one of a hold's, from an instant on. within says that the hold was
// there first. The caller holds the scope's lock.
func (k *call) join(c *Checkout, began time.Duration, within bool) {
	c.shard.mu.Lock()
	site := deep(&c.shard.sites.slow, &k.pcs, c.pool.recorder.cfg.Skip)
	c.shard.mu.Unlock()
	if in, ok := c.beginCall(slowCall{what: k.what, site: site, began: began, of: k, quiet: within}); ok {
		k.holds = append(k.holds, callIn{c, in})
	}
}

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
		return Call{}
	}
	// A slow call takes long enough for a deep stack, which has those for whom a
	// helper took the connection.
	k := &call{scope: s, what: what}
	runtime.Callers(2, k.pcs[:])
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) < maxOpenCalls {
		s.calls = append(s.calls, k)
	}
	if len(s.open) > 0 {
		k.holds = make([]callIn, 0, len(s.open))
	}
	for _, c := range s.open {
		k.join(c, max(c.began, now.Sub(c.pool.recorder.started)), true)
	}
	return Call{k}
}

// End tells that the slow call has ended. In a hold that was released meanwhile it
// lasted until then. Further calls do nothing.
func (call Call) End() {
	k := call.c
	if k == nil || k.ended.Swap(true) {
		return
	}
	k.scope.mu.Lock()
	if i := slices.Index(k.scope.calls, k); i >= 0 {
		k.scope.calls = slices.Delete(k.scope.calls, i, i+1)
	}
	holds := k.holds
	k.scope.mu.Unlock()
	for i := range holds {
		holds[i].hold.endCall(holds[i].call)
	}
}
