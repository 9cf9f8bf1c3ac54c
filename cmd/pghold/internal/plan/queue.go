package plan

import "math/rand/v2"

// Order is who is served next of those who wait.
type Order uint8

// The orders there are.
const (
	FIFO   Order = iota // who has waited longest: QueuePool, pgxpool
	Random              // anybody: database/sql
	LIFO                // who came last
)

// station has places that requests hold, and a queue of those who wait for one. The
// queue is a list through the requests themselves, or a slice where anybody of them
// may be next.
type station struct {
	places  int // 0: no limit
	used    int
	order   Order
	head    int32 // of the list; none where it is empty
	tail    int32
	waiting int
	any     []int32 // Random: the requests that wait, each of which knows its index
}

const none = int32(-1)

func newStation(places int, order Order) station {
	return station{places: places, order: order, head: none, tail: none}
}

// take takes a place, and reports whether there was one.
func (s *station) take() bool {
	if s.places > 0 && s.used >= s.places {
		return false
	}
	s.used++
	return true
}

func (s *station) enqueue(reqs []request, r int32) {
	s.waiting++
	if s.order == Random {
		reqs[r].next = int32(len(s.any))
		s.any = append(s.any, r)
		return
	}
	q := &reqs[r]
	q.prev, q.next = s.tail, none
	if s.tail != none {
		reqs[s.tail].next = r
	} else {
		s.head = r
	}
	s.tail = r
}

// remove takes a request out of the queue.
func (s *station) remove(reqs []request, r int32) {
	s.waiting--
	q := &reqs[r]
	if s.order == Random {
		last := s.any[len(s.any)-1]
		s.any[q.next] = last
		reqs[last].next = q.next
		s.any = s.any[:len(s.any)-1]
		return
	}
	if q.prev != none {
		reqs[q.prev].next = q.next
	} else {
		s.head = q.next
	}
	if q.next != none {
		reqs[q.next].prev = q.prev
	} else {
		s.tail = q.prev
	}
}

// release gives a place back, and returns the request that has it now, or none.
func (s *station) release(reqs []request, rng *rand.Rand) int32 {
	if s.waiting == 0 {
		s.used--
		return none
	}
	r := s.head
	switch s.order {
	case LIFO:
		r = s.tail
	case Random:
		r = s.any[rng.IntN(len(s.any))]
	}
	s.remove(reqs, r)
	return r
}
