package pghold

import (
	"encoding/json"
	"slices"
	"time"
)

// Series sums up the finished holds of one pool, route and call site.
type Series struct {
	Pool  string `json:"pool"`
	Route string `json:"route"`
	Site  Site   `json:"site"`

	Wait   Sketch `json:"wait_s"`
	Held   Sketch `json:"held_s"` // its Count is the number of holds
	Silent Sketch `json:"silent_s"`

	Busy                time.Duration `json:"-"` // sums
	SilentInTransaction time.Duration `json:"-"`
	Statements          uint64        `json:"statements"`
	Panics              uint64        `json:"panics"`

	// SlowCalls are the slow calls seen inside the holds, by name and line, those
	// that took longest in all first.
	SlowCalls []SlowCalls `json:"slow_calls,omitempty"`
	// Gaps are the gaps of 1 ms or more, by their place, those that took longest in
	// all first.
	Gaps []Gaps `json:"gaps,omitempty"`
	// Worst is the hold that was silent longest, in full.
	Worst Hold `json:"worst"`
}

// Folded is the route under which holds are counted together when there are more
// combinations than Config.MaxSeries, and the name under which slow calls are when
// a series has more than maxPlaces of them.
const Folded = "(other)"

// maxPlaces is how many places of slow calls, and of long gaps, a series keeps apart.
const maxPlaces = 32

// SlowCalls counts slow calls of one name, made at one line.
type SlowCalls struct {
	What     string // Folded where a series had more than maxPlaces of them
	Site     Site
	Count    uint64
	Duration time.Duration // their sum
	Longest  time.Duration
	// IDs are the names of the place, as NewPlaceID makes them: of the function that
	// took the connection, which comes first, and of those that may have had it taken
	// by a helper. At most maxIDs.
	IDs []PlaceID

	seen []from // whose names are among IDs
}

// from is where slow calls were made, and in a hold from where.
type from struct{ hold, slow *place }

// Gaps counts gaps at one place: between the same two lines, and in the same slow
// call. Where there were too many, of a hold or of a series, those of further places
// are added up without their lines: under Folded where slow calls filled them, and
// apart from these where none did.
type Gaps struct {
	After         Site // the line of the statement before, or of the checkout; none where places were added up
	Before        Site // the line of the statement after; none where the release ended the gap
	InTransaction bool // of one of them
	// SlowCall is the longest of the slow calls in the gap where these took more than
	// half of it; "" where they took less, or there were none.
	SlowCall string
	Count    uint64
	Duration time.Duration // their sum
	Longest  time.Duration
}

// BusyRatio is the share of the time held in which a statement was running.
func (s *Series) BusyRatio() float64 {
	if s.Held.Sum() == 0 {
		return 0
	}
	return float64(s.Busy) / float64(s.Held.Sum())
}

// add counts a hold that was released at now.
func (s *Series) add(c *Checkout, now time.Duration) {
	held := now - c.began
	silent := held - c.busy
	if s.Held.Count() == 0 || silent > s.Worst.Silent() {
		s.Worst = c.hold(now)
	}
	if c.wait != unknownWait {
		s.Wait.Add(c.wait)
	}
	s.Held.Add(held)
	s.Silent.Add(silent)
	s.Busy += c.busy
	s.SilentInTransaction += c.silentInTx
	s.Statements += uint64(c.statements)
	if c.panicked {
		s.Panics++
	}
	if c.calls != nil {
		for _, call := range c.calls.ended {
			s.slow(SlowCalls{What: call.what, Site: call.site.site(), Count: 1, Duration: call.duration, Longest: call.duration}).name(from{c.site, call.site})
		}
		for _, left := range c.calls.left {
			s.slow(left.SlowCalls).name(from{c.site, left.site})
		}
	}
	for _, g := range c.gaps {
		sum := Gaps{After: g.after.site(), InTransaction: g.inTransaction, SlowCall: g.in, Count: 1, Duration: g.duration, Longest: g.duration}
		if g.before != nil {
			sum.Before = g.before.site()
		}
		s.silent(sum)
	}
	for _, left := range c.gapsLeft {
		s.silent(left)
	}
}

