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
	last  *Checkout // that was released, within Do
}

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
	what  string
	holds []callIn
	ended atomic.Bool
}

// callIn is a call in one of the holds that were open when it began.
type callIn struct {
	hold  *Checkout
	site  *place
	began time.Duration // since the recorder of the hold was made
}

// Start tells of a slow call that begins: whatever the context's handler waits for
// now and that is not the database. Each hold that is open in the context's route
// will know of it. what names it as in SlowCall. Without a route, or with no hold
// open, there is nothing to tell, and it costs next to nothing.
//
//	call := pghold.Start(ctx, "POST api.example.com/v1/charges")
//	defer call.End()
func Start(ctx context.Context, what string) Call {
	s := scopeOf(ctx)
	if s == nil {
		return Call{}
	}
	s.mu.Lock()
	if len(s.open) == 0 {
		s.mu.Unlock()
		return Call{}
	}
	holds := make([]callIn, len(s.open))
	for i, c := range s.open {
		holds[i].hold = c
	}
	s.mu.Unlock()

	// A slow call takes long enough for a deep stack, which has those for whom a
	// helper took the connection.
	var pcs deepStack
	runtime.Callers(2, pcs[:])
	now, k := time.Now(), &call{what: what, holds: holds}
	for i := range holds {
		in := &holds[i]
		c := in.hold
		in.began = now.Sub(c.pool.recorder.started)
		c.shard.mu.Lock()
		in.site = deep(&c.shard.sites.slow, &pcs, c.pool.recorder.cfg.Skip)
		c.shard.mu.Unlock()
		c.beginCall(k, in)
	}
	return Call{k}
}

// End tells that the slow call has ended. In a hold that was released meanwhile it
// lasted until then. Further calls do nothing.
func (call Call) End() {
	if call.c == nil || call.c.ended.Swap(true) {
		return
	}
	for i := range call.c.holds {
		in := &call.c.holds[i]
		in.hold.endCall(call.c, in)
	}
}
