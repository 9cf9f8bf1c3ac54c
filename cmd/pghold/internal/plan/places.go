package plan

// get takes a place of a station, or has the request wait for one, as long as it may.
func (s *sim) get(st *station, r int32, what waitFor, patience int64) bool {
	q := &s.reqs[r]
	q.since = s.now
	if st.take() {
		q.has |= places[what]
		if what == aServer {
			s.pool.serversMost = max(s.pool.serversMost, st.used)
		}
		return true
	}
	st.enqueue(s.reqs, r)
	q.in = what
	q.gen++
	if patience != forEver {
		s.after(patience, r, evPatience)
	}
	if what == aConnection {
		s.pool.waiting(st.waiting)
	}
	return false
}

// attach reports whether the request's connection has one of PgBouncer's already: since
// its last transaction, or, in session mode, since somebody else's. Of the idle
// connections those are taken first that do.
func (s *sim) attach(q *request) bool {
	if !s.sessionMode {
		return false
	}
	rep := &s.replicas[q.replica]
	if q.has&hasServer == 0 && rep.attached > 0 {
		rep.attached--
		q.has |= hasServer
	}
	return q.has&hasServer != 0
}

// give gives a place back, to whoever is next.
func (s *sim) give(st *station, r int32, has uint8) {
	s.reqs[r].has &^= has
	if n := st.release(s.reqs, s.rng); n != none {
		s.granted(n)
	}
}

// granted goes on with a request that has got what it waited for.
func (s *sim) granted(r int32) {
	q := &s.reqs[r]
	q.has |= places[q.in]
	s.waited(q)
	in := q.in
	q.in = nothing
	q.gen++
	switch in {
	case aCore:
		s.statement(r)
		return
	case aConnection:
		if !s.connected(r, s.handover) {
			return
		}
		q.at++
	case aThread: // before the first op, and not one itself
	default:
		q.at++
	}
	s.ready = append(s.ready, r)
}

// waited counts a wait that has ended.
func (s *sim) waited(q *request) {
	d := s.now - q.since
	switch q.in {
	case aThread:
		q.threadWait += d
	case aConnection:
		q.poolWait += d
	case aServer, aRow, aCore: // within a statement, as the app sees it
		q.busy += d
	}
}

func (s *sim) stationOf(q *request) *station {
	rep := &s.replicas[q.replica]
	switch q.in {
	case aThread:
		return &rep.threads
	case aConnection:
		return &rep.pool
	case aServer:
		return &s.servers
	case aCore:
		return &s.cores
	case aRow:
		return &s.accounts[q.account].row
	}
	return &rep.workers
}

// connected reports whether the request, which has a place in the pool, has a
// connection too. It has not where it was queued and the place has yet to reach it, nor
// where it has to open one.
func (s *sim) connected(r int32, handover int64) bool {
	q := &s.reqs[r]
	rep := &s.replicas[q.replica]
	d := handover
	if rep.pool.used > rep.open {
		rep.open++
		s.pool.opened(1)
		d += s.connect
	}
	if d > 0 {
		q.poolWait += d
		q.held = -1
		s.spend(q, r, opAcquire, d)
		return false
	}
	s.checkedOut(q)
	return true
}

func (s *sim) checkedOut(q *request) {
	q.held = s.now
	s.of(q).stats.took(s.now - q.since)
}

// releaseConnection gives the connection back. One whose session the server has ended
// is no use to anybody, and one more than the pool keeps is closed.
func (s *sim) releaseConnection(r int32) {
	q := &s.reqs[r]
	rep := &s.replicas[q.replica]
	if q.held >= 0 { // else its client has left before it had it
		s.of(q).stats.hold(s.now - q.held)
	}
	closed := q.lost
	if q.lost {
		q.lost = false
		rep.open--
		s.pool.opened(-1)
	}
	if rep.pool.waiting == 0 && rep.open-(rep.pool.used-1) > s.keep {
		rep.open--
		s.pool.opened(-1)
		closed = true
	}
	if q.has&hasServer != 0 { // in session mode
		if closed {
			s.give(&s.servers, r, hasServer)
		} else {
			q.has &^= hasServer
			rep.attached++
		}
	}
	s.give(&rep.pool, r, hasConnection)
}
