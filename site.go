package pghold

import (
	"cmp"
	"runtime"
	"slices"

	"github.com/pghold/pghold/internal/callsite"
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
	slow map[deepStack]*place // of slow calls
}

// maxStacks is how many stacks of each kind are remembered. Programs have as many
// as they have call sites; should one have more, as with code made at run time,
// they are forgotten and found again.
const maxStacks = 2048

// at returns the place of the stack that its caller has taken, which may be a part
// of one. skip holds the packages that are not the application's.
func (m *sites) at(pcs *stack, skip []string) *place {
	found, ok := m.near[*pcs]
	if !ok {
		there, _ := callsite.Resolve(slices.Clone(pcs[:]), skip) // a copy, so that pcs need not be on the heap
		found = newPlace(there)
		m.near = remember(m.near, *pcs, found)
	}
	if found != nil {
		return found
	}
	var more deepStack
	runtime.Callers(3, more[:])
	return deep(&m.far, &more, skip)
}

// deep is at for a deep stack, and where those are remembered.
func deep(m *map[deepStack]*place, pcs *deepStack, skip []string) *place {
	found := (*m)[*pcs]
	if found == nil {
		there, other := callsite.Resolve(slices.Clone(pcs[:]), skip)
		found = newPlace(cmp.Or(there, other))
		*m = remember(*m, *pcs, found)
	}
	return found
}

func remember[K comparable](m map[K]*place, pcs K, found *place) map[K]*place {
	if m == nil || len(m) >= maxStacks {
		m = map[K]*place{}
	}
	m[pcs] = found
	return m
}
