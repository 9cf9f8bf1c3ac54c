package pghold

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// snapshotVersion is that of the JSON. Fields may be added without a new one.
const snapshotVersion = 1

// Snapshot is what a Recorder knew at one moment. Its JSON has units in the names
// and can be read again, and snapshots of several processes can be added up.
type Snapshot struct {
	Version int       `json:"version"`
	Began   time.Time `json:"began_at"` // when recording began
	Taken   time.Time `json:"taken_at"`
	// Pools are in the order of their names.
	Pools []PoolSnapshot `json:"pools"`
	// Series are the finished holds by pool, route and call site, those that were
	// silent longest first.
	Series []*Series `json:"series"`
	// Open are the holds that were open, the longest first.
	Open []Hold `json:"open"`
	// Windows are the last minute, the last ten minutes, and all of the time since recording
	// began.
	Windows []Window `json:"windows,omitempty"`
	// Waiters are those who waited for a connection, as far as their pools say so: those
	// who wait for themselves first. Of database/sql, which does not say so, those who were
	// seen to wait are among them (Waiter.Seen); only SnapshotWithStacks looks.
	Waiters []Waiter `json:"waiters,omitempty"`
	// Hints are what Config.OnHint was told.
	Hints []string `json:"hints,omitempty"`
	// FoldedHolds is how many holds were counted under Folded.
	FoldedHolds uint64 `json:"folded_holds"`
}

// PoolSnapshot is one pool's state and counts.
type PoolSnapshot struct {
	Name string `json:"name"`
	// Waiting is how many callers queue now, and MaxWaiting the most that ever did at
	// once. Of a pool that does not tell Max these are all whose acquire is in
	// progress, also those who are served without queueing.
	Waiting int `json:"waiting"`
	// CountsOnly is that the pool does not say who waits (database/sql): Waiting is then how
	// many goroutines were seen to wait within the last Config.LongWait, and MaxWaiting the
	// most that were ever seen. Only SnapshotWithStacks looks, where no other such pool is
	// full: more may wait, and 0 is also where nobody looked.
	CountsOnly bool   `json:"counts_only,omitempty"`
	MaxWaiting int    `json:"max_waiting"`
	Checkouts  uint64 `json:"checkouts"`
	Releases   uint64 `json:"releases"`
	Timeouts   uint64 `json:"timeouts"`  // waits that took too long
	Cancelled  uint64 `json:"cancelled"` // waits whose caller gave up
	Failures   uint64 `json:"failures"`  // waits that ended with another error

	// Deadlock is that all connections that the pool may have are held by requests that
	// wait for another, and that no statement runs: nobody will get one but by a time-out.
	// Where the pool does not say who waits it is inferred, as OwnWait has it.
	Deadlock bool `json:"deadlock,omitempty"`

	// What the pool itself knows, as in PoolStat; 0 where it does not tell. WaitTime ("wait_s")
	// is of waits that have ended, and so 0 while all who ever had to wait still do.
	Open     int           `json:"open_connections,omitempty"`
	Max      int           `json:"max_connections,omitempty"`
	Waits    uint64        `json:"waits,omitempty"`
	WaitTime time.Duration `json:"-"`
}

// Used is how many connections are held: checkouts that were not released yet.
func (p *PoolSnapshot) Used() int { return int(p.Checkouts - p.Releases) }

