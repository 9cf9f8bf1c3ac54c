package plan

import (
	"errors"
	"fmt"
	"unsafe"
)

// mostMemory is how much the simulations of a question may keep at once, in bytes. While
// they grow, the process has about four times as much: 1 GB.
const mostMemory = 256 << 20

// TooLargeError is of a prediction that would take more than 1 GB of memory.
type TooLargeError struct {
	What    string // there is too much of, as "8000000 requests under way at once"
	Instead string // what to lower
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s would take more than 1 GB of memory: lower %s", e.What, e.Instead)
}

// room is how much a simulation of the model may keep.
func (m Model) room() int64 {
	if m.memory > 0 {
		return m.memory
	}
	return mostMemory
}

// checkPlaces refuses what would be too large before it begins.
func checkPlaces(replicas, accounts int, room int64) error {
	if int64(replicas) > room/int64(unsafe.Sizeof(replica{})) {
		return &TooLargeError{fmt.Sprintf("%d replicas", replicas), "--replicas"}
	}
	if int64(accounts) > room/int64(unsafe.Sizeof(account{})) {
		return &TooLargeError{fmt.Sprintf("%d accounts", accounts), "--accounts"}
	}
	return nil
}

// checkQueue refuses, of an overload, what queues before anybody gives up, without
// simulating it: a lower bound, since nothing that has come faster than it is carried has
// left by then. It is about so many of the model's replicas.
func checkQueue(q Question, replicas int) error {
	s := q.Settings
	if s.MaxInFlight > 0 || len(q.Model.Times) > 0 {
		return nil
	}
	patience := min(s.Duration, s.PoolTimeout, s.ClientTimeout)
	n := (s.Rate - q.capacity()) * patience.Seconds() * float64(replicas) / float64(q.replicas())
	if n*float64(unsafe.Sizeof(request{})) <= float64(q.Model.room()) {
		return nil
	}
	return &TooLargeError{fmt.Sprintf("%.0f requests under way at once", n), lessLoad}
}

const lessLoad = "--rate, --duration or --pool-timeout"

// full reports whether the simulation has used up its room. What it keeps grows with the
// requests that are under way and with what is going to happen to them.
func (s *sim) full() bool {
	kept := int64(cap(s.reqs))*int64(unsafe.Sizeof(request{})) + int64(s.events.kept())*int64(unsafe.Sizeof(event{}))
	return kept > s.room
}

func (s *sim) tooLarge() error {
	return &TooLargeError{fmt.Sprintf("%d requests under way at once, and more to come,", len(s.reqs)-len(s.free)), lessLoad}
}

// sharing runs simulations in so many goroutines that share the room for them; where it is
// too little for one of them, one after the other. So what is refused does not depend on
// the number of processors.
func (m Model) sharing(workers int, run func(m Model, workers int) error) error {
	part := m
	part.memory = m.room() / int64(workers)
	err := run(part, workers)
	var large *TooLargeError
	if workers == 1 || !errors.As(err, &large) {
		return err
	}
	return run(m, 1)
}
