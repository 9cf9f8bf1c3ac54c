package plan

// event is something that will happen to a request at a time. It counts only while
// the request is still in the state that it was pushed for, which gen tells: its own,
// or its life.
type event struct {
	at   int64 // ns
	seq  uint32
	req  int32
	gen  uint32
	kind kind
}

type kind uint8

const (
	evDone     kind = iota // a statement, a call or a connect has ended
	evPatience             // a wait has lasted as long as it may
	evLeave                // the client leaves, and its request is cancelled
	evKill                 // a transaction has been silent, or has lasted, too long
)

// ofLife reports whether such an event counts as long as its request lives, whatever
// that is doing.
func (k kind) ofLife() bool { return k >= evLeave }

// events are what is going to happen, by time, in the order in which they were pushed where
// times are equal: a heap, in which each node has four children, which keeps it flat; and
// beside it a queue of each kind of time-out, which need no sorting, as one that begins
// later ends later.
type events struct {
	heap  []event
	lanes [2]lane
	seq   uint32
}

// lane is a queue of events that are in order by themselves.
type lane struct {
	events []event // those before head have been taken
	head   int
}

func (l *lane) empty() bool { return l.head == len(l.events) }

// inLane is the lane of a kind of event; noLane where it has none.
var inLane = [...]int{evDone: noLane, evPatience: 0, evLeave: 1, evKill: noLane}

const noLane = -1

// first is what happens next, nil where nothing will. from is the lane that it is in, or
// noLane.
func (h *events) first() (e *event, from int) {
	from = noLane
	if len(h.heap) > 0 {
		e = &h.heap[0]
	}
	for i := range h.lanes {
		l := &h.lanes[i]
		if !l.empty() && (e == nil || h.before(&l.events[l.head], e)) {
			e, from = &l.events[l.head], i
		}
	}
	return e, from
}

// take takes what is first, where that is.
func (h *events) take(from int) event {
	if from == noLane {
		return h.pop()
	}
	l := &h.lanes[from]
	taken := l.events[l.head]
	if l.head++; l.head > len(l.events)/2 { // what was taken is as much as what is left
		l.events = l.events[:copy(l.events, l.events[l.head:])]
		l.head = 0
	}
	return taken
}

// kept is how many events there is memory for.
func (h *events) kept() int { return cap(h.heap) + cap(h.lanes[0].events) + cap(h.lanes[1].events) }

func (h *events) before(a, b *event) bool {
	return a.at < b.at || a.at == b.at && int32(a.seq-b.seq) < 0
}

func (h *events) push(e event) {
	h.seq++
	e.seq = h.seq
	if i := inLane[e.kind]; i != noLane { // if it is in order there: time-outs may differ
		if l := &h.lanes[i]; l.empty() || l.events[len(l.events)-1].at <= e.at {
			l.events = append(l.events, e)
			return
		}
	}
	h.heap = append(h.heap, e)
	i := len(h.heap) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !h.before(&e, &h.heap[up]) {
			break
		}
		h.heap[i] = h.heap[up]
		i = up
	}
	h.heap[i] = e
}

func (h *events) pop() event {
	top := h.heap[0]
	last := h.heap[len(h.heap)-1]
	h.heap = h.heap[:len(h.heap)-1]
	n := len(h.heap)
	if n == 0 {
		return top
	}
	i := 0
	for {
		least := 4*i + 1
		if least >= n {
			break
		}
		for c := least + 1; c < min(4*i+5, n); c++ {
			if h.before(&h.heap[c], &h.heap[least]) {
				least = c
			}
		}
		if !h.before(&h.heap[least], &last) {
			break
		}
		h.heap[i] = h.heap[least]
		i = least
	}
	h.heap[i] = last
	return top
}
