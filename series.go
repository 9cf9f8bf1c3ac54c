package pghold

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Series sums up the finished holds of one pool, route and call site.
type Series struct {
	Pool  string `json:"pool"`
	Route string `json:"route"`
	Site  Site   `json:"site"`
	// Intended is that these connections were held on purpose, by Intend, and Route why.
	Intended bool `json:"intended,omitempty"`

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
	// Missed is how much of its silence, at most, was counted under Folded before the
	// series was kept.
	Missed time.Duration `json:"-"`

	into *Series // where it is counted since it is not kept any more, nil while it is
}

// maxPlaces is how many places of slow calls, and of long gaps, a series keeps apart.
const maxPlaces = 32

// SlowCalls counts slow calls of one name, made at one line.
type SlowCalls struct {
	What     string // Folded where a series had more than maxPlaces of them
	Site     Site
	Count    uint64
	Duration time.Duration // their sum
	Longest  time.Duration
	// Missed is how much more, at most, was counted under Folded before the place was kept.
	Missed time.Duration
	// IDs are the names of the place, as NewPlaceID makes them: of the function that
	// took the connection, which comes first, and of those that may have had it taken
	// by a helper. At most maxIDs.
	IDs []PlaceID

	seen []from // whose names are among IDs
	at   *place // of what a hold has left out, one of them; nil of those that were folded
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
	// Missed is how much more, at most, was added up without lines before the place was
	// kept.
	Missed time.Duration
	// Seen are samples of where the goroutines were, of those gaps that lasted so long
	// that they were looked at (see Gap.Mostly): those taken most often first, at most
	// maxSeen. They are statistical: a place that is not among them may have been one.
	Seen []Seen
}

// Mostly is where most of the samples were taken, and their share of all; "" where there
// are none.
func (g *Gaps) Mostly() (where string, share float64) { return mostly(g.Seen) }

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
			at := left.at
			left.at = nil
			s.slow(left).name(from{c.site, at})
		}
	}
	for _, g := range c.gaps {
		sum := Gaps{After: g.after.site(), InTransaction: g.inTransaction, SlowCall: g.in, Count: 1, Duration: g.duration, Longest: g.duration, Seen: g.where()}
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
	return keepCostliest(&s.SlowCalls, more, maxPlaces)
}

