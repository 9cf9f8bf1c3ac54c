package upstream

import (
	"fmt"
	"net/http"
	"time"
)

// order is what a client sends to have somebody charged.
type order struct {
	Op      string `json:"op"`
	Account int64  `json:"account"`
	Amount  int64  `json:"amount"`
}

// payment is a charge that was accepted.
type payment struct {
	order order
	books *books        // those that were open when it was accepted
	done  chan struct{} // closed when its delay is over
	id    string        // empty where the server was closed before it was booked; read it after done
}

// charge books a charge in the middle of its delay, whether or not its client still
// waits: a provider does not cancel a payment because somebody hung up. Who comes
// with a key that was seen before gets the first one's answer, as soon as there is
// one, and pays nothing.
func (s *Server) charge(w http.ResponseWriter, r *http.Request) {
	var o order
	if !decode(w, r, &o) {
		return
	}
	if o.Op == "" {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "", "Invalid 'op': a charge must have one.")
		return
	}
	b := s.books.Load()
	b.call(o.Op)
	c := s.begin()
	if c.failure == RateLimited {
		refuseRate(w)
		return
	}
	p, replayed := b.accept(o, r.Header.Get("Idempotency-Key"))
	if !replayed {
		// Safe beside Close's Wait: this connection is among those it waits for.
		s.wg.Go(func() { s.pay(p, c.start, c.delay) })
	}
	select {
	case <-p.done:
	case <-r.Context().Done():
		hangUp()
	}
	if p.id == "" {
		hangUp()
	}
	if replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	w.Header().Set("Content-Type", "application/json")
	c.failure.reply(w, r, map[string]any{"id": p.id, "op": p.order.Op, "amount": p.order.Amount})
}

func (s *Server) pay(p *payment, start time.Time, delay time.Duration) {
	defer close(p.done)
	if s.until(s.ctx, start, delay/2) != nil {
		return
	}
	p.id = fmt.Sprintf("ch_%d", s.chargeIDs.Add(1))
	p.books.charged(p.order.Op)
	s.until(s.ctx, start, delay) // an error is the server's closing, and nobody is told anything then
}