// Merge adds what another process's recorder knew. Pools of one name, and series
// of one pool, route and site, are added up.
func (s *Snapshot) Merge(o *Snapshot) {
	if o == nil {
		panic("pghold: Snapshot.Merge needs a snapshot, and got nil")
	}
	if o.Began.Before(s.Began) {
		s.Began = o.Began
	}
	if o.Taken.After(s.Taken) {
		s.Taken = o.Taken
	}
	s.FoldedHolds += o.FoldedHolds
	s.Open = append(s.Open, o.Open...)
	for _, w := range o.Waiters {
		i := slices.IndexFunc(s.Waiters, func(mine Waiter) bool {
			return mine.Pool == w.Pool && mine.Route == w.Route && mine.Itself == w.Itself && mine.Own == w.Own && mine.At == w.At && mine.Seen.IsZero() == w.Seen.IsZero()
		})
		if i < 0 {
			s.Waiters = append(s.Waiters, w)
			continue
		}
		s.Waiters[i].Count += w.Count
		s.Waiters[i].Longest = max(s.Waiters[i].Longest, w.Longest)
		if w.Seen.Before(s.Waiters[i].Seen) {
			s.Waiters[i].Seen = w.Seen
		}
	}
	for _, w := range o.Windows {
		i := slices.IndexFunc(s.Windows, func(mine Window) bool { return mine.Asked == w.Asked })
		if i < 0 {
			s.Windows = append(s.Windows, Window{Asked: w.Asked})
			i = len(s.Windows) - 1
		}
		s.Windows[i].merge(w)
	}
	for _, hint := range o.Hints {
		if !slices.Contains(s.Hints, hint) {
			s.Hints = append(s.Hints, hint)
		}
	}
pools:
	for _, p := range o.Pools {
		for i := range s.Pools {
			if mine := &s.Pools[i]; mine.Name == p.Name {
				mine.Waiting += p.Waiting
				mine.CountsOnly = mine.CountsOnly || p.CountsOnly
				mine.MaxWaiting = max(mine.MaxWaiting, p.MaxWaiting)
				mine.Deadlock = mine.Deadlock || p.Deadlock
				mine.Checkouts += p.Checkouts
				mine.Releases += p.Releases
				mine.Timeouts += p.Timeouts
				mine.Cancelled += p.Cancelled
				mine.Failures += p.Failures
				mine.Open += p.Open
				mine.Max += p.Max
				mine.Waits += p.Waits
				mine.WaitTime += p.WaitTime
				continue pools
			}
		}
		s.Pools = append(s.Pools, p)
	}
	mine := map[seriesKey]*Series{}
	for _, series := range s.Series {
		mine[series.key()] = series
	}
	for _, series := range o.Series {
		key := series.key()
		if mine[key] == nil {
			mine[key] = newSeries(key)
			s.Series = append(s.Series, mine[key])
		}
		mine[key].Merge(series)
	}
	s.sort()
}

// ReadSnapshot reads a snapshot that was written as JSON.
func ReadSnapshot(b []byte) (*Snapshot, error) {
	var s Snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("not a snapshot: %w", err)
	}
	if s.Version != snapshotVersion {
		return nil, fmt.Errorf("not a snapshot of version %d, which this pghold reads, but of version %d", snapshotVersion, s.Version)
	}
	for _, series := range s.Series {
		if series == nil {
			return nil, fmt.Errorf("not a snapshot: a series is null")
		}
	}
	return &s, nil
}

type (
	plainPool PoolSnapshot
	poolJSON  struct {
		plainPool
		WaitTime seconds `json:"wait_s,omitempty"`
	}
)

// MarshalJSON writes durations as seconds.
func (p PoolSnapshot) MarshalJSON() ([]byte, error) {
	return json.Marshal(poolJSON{plainPool(p), seconds(p.WaitTime)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *PoolSnapshot) UnmarshalJSON(b []byte) error {
	var j poolJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*p = PoolSnapshot(j.plainPool)
	p.WaitTime = time.Duration(j.WaitTime)
	return nil
}

func (s *Snapshot) sort() {
	slices.SortFunc(s.Pools, func(a, b PoolSnapshot) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Series, func(a, b *Series) int { // what costs most comes first
		return cmp.Or(cmp.Compare(b.Silent.Sum(), a.Silent.Sum()), compareSeries(a, b))
	})
	for _, series := range s.Series {
		slices.SortFunc(series.SlowCalls, func(a, b SlowCalls) int {
			return cmp.Or(cmp.Compare(b.Duration, a.Duration), cmp.Compare(a.What, b.What))
		})
		slices.SortFunc(series.Gaps, func(a, b Gaps) int {
			return cmp.Or(cmp.Compare(b.Duration, a.Duration), cmp.Compare(a.After.Line, b.After.Line))
		})
		for i := range series.Gaps {
			slices.SortFunc(series.Gaps[i].Seen, func(a, b Seen) int {
				return cmp.Or(cmp.Compare(b.Samples, a.Samples), cmp.Compare(a.Where, b.Where))
			})
		}
	}
	sortHolds(s.Open)
	sortWaiters(s.Waiters)
}

// compareSeries is the order of names.
func compareSeries(a, b *Series) int {
	return cmp.Or(cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Route, b.Route), cmp.Compare(a.Site.File, b.Site.File), cmp.Compare(a.Site.Line, b.Site.Line))
}

// seconds is a duration as JSON has it.
type seconds time.Duration

func (s seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(s) / float64(time.Second))
}

func (s *seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*s = seconds(math.Round(f * float64(time.Second)))
	return nil
}
