package pghold

import (
	"cmp"
	"hash/maphash"
	"runtime"
	"slices"

	"github.com/pghold/pghold/internal/callsite"
	"github.com/pghold/pghold/internal/framekey"
)

// Site is a line of code: where a connection was taken, or a statement sent.
type Site struct {
	Func string `json:"func"`
	File string `json:"file"`
	Line int    `json:"line"`
}

// String is the site as people write it: app.go:88.
func (s Site) String() string { return callsite.Site(s).String() }

// A stack is taken in two depths: most calls leave the libraries within its first
// frames; where they do not, as through an ORM, more of it is taken.
type (
	stack     [8]uintptr
	deepStack [48]uintptr
)

// sites resolves stacks to places and remembers them. It is guarded by the lock of
// its shard.
type sites struct {
	near map[stack]*place // nil: not to be told from so few frames
	far  map[deepStack]*place
	slow map[slowStack]*place // of slow calls

	keyed map[stackKey]*place // what was found in near and far; or keyless, or farther

	handlers map[uint64]*string // by a hash of the stack
}

// slowStack is the stack of a slow call: how it begins, and a hash of the rest.
type slowStack struct {
	begin deepStack
	rest  uint64
}

var stackSeed = maphash.MakeSeed()

// maxStacks is how many stacks of each kind are remembered. Programs have as many
// as they have call sites; should one have more, as with code made at run time,
// they are forgotten and found again.
const maxStacks = 2048

// at returns the place of the stack that its caller has taken, which may be a part
// of one, and keeps it under its key. skip holds the packages that are not the
// application's.
func (m *sites) at(pcs *stack, key *newKey, skip []string) *place {
	found, ok := m.near[*pcs]
	if !ok {
		there, _ := callsite.Resolve(slices.Clone(pcs[:]), skip) // a copy, so that pcs need not be on the heap
		found = newPlace(there)
		m.near = remember(m.near, *pcs, found)
	}
	if key.isNew && key.frames > 0 {
		m.keep(key, key.begin[:], pcs[:], cmp.Or(found, farther))
	}
	if found != nil {
		return found
	}
	var more deepStack
	runtime.Callers(3, more[:])
	found = m.far[more]
	if found == nil {
		found = anyPlace(slices.Clone(more[:]), skip)
		m.far = remember(m.far, more, found)
	}
	if key.isNew && key.frames == 0 {
		var walked deepWalk
		framekey.Walk(walked[:])
		m.keep(key, walked[:], more[:], found)
	}
	return found
}

// handler names the route of a hold of which no context tells it: the handler that is on
// the stack, if this is a goroutine of [Do], otherwise "".
func (s *shard) handler(skip []string) string {
	var pcs [128]uintptr
	n := runtime.Callers(4, pcs[:]) // above Wait or Checkout
	key := maphash.Comparable(stackSeed, pcs)
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.sites.handlers[key]
	if found == nil {
		name := callsite.Handler(slices.Clone(pcs[:n]), doFrame, skip)
		found = &name
		s.sites.handlers = remember(s.sites.handlers, key, found)
	}
	return *found
}

// ofCall is at for a slow call.
func (m *sites) ofCall(k *call, skip []string) *place {
	key := slowStack{begin: k.pcs}
	if len(k.more) > 0 {
		var rest [2 * len(k.pcs)]uintptr
		copy(rest[:], k.more)
		key.rest = maphash.Comparable(stackSeed, rest)
	}
	found := m.slow[key]
	if found == nil {
		found = anyPlace(slices.Concat(k.pcs[:], k.more), skip)
		m.slow = remember(m.slow, key, found)
	}
	return found
}

// anyPlace is that of the innermost frame that is the application's or, where none is, of
// a module that the program depends on.
func anyPlace(pcs []uintptr, skip []string) *place {
	there, other := callsite.Resolve(pcs, skip)
	return newPlace(cmp.Or(there, other))
}

func remember[K comparable, V any](m map[K]*V, pcs K, found *V) map[K]*V {
	if m == nil || len(m) >= maxStacks {
		m = map[K]*V{}
	}
	m[pcs] = found
	return m
}
