package pghold

import (
	"context"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pghold/pghold/internal/naming"
)

type scopeKey struct{}

// WithRoute names the route of what happens in the context: for a web request its
// pattern, "GET /users/{id}", never its path. There should be few of them.
func WithRoute(ctx context.Context, route string) context.Context {
	return context.WithValue(ctx, scopeKey{}, newNamedScope(ctx, route))
}

// WithRouteFunc is WithRoute for a name that is known only later, as that of a web
// request before it has been routed. route is called at each checkout, by who
// makes it.
func WithRouteFunc(ctx context.Context, route func() string) context.Context {
	if route == nil {
		panic("pghold: WithRouteFunc needs a function that names the route, and got nil")
	}
	return context.WithValue(ctx, scopeKey{}, newScope(ctx, route))
}

// Do runs f with a context that names the route, as WithRoute does, and with its
// goroutine labelled, so that it can be seen where a hold of f is stuck: its
// goroutine, and those that it starts, are found in the profile of goroutines by
// the pprof label "pghold". It has at most 129 values: 128 that belong to one call of
// Do each, and one that is shared by those that run beside these. httphold does it for
// each request, jobs do it themselves:
//
//	pghold.Do(ctx, "job send-invoices", sendInvoices)
//
// Within another Do, f is a part of that: slow calls are those of the holds of both.
//
// Where f panics, the holds that it left open and the last one that was released
// are marked as Panicked; the panic goes on. One that it left open stays so: its
// connection was not given back, and others cannot have it.
func Do(ctx context.Context, route string, f func(context.Context)) {
	if f == nil {
		panic("pghold: Do needs a function to run, and got nil")
	}
	do(ctx, newNamedScope(ctx, route), f)
}

// DoFunc is Do for a name that is known only later, as in WithRouteFunc.
func DoFunc(ctx context.Context, route func() string, f func(context.Context)) {
	switch {
	case route == nil:
		panic("pghold: DoFunc needs a function that names the route, and got nil")
	case f == nil:
		panic("pghold: DoFunc needs a function to run, and got nil")
	}
	do(ctx, newScope(ctx, route), f)
}

// doFrame is the function that is on the stack of a goroutine in Do.
const doFrame = "github.com/pghold/pghold.do"

func do(ctx context.Context, s *scope, f func(context.Context)) {
	doing.Add(1)
	s.do = true
	owner := s.shareLabel()
	defer func(outer context.Context) {
		doing.Add(-1)
		pprof.SetGoroutineLabels(outer)
		s.endLabel(owner)
		if v := recover(); v != nil { // nil where f returned or called runtime.Goexit
			s.panicked()
			panic(v)
		}
	}(ctx)
	ctx = pprof.WithLabels(context.WithValue(ctx, scopeKey{}, s), pprof.Labels(labelKey, s.label.String()))
	pprof.SetGoroutineLabels(ctx)
	f(ctx)
}

// doing is how many calls of Do there are now, of any recorder.
var doing atomic.Int64

// scope is a request, a job or whatever else has a route: it knows the holds that
// are open in it, so that its slow calls find them.
type scope struct {
	route func() string          // asked by who makes a checkout only
	set   atomic.Pointer[string] // by SetRoute, in the place of route's
	told  atomic.Pointer[string] // what route said last, or what it will say
	outer *scope                 // within which it is, or nil
	inner atomic.Bool            // others are within
	label label                  // of the goroutine, also where an outer one has set it
	do    bool                   // it is that of Do
	users atomic.Int32           // calls of Do that have its label, where that is its own

	intended bool // it is that of Intend

	mu    sync.Mutex
	open  []*Checkout
	takes uint64    // of connections
	queue *queueing // nil where it was not seen to wait
	calls []*call   // that have not ended, of those within too, at most maxOpenCalls
	last  *Checkout // that was released, of Do
}

func newScope(ctx context.Context, route func() string) *scope {
	s := &scope{route: route, outer: scopeOf(ctx)}
	if o := s.outer; o != nil {
		s.label = o.label
		if !o.inner.Load() { // those around o know already
			o.inner.Store(true)
		}
	}
	return s
}

// newNamedScope is newScope for a name that is known.
func newNamedScope(ctx context.Context, route string) *scope {
	s := newScope(ctx, nil)
	s.set.Store(&route)
	return s
}

// SetRoute names the route of what happens in a context that [WithRoute], [Do] or
// httphold's Middleware has made, from now on and in holds that are open: routers know
// the pattern of a request only inside, when the connections that a middleware takes
// are taken already. The last name counts. In another context it does nothing.
func SetRoute(ctx context.Context, route string) {
	s := scopeOf(ctx)
	for s != nil && s.intended {
		s = s.outer
	}
	if s == nil {
		return
	}
	s.set.Store(&route)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		c.mu.Lock()
		if !c.released {
			c.route = route
		}
		c.mu.Unlock()
	}
}

// name is the route as far as it is known.
func (s *scope) name() string {
	if route := s.set.Load(); route != nil {
		return *route
	}
	route := s.route()
	if told := s.told.Load(); told == nil || *told != route {
		s.tell(route)
	}
	return route
}

func (s *scope) tell(route string) { s.told.Store(&route) }

func init() {
	naming.Told = func(ctx context.Context, route string) {
		if s := scopeOf(ctx); s != nil {
			s.tell(route)
		}
	}
}

// knownName is name for others than who makes a checkout: as far as it was told.
func (s *scope) knownName() string {
	for _, route := range []*string{s.set.Load(), s.told.Load()} {
		if route != nil {
			return *route
		}
	}
	return ""
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
	s.takes++
	for _, k := range s.calls {
		k.join(c, c.began, false)
	}
	s.mu.Unlock()
	for o := s.outer; o != nil; o = o.outer {
		o.mu.Lock()
		for _, k := range o.calls {
			if k.scope == o { // s has its own, and does not wait for those of others
				k.join(c, c.began, false)
			}
		}
		o.mu.Unlock()
	}
}

// holds returns a hold of the pool that is open in s or in what that is within, or nil.
func (s *scope) holds(p *Pool) *Checkout {
	for ; s != nil; s = s.outer {
		s.mu.Lock()
		i := slices.IndexFunc(s.open, func(c *Checkout) bool { return c.pool == p && !c.intended })
		var c *Checkout
		if i >= 0 {
			c = s.open[i]
		}
		s.mu.Unlock()
		if c != nil {
			return c
		}
	}
	return nil
}

func (s *scope) remove(c *Checkout) {
	if s == nil {
		return
	}
	s.mu.Lock()
	if i := slices.Index(s.open, c); i >= 0 {
		s.open = slices.Delete(s.open, i, i+1)
	}
	if s.do {
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
