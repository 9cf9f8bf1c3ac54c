package plan

import "github.com/pghold/pghold/cmd/pghold/internal/experiment"

// advance does what takes no time, until something does.
func (s *sim) advance(r int32) {
	q := &s.reqs[r]
	c := s.of(q)
	for {
		o := &c.program[q.at]
		switch o.what {
		case opAcquire:
			if !s.get(&s.replicas[q.replica].pool, r, aConnection, s.patience) || !s.connected(r, 0) {
				return
			}
		case opServer:
			if !s.attach(q) && !s.get(&s.servers, r, aServer, s.serverPatience) {
				return
			}
		case opLock:
			if !s.get(&s.accounts[q.account].row, r, aRow, forEver) {
				s.talks(q)
				return
			}
		case opRead:
			a := &s.accounts[q.account]
			q.version, q.balance = a.version, a.balance
		case opWrite:
			a := &s.accounts[q.account]
			if o.to > 0 && a.version != q.version {
				if !s.again(r, o.to) {
					return
				}
				continue
			}
			q.wrote = true
		case opLease:
			a := &s.accounts[q.account]
			if a.leasedUntil > s.now {
				if !s.again(r, o.to) {
					return
				}
				continue
			}
			a.leasedUntil = s.now + s.clientTimeout
		case opStatement:
			if q.lost && o.tx { // who only ends its transaction does not notice
				c.stats.trips++
				q.failed = otherError
				s.finish(r)
				return
			}
			if s.cores.places > 0 && !s.get(&s.cores, r, aCore, forEver) {
				s.talks(q)
				return
			}
			s.statement(r)
			return
		case opEnd:
			s.commit(q)
			s.endTransaction(r)
		case opRelease:
			s.releaseConnection(r)
		case opCall:
			d := c.call(s.rng)
			if c.jitters && d < c.callTimeout {
				d = max(0, d+c.jitter.sample(s.rng))
			}
			if d >= c.callTimeout {
				d, q.failed = c.callTimeout, otherError
			}
			q.call += d
			c.stats.calls++
			if q.called {
				c.stats.callsAgain++
			}
			q.called = true
			s.spend(q, r, opCall, d)
			return
		case opPause:
			d := o.d
			if c.jitters {
				d = max(int64(shortestPause), d+c.jitter.sample(s.rng))
			}
			s.spend(q, r, opPause, d)
			return
		case opAnswer:
			c.stats.answered(s.now, c.network, experiment.OK, q)
			q.done = true
			rep := &s.replicas[q.replica]
			rep.running--
			if !s.get(&rep.workers, r, aWorker, forEver) {
				return
			}
		case opGoto:
			q.at = o.to
			continue
		case opFinish:
			s.finish(r)
			return
		}
		q.at++
	}
}

// commit makes what the request wrote what others see.
func (s *sim) commit(q *request) {
	if !q.wrote {
		return
	}
	q.wrote = false
	a := &s.accounts[q.account]
	a.version++
	c := s.of(q)
	if c.overwrites {
		a.balance = q.balance + 1
	} else {
		a.balance++
	}
	a.leasedUntil = 0
	c.stats.recorded++
}

// spend has the request do something for a while.
func (s *sim) spend(q *request, r int32, what opcode, d int64) {
	q.doing = what
	q.gen++
	s.after(d, r, evDone)
}

// done ends what takes time, and goes on with the next op.
func (s *sim) done(r int32) {
	q := &s.reqs[r]
	q.gen++
	switch q.doing {
	case opAcquire:
		s.checkedOut(q)
	case opStatement:
		if q.has&hasCore != 0 {
			s.give(&s.cores, r, hasCore)
			if way := s.of(q).program[q.at].way; way > 0 {
				q.busy += way
				s.spend(q, r, opWay, way)
				return
			}
		}
		s.fallSilent(r)
	case opWay:
		s.fallSilent(r)
	case opCall:
		if q.failed != noFailure {
			s.finish(r)
			return
		}
	}
	q.at++
	s.advance(r)
}

// statement begins a statement: the request has its core. The way to the database and
// back takes none, and comes after it where cores matter.
func (s *sim) statement(r int32) {
	q := &s.reqs[r]
	s.talks(q)
	c := s.of(q)
	c.stats.trips++
	o := &c.program[q.at]
	d := o.d
	if q.has&hasCore == 0 {
		d += o.way
	}
	q.busy += d
	s.spend(q, r, opStatement, d)
}

// fallSilent begins a silence, where a statement has left a transaction open.
func (s *sim) fallSilent(r int32) {
	q := &s.reqs[r]
	if !s.of(q).program[q.at].tx {
		return
	}
	q.silent = s.now
	s.pool.silent(1)
	if end := s.killedAt(q); end != forEver {
		s.events.push(event{at: max(end, s.now), req: r, gen: q.life, kind: evKill})
	}
}

// talks ends a silence in a transaction: the request has something to say to the
// database.
func (s *sim) talks(q *request) {
	if q.silent >= 0 {
		s.of(q).stats.silentInTx += float64(s.now - q.silent)
		s.pool.silent(-1)
		q.silent = -1
	}
}

// killedAt is when the server ends the session of a request that is silent in a
// transaction, if it stays so.
func (s *sim) killedAt(q *request) int64 {
	at := int64(forEver)
	if s.idleTimeout > 0 {
		at = q.silent + s.idleTimeout
	}
	if s.txTimeout > 0 {
		at = min(at, q.held+s.txTimeout)
	}
	return at
}

// kill ends the session of a request that is silent, unless it has talked meanwhile.
// The request does not notice before it talks again.
func (s *sim) kill(r int32) {
	q := &s.reqs[r]
	if q.silent < 0 || s.killedAt(q) > s.now {
		return
	}
	s.endTransaction(r)
	q.lost = true
}

// again goes on with another try, unless the client has left long ago.
func (s *sim) again(r int32, to int16) bool {
	q := &s.reqs[r]
	s.of(q).stats.retries++
	if s.now-q.arrived > s.clientTimeout {
		q.failed = otherError
		s.finish(r)
		return false
	}
	q.at = to
	return true
}
