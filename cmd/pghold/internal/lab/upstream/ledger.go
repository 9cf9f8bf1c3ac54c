package upstream

import (
	"maps"
	"sync"
)

// Ledger is what was asked for and what was done. Requests that were refused with
// 429 count, those that were not understood do not.
type Ledger struct {
	Chats        int            // requests for a completion
	Calls        map[string]int // requests to charge, by op
	Charges      map[string]int // charges that were booked, by op
	TotalCalls   int            // the sum of Calls
	TotalCharges int            // the sum of Charges
	Unbooked     int            // charges that were accepted and are not booked yet
}

// Ledger is a copy of the ledger.
func (s *Server) Ledger() Ledger {
	b := s.books.Load()
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.ledger
	l.Calls, l.Charges = maps.Clone(l.Calls), maps.Clone(l.Charges)
	return l
}

// Reset begins a new ledger and forgets all keys. A charge that was accepted before
// is still booked, but in the old one: the new one has only what was asked for since.
func (s *Server) Reset() {
	s.books.Store(&books{ledger: Ledger{Calls: map[string]int{}, Charges: map[string]int{}}, keys: map[string]*payment{}})
}

// books are a ledger in the making.
type books struct {
	mu     sync.Mutex // guards what follows
	ledger Ledger
	keys   map[string]*payment
}

func (b *books) chat() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger.Chats++
}

func (b *books) call(op string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger.Calls[op]++
	b.ledger.TotalCalls++
}

func (b *books) charged(op string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger.Charges[op]++
	b.ledger.TotalCharges++
	b.ledger.Unbooked--
}

// accept is the payment of this key, and whether it was there before.
func (b *books) accept(o order, key string) (p *payment, replayed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, replayed = b.keys[key]; replayed {
		return p, true
	}
	b.ledger.Unbooked++
	p = &payment{order: o, books: b, done: make(chan struct{})}
	if key != "" {
		b.keys[key] = p
	}
	return p, false
}
