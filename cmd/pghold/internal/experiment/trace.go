package experiment

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// Trace is what happened while a route was attacked, one by one, in the experiment's
// own time: what a picture is drawn of.
type Trace struct {
	Requests  []Request
	Checkouts []Checkout
}

// Request is one request, as its client saw it.
type Request struct {
	Sent    time.Duration // since the first request
	Latency time.Duration
	Outcome Outcome
}

// Outcome is how a request ended.
type Outcome int

// The outcomes there are, in the order of Outcomes.
const (
	OK Outcome = iota
	ClientTimeout
	PoolTimeout
	Rejected
	Failed // Outcomes.Error
)

// Checkout is one connection that was taken and given back, or one wait that got
// none.
type Checkout struct {
	// At is when the connection was taken, or the wait given up, since the first
	// request.
	At time.Duration
	// Connection is the lowest number, from 1, that no other hold had at the time: so
	// there are as many as were ever held at once, whichever the pool handed out. 0:
	// none was got.
	Connection int
	Wait       time.Duration // queued before At
	Held       time.Duration // from At to the release
	// Busy is the part of Held in which a statement was running, and
	// SilentInTransaction that in which none was and a transaction was open. What
	// remains was silent without a transaction. In which order they came is not kept.
	Busy                time.Duration
	SilentInTransaction time.Duration
}

// Handovers are the times from the release of a connection until somebody had it who had
// been queued for one already: who came when all of the pool's, so many, were held. Who
// came when there were fewer may have waited for one to be opened. With several handed
// over at once it is not known who got which, and the sum is right all the same. cs are
// in the order of At.
func Handovers(cs []Checkout, connections int) []time.Duration {
	var taken, returned []time.Duration
	for _, c := range cs {
		if c.Connection != 0 {
			taken, returned = append(taken, c.At), append(returned, c.At+c.Held)
		}
	}
	slices.Sort(returned)
	heldAt := func(t time.Duration) int {
		before, _ := slices.BinarySearch(taken, t)
		over, _ := slices.BinarySearch(returned, t)
		return before - over
	}
	var hs []time.Duration
	released := map[int]time.Duration{} // when, by Connection
	for _, c := range cs {
		if c.Connection == 0 {
			continue
		}
		came := c.At - c.Wait
		if at, before := released[c.Connection]; before && came < at && heldAt(came) >= connections {
			hs = append(hs, c.At-at)
		}
		released[c.Connection] = c.At + c.Held
	}
	return hs
}

// checkoutsHeader is the first line of a file of checkouts. Times are seconds.
var checkoutsHeader = []string{"at_s", "connection", "wait_s", "held_s", "busy_s", "silent_in_transaction_s"}

// WriteCheckouts writes checkouts as CSV, a line each.
func WriteCheckouts(w io.Writer, cs []Checkout) error {
	out := csv.NewWriter(w)
	out.Write(checkoutsHeader)
	s := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
	for _, c := range cs {
		out.Write([]string{s(c.At), strconv.Itoa(c.Connection), s(c.Wait), s(c.Held), s(c.Busy), s(c.SilentInTransaction)})
	}
	out.Flush()
	return out.Error()
}

// ReadCheckouts reads what WriteCheckouts wrote.
func ReadCheckouts(r io.Reader) ([]Checkout, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = len(checkoutsHeader)
	rows, err := in.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("not a file of checkouts: %w", err)
	}
	if len(rows) == 0 || rows[0][0] != checkoutsHeader[0] {
		return nil, fmt.Errorf("not a file of checkouts: its first line is not %q", checkoutsHeader)
	}
	cs := make([]Checkout, 0, len(rows)-1)
	for i, row := range rows[1:] {
		c := Checkout{}
		if c.Connection, err = strconv.Atoi(row[1]); err != nil {
			return nil, fmt.Errorf("not a file of checkouts: line %d: %w", i+2, err)
		}
		for field, to := range map[int]*time.Duration{0: &c.At, 2: &c.Wait, 3: &c.Held, 4: &c.Busy, 5: &c.SilentInTransaction} {
			v, err := strconv.ParseFloat(row[field], 64)
			if err != nil {
				return nil, fmt.Errorf("not a file of checkouts: line %d: %w", i+2, err)
			}
			*to = time.Duration(v * float64(time.Second))
		}
		cs = append(cs, c)
	}
	return cs, nil
}