func (c *SlowCalls) add(more SlowCalls) {
	c.Count += more.Count
	c.Duration += more.Duration
	c.Longest = max(c.Longest, more.Longest)
	c.Missed += more.Missed
	for _, id := range more.IDs {
		c.IDs = addID(c.IDs, id)
	}
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

func (c SlowCalls) cost() time.Duration { return c.Duration + c.Missed }
func (c SlowCalls) named() bool         { return c.What != Folded }

func (c *SlowCalls) detach()              { c.IDs, c.seen = slices.Clone(c.IDs), nil }
func (c *SlowCalls) miss(d time.Duration) { c.Missed += d }
func (c *SlowCalls) fold() {
	*c = SlowCalls{What: Folded, Count: c.Count, Duration: c.Duration, Longest: c.Longest}
}

// silent adds gaps of one place. Of more than maxPlaces, those that cost least are
// added up: those that slow calls filled, and the others.
func (s *Series) silent(more Gaps) { keepCostliest(&s.Gaps, more, maxPlaces) }

func (g *Gaps) add(more Gaps) {
	g.InTransaction = g.InTransaction || more.InTransaction
	g.Count += more.Count
	g.Duration += more.Duration
	g.Longest = max(g.Longest, more.Longest)
	g.Missed += more.Missed
	for _, seen := range more.Seen {
		g.Seen = addSeen(g.Seen, seen)
	}
}

func (g Gaps) samePlace(o Gaps) bool {
	return g.SlowCall == o.SlowCall && g.After == o.After && g.Before == o.Before
}

func (g Gaps) cost() time.Duration { return g.Duration + g.Missed }
func (g Gaps) named() bool         { return g.After != Site{} || g.Before != Site{} }

func (g *Gaps) detach()              { g.Seen = slices.Clone(g.Seen) }
func (g *Gaps) miss(d time.Duration) { g.Missed += d }
func (g *Gaps) fold() {
	g.After, g.Before, g.Missed = Site{}, Site{}, 0
	if g.SlowCall != "" {
		g.SlowCall = Folded
	}
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
	s.Missed += o.Missed
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
	intended    bool
	site        Site
}

func (s *Series) key() seriesKey { return seriesKey{s.Pool, s.Route, s.Intended, s.Site} }

// newSeries makes the one of a name, in which nothing is counted yet.
func newSeries(k seriesKey) *Series {
	return &Series{Pool: k.pool, Route: k.route, Intended: k.intended, Site: k.site}
}

// seriesOf returns the part of the series that c belongs to. The caller holds the
// lock of c's shard.
func (r *Recorder) seriesOf(c *Checkout) *Series {
	last := &c.site.last
	if last.series == nil || last.series.into != nil || last.pool != c.pool || last.route != c.route || last.intended != c.intended {
		key := seriesKey{c.pool.name, c.route, c.intended, c.site.site()}
		s := c.shard.series[key]
		if s == nil {
			s = newSeries(key)
			if s.named() && len(c.shard.series) >= r.cfg.MaxSeries {
				s.Missed = c.shard.giveWay(r.cfg.MaxSeries)
			}
			c.shard.series[key] = s
		}
		*last = lastSeries{c.pool, c.route, c.intended, s}
	}
	return last.series
}

func (s *Series) cost() time.Duration { return s.Silent.Sum() + s.Missed }
func (s *Series) named() bool         { return s.Route != Folded }

// fold counts what the series has in another one, which those of its pool share.
func (s *Series) fold(series map[seriesKey]*Series) {
	key := seriesKey{pool: s.Pool, route: Folded}
	if series[key] == nil {
		series[key] = newSeries(key)
	}
	s.Missed = 0
	series[key].Merge(s)
	*s = Series{into: series[key]}
}

// giveWay folds the series that has cost least where there are as many as may be kept,
// and returns what it has cost.
func (s *shard) giveWay(most int) time.Duration {
	all := slices.Collect(maps.Values(s.series))
	i := least(all, most)
	if i < 0 {
		return 0
	}
	cost := all[i].cost()
	delete(s.series, all[i].key())
	all[i].fold(s.series)
	return cost
}

// foldLeast folds the series that have cost least, so that there are no more than may be
// kept apart.
func foldLeast(series map[seriesKey]*Series, most int) {
	all := slices.DeleteFunc(slices.Collect(maps.Values(series)), func(s *Series) bool { return !s.named() })
	if len(all) <= most {
		return
	}
	slices.SortFunc(all, func(a, b *Series) int { return cmp.Or(cmp.Compare(b.cost(), a.cost()), compareSeries(a, b)) })
	for _, s := range all[most:] {
		delete(series, s.key())
		s.fold(series)
	}
}

type (
	plainSeries Series
	seriesJSON  struct {
		plainSeries
		Busy                seconds `json:"busy_s"`
		BusyRatio           float64 `json:"busy_ratio"`
		SilentInTransaction seconds `json:"silent_in_transaction_s"`
		Missed              seconds `json:"missed_s,omitempty"`
	}
	gapsJSON struct {
		After         Site    `json:"after"`
		Before        *Site   `json:"before,omitempty"` // none: the release
		InTransaction bool    `json:"in_transaction"`
		SlowCall      string  `json:"slow_call,omitempty"`
		Count         uint64  `json:"count"`
		Duration      seconds `json:"duration_s"`
		Longest       seconds `json:"longest_s"`
		Missed        seconds `json:"missed_s,omitempty"`
		Seen          []Seen  `json:"seen,omitempty"`
	}
	slowCallsJSON struct {
		What     string    `json:"what"`
		Site     Site      `json:"site"`
		Count    uint64    `json:"count"`
		Duration seconds   `json:"duration_s"`
		Longest  seconds   `json:"longest_s"`
		Missed   seconds   `json:"missed_s,omitempty"`
		IDs      []PlaceID `json:"ids,omitempty"`
	}
)

// MarshalJSON writes durations as seconds.
func (s *Series) MarshalJSON() ([]byte, error) {
	return json.Marshal(seriesJSON{plainSeries(*s), seconds(s.Busy), s.BusyRatio(), seconds(s.SilentInTransaction), seconds(s.Missed)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Series) UnmarshalJSON(b []byte) error {
	var j seriesJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*s = Series(j.plainSeries)
	s.Busy, s.SilentInTransaction, s.Missed = time.Duration(j.Busy), time.Duration(j.SilentInTransaction), time.Duration(j.Missed)
	return nil
}

// MarshalJSON writes durations as seconds.
func (c SlowCalls) MarshalJSON() ([]byte, error) {
	return json.Marshal(slowCallsJSON{c.What, c.Site, c.Count, seconds(c.Duration), seconds(c.Longest), seconds(c.Missed), c.IDs})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *SlowCalls) UnmarshalJSON(b []byte) error {
	var j slowCallsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*c = SlowCalls{What: j.What, Site: j.Site, Count: j.Count, Duration: time.Duration(j.Duration), Longest: time.Duration(j.Longest), Missed: time.Duration(j.Missed), IDs: j.IDs}
	return nil
}

// MarshalJSON writes durations as seconds.
func (g Gaps) MarshalJSON() ([]byte, error) {
	j := gapsJSON{g.After, nil, g.InTransaction, g.SlowCall, g.Count, seconds(g.Duration), seconds(g.Longest), seconds(g.Missed), g.Seen}
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
	*g = Gaps{j.After, Site{}, j.InTransaction, j.SlowCall, j.Count, time.Duration(j.Duration), time.Duration(j.Longest), time.Duration(j.Missed), j.Seen}
	if j.Before != nil {
		g.Before = *j.Before
	}
	return nil
}
