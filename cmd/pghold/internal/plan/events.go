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

// events is a heap of events by time, in the order in which they were pushed where
// times are equal. Each node has four children, which keeps it flat.
type events struct {
	heap []event
	seq  uint32
}

func (h *events) before(a, b *event) bool {
	return a.at < b.at || a.at == b.at && int32(a.seq-b.seq) < 0
}

func (h *events) push(e event) {
	h.seq++
	e.seq = h.seq
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