// slow adds slow calls of one name and line, and returns their sum.
func (s *Series) slow(more SlowCalls) *SlowCalls {
	i := slices.IndexFunc(s.SlowCalls, more.samePlace)
	if i < 0 && len(s.SlowCalls) >= maxPlaces {
		more.What, more.Site, more.IDs = Folded, Site{}, nil
		i = slices.IndexFunc(s.SlowCalls, more.samePlace)
	}
	if i < 0 {
		more.IDs, more.seen = slices.Clone(more.IDs), nil // they are another's
		s.SlowCalls = append(s.SlowCalls, more)
		return &s.SlowCalls[len(s.SlowCalls)-1]
	}
	sum := &s.SlowCalls[i]
	sum.Count += more.Count
	sum.Duration += more.Duration
	sum.Longest = max(sum.Longest, more.Longest)
	for _, id := range more.IDs {
		sum.IDs = addID(sum.IDs, id)
	}
	return sum
}

// name adds the names of a place at which one of the calls was made.
func (c *SlowCalls) name(f from) {
	if c.What == Folded || len(c.seen) >= maxPlaces || slices.Contains(c.seen, f) {
		return
	}
	c.seen = append(c.seen, f)
	c.IDs = placeIDs(c.IDs, f.hold, f.slow)
}

func (c SlowCalls) samePlace(o SlowCalls) bool { return c.What == o.What && c.Site == o.Site }

// silent adds gaps of one place. Of more than maxPlaces, those of further places are
// added up: those that slow calls filled, and the others.
func (s *Series) silent(more Gaps) {
	if len(s.Gaps) >= maxPlaces && !slices.ContainsFunc(s.Gaps, more.samePlace) {
		more.After, more.Before = Site{}, Site{}
		if more.SlowCall != "" {
			more.SlowCall = Folded
		}
	}
	s.Gaps = addGaps(s.Gaps, more)
}

// addGaps adds gaps of one place to those of several.
func addGaps(gaps []Gaps, more Gaps) []Gaps {
	i := slices.IndexFunc(gaps, more.samePlace)
	if i < 0 {
		return append(gaps, more)
	}
	sum := &gaps[i]
	sum.InTransaction = sum.InTransaction || more.InTransaction
	sum.Count += more.Count
	sum.Duration += more.Duration
	sum.Longest = max(sum.Longest, more.Longest)
	return gaps
}

func (g Gaps) samePlace(o Gaps) bool {
	return g.SlowCall == o.SlowCall && g.After == o.After && g.Before == o.Before
}

// Merge adds what another series has counted: of the same pool, route and site, or of
// others that are to be counted together. Worst is then that which was silent longer.
func (s *Series) Merge(o *Series) {
	if o == nil {
		panic("pghold: Series.Merge needs a series, and got nil")
	}
	if o.Held.Count() > 0 && (s.Held.Count() == 0 || o.Worst.Silent() > s.Worst.Silent()) {
		s.Worst = o.Worst
	}
	s.Wait.Merge(&o.Wait)
	s.Held.Merge(&o.Held)
	s.Silent.Merge(&o.Silent)
	s.Busy += o.Busy
	s.SilentInTransaction += o.SilentInTransaction
	s.Statements += o.Statements
	s.Panics += o.Panics
	for _, calls := range o.SlowCalls {
		s.slow(calls)
	}
	for _, gaps := range o.Gaps {
		s.silent(gaps)
	}
}

// seriesKey names a series. A shard has a part of it under the same name: by its
// Site, not by the stack on which that was found, of which there may be any number.
type seriesKey struct {
	pool, route string
	site        Site
}

