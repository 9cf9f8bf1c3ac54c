package plan

import (
	"math"
	"math/rand/v2"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// sim is one simulation. It is deterministic for its seed, and runs in one goroutine.
// When it has run, it can run again: what it has kept is only memory.
type sim struct {
	classes   []class
	counted   int // of the classes, those whose requests count; the others are of what comes in the warm-up
	warmUp    int64
	reqs      []request
	free      []int32
	events    events
	now       int64
	rng       *rand.Rand
	replicas  []replica
	servers   station // of the PgBouncer
	cores     station
	accounts  []account
	ready     []int32 // requests that can go on
	processed int64   // events

	coming coming

	nextAccount int32
	nextReplica int

	cancel         bool
	sessionMode    bool  // a connection keeps its PgBouncer's until it is closed
	keep           int   // connections that a pool keeps idle; it closes others
	patience       int64 // of the pool
	serverPatience int64 // of the PgBouncer
	clientTimeout  int64
	idleTimeout    int64 // of a silent transaction; 0: none
	txTimeout      int64 // of a transaction, which here begins with the hold; 0: none
	maxInFlight    int
	connect        int64
	handover       int64 // from a release to who was queued
	randomReplica  bool

	room int64 // bytes that it may keep
	err  error // that it needs more

	pool *stats // what is counted of all classes together: connections, and how many wait
}

// class is what the requests of one route have in common.
type class struct {
	program     []op
	sync        bool
	overwrites  bool // updates write what they read plus one
	call        func(*rand.Rand) int64
	callTimeout int64 // how long a handler waits for the slow call
	jitters     bool  // calls and pauses differ, by:
	jitter      Spread
	network     int64 // what a request takes beside its handler
	stats       *stats
}

// of is the class of a request.
func (s *sim) of(q *request) *class { return &s.classes[q.class] }

// forEver is how long somebody waits who does not give up.
const forEver = math.MaxInt64

// run sends a request at each of the times that the arrivals of the classes have, which do
// not decrease, and goes on until the last of them has ended, or it is too large (err).
func (s *sim) run(a ...arrivals) {
	s.begin(a...)
	for s.err == nil && s.step() {
	}
	s.end()
}

func (s *sim) begin(a ...arrivals) {
	s.now, s.nextReplica, s.nextAccount = 0, 0, 0
	for i := range s.replicas {
		s.servers.used -= s.replicas[i].attached
		s.replicas[i].open, s.replicas[i].attached = 0, 0
	}
	for i := range s.accounts {
		s.accounts[i] = account{row: s.accounts[i].row}
	}
	s.coming.begin(a)
}

// step does what happens next, and all that follows from it at once. It reports
// whether there was anything.
func (s *sim) step() bool {
	for {
		first, from := s.events.first()
		if s.coming.more && (first == nil || s.coming.next <= first.at) {
			s.now = s.coming.next
			s.arrive(s.coming.class)
			s.coming.advance()
			break
		}
		if first == nil {
			return false
		}
		e := s.events.take(from)
		q := &s.reqs[e.req]
		if e.kind.ofLife() && e.gen != q.life || !e.kind.ofLife() && e.gen != q.gen {
			continue // it is about what is over
		}
		s.now = e.at
		switch e.kind {
		case evDone:
			s.done(e.req)
		case evPatience:
			s.gaveUp(e.req)
		case evLeave:
			s.leave(e.req)
		case evKill:
			s.kill(e.req)
		}
		break
	}
	s.processed++
	for len(s.ready) > 0 {
		r := s.ready[0]
		s.ready = s.ready[:copy(s.ready, s.ready[1:])]
		s.advance(r)
	}
	return true
}

// end counts what the accounts do not show.
func (s *sim) end() {
	if len(s.accounts) == 0 {
		return
	}
	st := s.classes[0].stats
	st.lost = st.recorded
	for i := range s.accounts {
		st.lost -= int(s.accounts[i].balance)
	}
}

func (s *sim) after(d int64, r int32, k kind) {
	s.events.push(event{at: s.now + d, req: r, gen: s.reqs[r].gen, kind: k})
}

func (s *sim) arrive(class int) {
	if s.now < s.warmUp {
		class += s.counted
	}
	if s.full() {
		s.err = s.tooLarge()
		return
	}
	var r int32
	if n := len(s.free); n > 0 {
		r = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		r = int32(len(s.reqs))
		s.reqs = append(s.reqs, request{})
	}
	old := &s.reqs[r]
	s.reqs[r] = request{arrived: s.now, gen: old.gen + 1, life: old.life + 1, silent: -1, class: int16(class)}
	q := &s.reqs[r]
	c := s.of(q)
	if s.randomReplica {
		q.replica = int32(s.rng.IntN(len(s.replicas)))
	} else {
		q.replica = int32(s.nextReplica)
		if s.nextReplica++; s.nextReplica == len(s.replicas) {
			s.nextReplica = 0
		}
	}
	c.stats.arrived(s.now)
	rep := &s.replicas[q.replica]
	if s.maxInFlight > 0 && rep.running >= s.maxInFlight {
		c.stats.answered(s.now, c.network, experiment.Rejected, q)
		s.free = append(s.free, r)
		return
	}
	rep.running++
	if len(s.accounts) > 0 {
		q.account = s.nextAccount
		if s.nextAccount++; int(s.nextAccount) == len(s.accounts) {
			s.nextAccount = 0
		}
	}
	if s.cancel {
		s.events.push(event{at: s.now + s.clientTimeout, req: r, gen: q.life, kind: evLeave})
	}
	if c.sync && !s.get(&rep.threads, r, aThread, forEver) {
		return
	}
	s.advance(r)
}
