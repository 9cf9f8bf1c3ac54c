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
	last atomic.Pointer[pgxpool.Pool] // that was added, so that its acquires take no lock

	mu    sync.Mutex // guards pools
	pools []*pgxpool.Pool
}

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

// stat is what the pools say of themselves.
func (o *opened) stat() (sum pghold.PoolStat) {
	o.mu.Lock()
	pools := slices.Clone(o.pools)
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
	return sum
}
