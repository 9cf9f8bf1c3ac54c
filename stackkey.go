package pghold

import (
	"hash/maphash"
	"slices"

	"github.com/pghold/pghold/internal/callsite"
	"github.com/pghold/pghold/internal/framekey"
)

// stackKey is by what the place of a stack is found that was looked at before: return
// addresses of all frames that the place hangs on, from the recorder's own functions on.
// Wrappers, which runtime.Callers leaves out, are among them, so there are some more.
type stackKey struct {
	frames uint8 // that are looked at; 0: as many as ever are
	begin  [maxAbove + len(stack{}) + wrappers]uintptr
	rest   uint64 // a hash of all, where as many as ever are looked at
}

type deepWalk [maxAbove + len(deepStack{}) + 4*wrappers]uintptr

const (
	maxAbove = 2 // of the recorder's functions
	wrappers = 3
)

// newKey is the key of a stack that has to be looked at.
type newKey struct {
	stackKey
	isNew bool // and so to be kept with what is found
}

// What is kept of stacks for which there is no place.
var (
	farther = new(place) // it is farther than the frames that were looked at
	keyless = new(place) // the key does not tell all that runtime.Callers does
)

// byKey returns the place of a stack that was met before, nil where it has to be looked
// at. It begins above so many of the recorder's functions, of which byKey's caller is the
// first, and frames is how many of it are looked at.
//
//go:noinline
func (s *shard) byKey(key *newKey, above int, frames uint8) *place {
	if framekey.Walk(key.begin[:above+int(frames)+wrappers]) == 0 {
		return nil
	}
	key.frames = frames
	found := s.kept(key)
	if found == farther {
		var walked deepWalk
		framekey.Walk(walked[:])
		copy(key.begin[:], walked[:])
		key.frames, key.rest = 0, maphash.Comparable(stackSeed, walked)
		found = s.kept(key)
	}
	key.isNew = found == nil
	if found == keyless {
		return nil
	}
	return found
}

func (s *shard) kept(key *newKey) *place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sites.keyed[key.stackKey]
}

// keep keeps what was found. walked is what the key is of, and pcs what was looked at.
func (m *sites) keep(key *newKey, walked, pcs []uintptr, found *place) {
	if !framekey.Tells(clone(walked), clone(pcs)) {
		found = keyless
	}
	m.keyed = remember(m.keyed, key.stackKey, found)
}

// clone is a copy without the zeros at the end, so that pcs need not be on the heap.
func clone(pcs []uintptr) []uintptr { return slices.Clone(callsite.Filled(pcs)) }
