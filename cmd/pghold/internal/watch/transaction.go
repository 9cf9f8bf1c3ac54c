package watch

import (
	"encoding/json"
	"slices"
	"time"
)

// Seconds is a duration that JSON has in seconds.
type Seconds time.Duration

// MarshalJSON writes seconds, to the microsecond.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).Round(time.Microsecond).Seconds())
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*s = Seconds((time.Duration(f*1e6+0.5) * time.Microsecond))
	return nil
}

// Transaction is what is known of one. Its sums add up to S where its source sees each
// message.
type Transaction struct {
	Client
	Route     string    `json:"route,omitempty"` // from a comment in a statement before a gap
	StartedAt time.Time `json:"started_at"`      // when the statement that opened it was sent
	S         Seconds   `json:"s"`               // until its end, or until now
	// AtMost is how long it may have been where S is only what was surely seen; else 0.
	AtMost Seconds `json:"at_most_s,omitempty"`
	Sums
	Open bool `json:"open,omitempty"` // it goes on
	// Lost is whether its session ended before it did. Samples tell of that only where the
	// server restarts: of a session that is gone they do not know what it did last.
	Lost bool `json:"lost,omitempty"`
	// Gaps are its longest, at most 20, in the order in which they ended, and the one that is
	// open. The others, and those under a millisecond, are counted in MoreGaps.
	Gaps      []Gap   `json:"gaps"`
	MoreGaps  int     `json:"more_gaps,omitempty"`
	MoreGapsS Seconds `json:"more_gaps_s,omitempty"`
}

// Gap is a time in which a transaction was open and no statement ran.
type Gap struct {
	After string  `json:"after"` // the shape of the statement before it
	S     Seconds `json:"s"`
	// Exact is whether S is the time between two messages. Where it is not, S is what of
	// the gap was surely seen, and AtMost how long it may have been. Gaps from samples are
	// of the latter kind, and AtMost is the gap's length by the server's clock where one
	// statement ran between two samples; several look like the last of them.
	Exact   bool    `json:"exact"`
	AtMost  Seconds `json:"at_most_s,omitempty"`
	Aborted bool    `json:"aborted,omitempty"` // the transaction had failed
	Open    bool    `json:"open,omitempty"`    // it goes on
}

// maxGaps is how many gaps of a transaction are kept.
const maxGaps = 20

// keep adds a gap. Of more than maxGaps the shortest is only counted.
func (t *transaction) keep(g Gap) {
	t.gaps = append(t.gaps, g)
	if len(t.gaps) <= maxGaps {
		return
	}
	short := 0
	for i := range t.gaps {
		if t.gaps[i].S < t.gaps[short].S {
			short = i
		}
	}
	t.more++
	t.moreFor += time.Duration(t.gaps[short].S)
	t.gaps = slices.Delete(t.gaps, short, short+1)
}

// waited is the time in which it waited for its client between statements.
func (t *Transaction) waited() Seconds { return t.Silent + t.Aborted }

// keepLongest adds a transaction to those that waited longest for their clients, the
// longest first, and cuts these to so many.
func keepLongest(all []Transaction, t Transaction, most int) []Transaction {
	if len(all) == most && t.waited() <= all[most-1].waited() {
		return all
	}
	at, _ := slices.BinarySearchFunc(all, t, func(a, b Transaction) int {
		if a.waited() >= b.waited() { // equal ones in order of their ends
			return -1
		}
		return 1
	})
	all = slices.Insert(all, at, t)
	return all[:min(len(all), most)]
}
