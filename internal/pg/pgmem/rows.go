package pgmem

import "slices"

// table is rows by their primary key. All of it is guarded by Server.mu.
type table[K comparable, V any] struct {
	rows  map[K]*row[V]
	order []K // as they were inserted
}

// row is one row: what is committed, and what its owner has made of it since.
type row[V any] struct {
	committed *V // nil where there is none
	own       *V // what the owner sees; nil where it is not there
	owner     *txn
	queue     []*waiter // for the lock; the first is served first
}

// waiter is a transaction that waits for a row.
type waiter struct {
	tx    *txn
	ready chan struct{} // closed when the row is its own
}

// locked is a row in the list of those that a transaction owns.
type locked interface {
	release(commit bool)
}

func newTable[K comparable, V any]() *table[K, V] { return &table[K, V]{rows: map[K]*row[V]{}} }

// read returns the row as a transaction sees it, without waiting; nil where it sees
// none.
func (t *table[K, V]) read(tx *txn, key K) *V {
	r := t.rows[key]
	switch {
	case r == nil:
		return nil
	case r.owner == tx:
		return r.own
	}
	return r.committed
}

// all calls f with each row that a transaction sees, until f returns false.
func (t *table[K, V]) all(tx *txn, f func(K, *V) bool) {
	for _, key := range t.order {
		if v := t.read(tx, key); v != nil && !f(key, v) {
			return
		}
	}
}

// free reports whether a transaction need not wait for the row.
func (t *table[K, V]) free(tx *txn, key K) bool {
	r := t.rows[key]
	return r.owner == nil || r.owner == tx
}

// lock makes the row the session's transaction's own, after whoever has it, and
// returns it as it is then: nil where it is gone.
func (t *table[K, V]) lock(s *session, key K) (*V, error) {
	r := t.rows[key]
	if r == nil {
		return nil, nil
	}
	if err := r.lock(s); err != nil {
		return nil, err
	}
	return r.own, nil
}

// insert adds a row. Where there is one with that key it fails, after whoever has it.
func (t *table[K, V]) insert(s *session, constraint string, key K, v V) error {
	r := t.rows[key]
	if r == nil {
		r = &row[V]{}
		t.rows[key] = r
		t.order = append(t.order, key)
	}
	if r.committed != nil && r.owner == nil || r.owner == s.tx && r.own != nil {
		return unique(constraint)
	}
	if err := r.lock(s); err != nil {
		return err
	}
	if r.own != nil {
		return unique(constraint)
	}
	r.own = &v
	return nil
}

func unique(constraint string) error {
	return failed("23505", `duplicate key value violates unique constraint "`+constraint+`"`)
}

func (r *row[V]) lock(s *session) error {
	switch r.owner {
	case s.tx:
		return nil
	case nil:
		r.give(s.tx)
		return nil
	}
	w := &waiter{s.tx, make(chan struct{})}
	r.queue = append(r.queue, w)
	if err := s.wait(w.ready); err != nil {
		r.queue = slices.DeleteFunc(r.queue, func(other *waiter) bool { return other == w })
		return err // if it was given to us meanwhile, our transaction's end releases it
	}
	return nil
}

func (r *row[V]) give(tx *txn) {
	r.owner, r.own = tx, r.committed
	tx.owns = append(tx.owns, r)
}

func (r *row[V]) release(commit bool) {
	if commit {
		r.committed = r.own
	}
	r.owner, r.own = nil, nil
	if len(r.queue) > 0 {
		next := r.queue[0]
		r.queue = r.queue[1:]
		r.give(next.tx)
		close(next.ready)
	}
}
