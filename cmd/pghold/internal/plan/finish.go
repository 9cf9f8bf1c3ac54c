package plan

import "github.com/pghold/pghold/cmd/pghold/internal/experiment"

// gaveUp ends a wait that has lasted as long as it may.
func (s *sim) gaveUp(r int32) {
	q := &s.reqs[r]
	s.stationOf(q).remove(s.reqs, r)
	s.waited(q)
	q.failed = otherError
	if q.in == aConnection {
		q.failed = poolTimeout
		s.of(q).stats.waits.add(s.now - q.since)
	}
	if q.in == aServer {
		q.lost = true // PgBouncer disconnects its client
	}
	q.in = nothing
	s.finish(r)
}

// leave ends a request whose client has left, wherever it is.
func (s *sim) leave(r int32) {
	q := &s.reqs[r]
	if q.done {
		return
	}
	if q.in != nothing {
		s.stationOf(q).remove(s.reqs, r)
		s.waited(q)
		q.in = nothing
	}
	q.failed = otherError
	s.finish(r)
}

// endTransaction ends what the server has of the request.
func (s *sim) endTransaction(r int32) {
	q := &s.reqs[r]
	s.talks(q)
	if q.has&hasRow != 0 {
		s.give(&s.accounts[q.account].row, r, hasRow)
	}
	if q.has&hasServer != 0 && !s.sessionMode {
		s.give(&s.servers, r, hasServer)
	}
}

// finish ends a request, whatever it still has.
func (s *sim) finish(r int32) {
	q := &s.reqs[r]
	st := s.of(q).stats
	q.gen++
	rep := &s.replicas[q.replica]
	if q.has&hasCore != 0 {
		s.give(&s.cores, r, hasCore)
	}
	if q.silent >= 0 {
		st.trips++ // a rollback, for which nobody waits
	}
	s.endTransaction(r)
	if q.has&hasConnection != 0 {
		s.releaseConnection(r)
	}
	if q.has&hasThread != 0 {
		s.give(&rep.threads, r, hasThread)
	}
	if q.has&hasWorker != 0 {
		s.give(&rep.workers, r, hasWorker)
	}
	if !q.done {
		how := experiment.OK
		switch q.failed {
		case poolTimeout:
			how = experiment.PoolTimeout
		case otherError:
			how = experiment.Failed
		}
		st.answered(s.now, s.of(q).network, how, q)
		rep.running--
	}
	st.busyInHolds += float64(q.busy)
	if q.failed == noFailure {
		st.whole(q)
	}
	st.last = s.now
	q.life++ // nobody leaves any more
	s.free = append(s.free, r)
}
