package pghold

import (
	"math/bits"
	"strconv"
	"sync/atomic"
)

// labelKey is the pprof label that goroutines have in Do.
const labelKey = "pghold"

// label is a value of it. A profile of goroutines tells those with different ones apart,
// and has a stack more for each: so there are few that belong to one request each, and
// what is in Do beside these shares one.
type label uint8

const (
	noLabel     label = 0 // not in Do
	maxLabels         = 128
	sharedLabel label = maxLabels + 1
)

var labelNames = func() (names [sharedLabel + 1]string) {
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	names[noLabel], names[sharedLabel] = "", "shared"
	return names
}()

func (l label) String() string { return labelNames[l] }

// own reports whether it belongs to one request.
func (l label) own() bool { return l != noLabel && l != sharedLabel }

// labels are those that are given out now, by whatever recorder: a profile is of the
// whole program.
var labels labelSet

type labelSet struct {
	next  atomic.Uint32 // where to look first, so that a label is not given out again soon
	taken [maxLabels / 64]atomic.Uint64
}

// take gives out a label that nobody has, or sharedLabel.
func (s *labelSet) take() label {
	first := s.next.Add(1) % maxLabels
	for i := range uint32(len(s.taken) + 1) { // the first word is looked at in two parts
		n := (first/64 + i) % uint32(len(s.taken))
		from := uint32(0)
		if i == 0 {
			from = first % 64
		}
		for {
			taken := s.taken[n].Load()
			bit := bits.TrailingZeros64(^taken >> from << from)
			if bit == 64 {
				break
			}
			if s.taken[n].CompareAndSwap(taken, taken|1<<bit) {
				return label(n*64 + uint32(bit) + 1)
			}
		}
	}
	return sharedLabel
}

// give takes a label back.
func (s *labelSet) give(l label) {
	if l.own() {
		s.taken[(l-1)/64].And(^(uint64(1) << ((l - 1) % 64)))
	}
}

// owners are the calls of Do that have a label of their own now, by their labels.
var owners [sharedLabel + 1]atomic.Pointer[scope]

// shareLabel gives the scope of a Do its label: that of the one around it, or else one of its
// own. It returns whose it is, nil where all share it.
func (s *scope) shareLabel() (owner *scope) {
	if s.label == sharedLabel {
		return nil
	}
	if owner = owners[s.label].Load(); owner != nil && s.within(owner) && owner.join() {
		return owner
	}
	// There is none around it, or that has ended and this is in a goroutine that goes on.
	if s.label = labels.take(); !s.label.own() {
		return nil
	}
	s.users.Store(1)
	owners[s.label].Store(s)
	return s
}

// endLabel gives the label back when the Do that has it, and all that share it, have ended:
// one in a goroutine of its own may be the last.
func (s *scope) endLabel(owner *scope) {
	if owner == nil {
		return
	}
	if owner == s {
		owners[s.label].Store(nil)
	}
	if owner.users.Add(-1) == 0 {
		labels.give(owner.label)
	}
}

// join is one user more, unless all have ended.
func (s *scope) join() bool {
	for n := s.users.Load(); n > 0; n = s.users.Load() {
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// within reports whether another scope is around s.
func (s *scope) within(other *scope) bool {
	o := s.outer
	for o != nil && o != other {
		o = o.outer
	}
	return o != nil
}