// seriesOf returns the part of the series that c belongs to. The caller holds the
// lock of c's shard.
func (r *Recorder) seriesOf(c *Checkout) *Series {
	last := &c.site.last
	if last.series == nil || last.pool != c.pool || last.route != c.route {
		key := seriesKey{c.pool.name, c.route, c.site.site()}
		folded := !r.keeps(key)
		if folded {
			key = seriesKey{pool: c.pool.name, route: Folded}
		}
		s := c.shard.series[key]
		if s == nil {
			s = &Series{Pool: key.pool, Route: key.route, Site: key.site}
			c.shard.series[key] = s
		}
		*last = lastSeries{c.pool, c.route, s, folded}
	}
	if last.folded {
		r.folded.Add(1)
	}
	return last.series
}

// keeps reports whether a series is kept apart. It is where there is room for it.
func (r *Recorder) keeps(key seriesKey) bool {
	if _, kept := r.series.Load(key); kept {
		return true
	}
	if r.kept.Add(1) > int64(r.cfg.MaxSeries) {
		r.kept.Add(-1)
		return false
	}
	if _, other := r.series.LoadOrStore(key, struct{}{}); other {
		r.kept.Add(-1)
	}
	return true
}

type (
	plainSeries Series
	seriesJSON  struct {
		plainSeries
		Busy                seconds `json:"busy_s"`
		BusyRatio           float64 `json:"busy_ratio"`
		SilentInTransaction seconds `json:"silent_in_transaction_s"`
	}
	gapsJSON struct {
		After         Site    `json:"after"`
		Before        *Site   `json:"before,omitempty"` // none: the release
		InTransaction bool    `json:"in_transaction"`
		SlowCall      string  `json:"slow_call,omitempty"`
		Count         uint64  `json:"count"`
		Duration      seconds `json:"duration_s"`
		Longest       seconds `json:"longest_s"`
	}
	slowCallsJSON struct {
		What     string    `json:"what"`
		Site     Site      `json:"site"`
		Count    uint64    `json:"count"`
		Duration seconds   `json:"duration_s"`
		Longest  seconds   `json:"longest_s"`
		IDs      []PlaceID `json:"ids,omitempty"`
	}
)

// MarshalJSON writes durations as seconds.
func (s *Series) MarshalJSON() ([]byte, error) {
	return json.Marshal(seriesJSON{plainSeries(*s), seconds(s.Busy), s.BusyRatio(), seconds(s.SilentInTransaction)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Series) UnmarshalJSON(b []byte) error {
	var j seriesJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*s = Series(j.plainSeries)
	s.Busy, s.SilentInTransaction = time.Duration(j.Busy), time.Duration(j.SilentInTransaction)
	return nil
}

// MarshalJSON writes durations as seconds.
func (c SlowCalls) MarshalJSON() ([]byte, error) {
	return json.Marshal(slowCallsJSON{c.What, c.Site, c.Count, seconds(c.Duration), seconds(c.Longest), c.IDs})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *SlowCalls) UnmarshalJSON(b []byte) error {
	var j slowCallsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*c = SlowCalls{What: j.What, Site: j.Site, Count: j.Count, Duration: time.Duration(j.Duration), Longest: time.Duration(j.Longest), IDs: j.IDs}
	return nil
}

// MarshalJSON writes durations as seconds.
func (g Gaps) MarshalJSON() ([]byte, error) {
	j := gapsJSON{g.After, nil, g.InTransaction, g.SlowCall, g.Count, seconds(g.Duration), seconds(g.Longest)}
	if g.Before != (Site{}) {
		j.Before = &g.Before
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (g *Gaps) UnmarshalJSON(b []byte) error {
	var j gapsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*g = Gaps{j.After, Site{}, j.InTransaction, j.SlowCall, j.Count, time.Duration(j.Duration), time.Duration(j.Longest)}
	if j.Before != nil {
		g.Before = *j.Before
	}
	return nil
}
