package pgxhold

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold"
)

// opened are the pools that were opened with the same tracer: mostly one.
type opened struct {
	last    atomic.Pointer[pgxpool.Pool] // that was added, so that its acquires take no lock
	binding sync.Mutex                   // while the recorder's pool is found

	mu     sync.Mutex // guards what follows
	pools  []*pgxpool.Pool
	queues []queue
}

// queue says how many connections of a queuepool are open, how many may be, and whether it
// was closed.
type queue func() (open, most int, closed bool)

// add adds a pool, and reports whether it was not known.
func (o *opened) add(pool *pgxpool.Pool) bool {
	if o.last.Load() == pool {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if slices.Contains(o.pools, pool) {
		return false
	}
	// One that is closed has no connection. Should it have none for another reason, it
	// is added again when it is asked for one.
	o.pools = slices.DeleteFunc(o.pools, func(p *pgxpool.Pool) bool { return p.Stat().TotalConns() == 0 })
	o.pools = append(o.pools, pool)
	o.last.Store(pool)
	return true
}

func (o *opened) addQueue(q queue) {
	o.mu.Lock()
	o.queues = append(slices.DeleteFunc(o.queues, func(q queue) bool { _, _, closed := q(); return closed }), q)
	o.mu.Unlock()
}

// open reports whether one of the pools is open, as far as it can be known: a pgxpool that
// has no connection may be closed.
func (o *opened) open() bool {
	o.mu.Lock()
	queues := slices.Clone(o.queues)
	o.mu.Unlock()
	for _, q := range queues {
		if _, _, closed := q(); !closed {
			return true
		}
	}
	return o.stat().Open > 0
}

// stat is what the pools say of themselves.
func (o *opened) stat() (sum pghold.PoolStat) {
	o.mu.Lock()
	pools, queues := slices.Clone(o.pools), slices.Clone(o.queues)
	o.mu.Unlock()
	for _, p := range pools {
		s := p.Stat()
		if s.TotalConns() > 0 || len(pools) == 1 {
			sum.Open += int(s.TotalConns())
			sum.Max += int(s.MaxConns())
		}
		sum.Waits += uint64(s.EmptyAcquireCount())
		sum.WaitTime += s.EmptyAcquireWaitTime()
	}
	for _, q := range queues {
		if open, most, closed := q(); !closed || len(queues) == 1 {
			sum.Open += open
			sum.Max += most
		}
	}
	return sum
}
