package pghold

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func sketchOf(durations ...time.Duration) (s Sketch) {
	for _, d := range durations {
		s.Add(d)
	}
	return s
}

// read returns the rows of one snapshot.
func read(s Snapshot) metricRows {
	return NewMetricReader(func() *Snapshot { return &s }).rows()
}

func TestMetricReader_SumsUpCallSites(t *testing.T) {
	site := func(line int, calls ...SlowCalls) *Series {
		return &Series{
			Pool: "main", Route: "GET /", Site: Site{File: "app.go", Line: line},
			Held: sketchOf(2*time.Second, 30*time.Second), Silent: sketchOf(time.Second, 20*time.Second),
			Busy: 11 * time.Second, SilentInTransaction: 9 * time.Second, Panics: 1, SlowCalls: calls,
		}
	}
	rows := read(Snapshot{
		Pools: []PoolSnapshot{{Name: "main", Checkouts: 9, Releases: 4, Open: 7}},
		Series: []*Series{
			site(1, SlowCalls{What: "GET a/", Site: Site{Line: 7}, Count: 2, Duration: time.Second},
				SlowCalls{What: "GET a/", Site: Site{Line: 8}, Count: 3, Duration: time.Second}),
			site(2, SlowCalls{What: "GET a/", Count: 4, Duration: time.Second}, SlowCalls{What: "GET b/", Count: 1}),
			{Pool: "main", Held: sketchOf(time.Second)},
		},
	})
	wantRoutes := []routeRow{
		{Pool: "main", Route: noRoute, Holds: 1},
		{Pool: "main", Route: "GET /", Holds: 4, Panics: 2, Busy: 22 * time.Second, Silent: 42 * time.Second, SilentInTransaction: 18 * time.Second},
	}
	if !reflect.DeepEqual(rows.Routes, wantRoutes) {
		t.Errorf("routes: got %+v, want %+v", rows.Routes, wantRoutes)
	}
	wantCalls := []slowCallsRow{
		{Pool: "main", Route: "GET /", What: "GET a/", Count: 9, Duration: 3 * time.Second},
		{Pool: "main", Route: "GET /", What: "GET b/", Count: 1},
	}
	if !reflect.DeepEqual(rows.SlowCalls, wantCalls) {
		t.Errorf("slow calls: got %+v, want %+v", rows.SlowCalls, wantCalls)
	}
	p := rows.Pools[0]
	if p.Used != 5 || p.Idle() != 2 || p.Held.Count() != 5 || p.Held.Sum() != 65*time.Second || p.Wait.Count() != 0 {
		t.Errorf("got %d used, %d idle, %d holds of %v, %d waits, want 5, 2, 5 of 1m5s, 0", p.Used, p.Idle(), p.Held.Count(), p.Held.Sum(), p.Wait.Count())
	}
}

func TestMetricReader_SumsUpWhatIsOneNameWhenCleaned(t *testing.T) {
	var s Snapshot
	for _, bad := range []string{"\xff", "\xfe"} {
		s.Pools = append(s.Pools, PoolSnapshot{Name: bad, Checkouts: 2, Releases: 1, Open: 3, Max: 4, Waiting: 5, Timeouts: 6, Waits: 7, WaitTime: 8})
		s.Series = append(s.Series, &Series{Pool: bad, Route: bad, Held: sketchOf(1), Wait: sketchOf(1), SlowCalls: []SlowCalls{{What: bad, Count: 1}}})
		s.Open = append(s.Open, Hold{Pool: bad, Route: bad + "open"})
	}
	rows := read(s)
	const good = "\uFFFD"
	if len(rows.Pools) != 1 || len(rows.Routes) != 1 || len(rows.SlowCalls) != 1 || len(rows.OpenHolds) != 1 {
		t.Fatalf("got %+v, want one row of each kind", rows)
	}
	p := rows.Pools[0]
	if p.Name != good || p.Used != 2 || p.Open != 6 || p.Max != 8 || p.Pending != 10 || p.Timeouts != 12 || p.Waits != 14 || p.WaitTime != 16 || p.Wait.Count() != 2 {
		t.Errorf("got %+v, want the sums of two pools", p)
	}
	if r := rows.Routes[0]; r.Route != good || r.Holds != 2 {
		t.Errorf("got %+v, want 2 holds of %q", r, good)
	}
	if c := rows.SlowCalls[0]; c.What != good || c.Count != 2 {
		t.Errorf("got %+v, want 2 slow calls of %q", c, good)
	}
	if h := rows.OpenHolds[0]; h.Route != good+"open" || h.Count != 2 {
		t.Errorf("got %+v, want 2 open holds of %q", h, good+"open")
	}
}

func TestMetricReader_KeepsTheFirstNamesOfSlowCalls(t *testing.T) {
	var s Snapshot
	more := func(from, to int) {
		series := &Series{Pool: "main", Route: fmt.Sprint("GET /", from)}
		for i := from; i < to; i++ {
			series.SlowCalls = append(series.SlowCalls, SlowCalls{What: fmt.Sprintf("host %03d", i), Count: 1, Duration: time.Second})
		}
		s.Series = append(s.Series, series)
	}
	reader := NewMetricReader(func() *Snapshot { return &s })
	names := func() map[string]int64 {
		n := map[string]int64{}
		for _, c := range reader.rows().SlowCalls {
			n[c.What] += c.Count
		}
		return n
	}
	more(0, 60)
	if got := names(); len(got) != 60 || got[Folded] != 0 {
		t.Fatalf("got %d names, %d calls folded, want 60, 0", len(got), got[Folded])
	}
	more(60, 1000)
	got := names()
	if len(got) != 101 || got["host 000"] != 1 || got["host 099"] != 1 || got[Folded] != 900 {
		t.Errorf("got %d names, %d calls folded, want the first 100 and 900 calls folded", len(got), got[Folded])
	}
	s.Pools = []PoolSnapshot{{Name: "other"}}
	s.Series = append(s.Series, &Series{Pool: "other", SlowCalls: []SlowCalls{{What: "host 999", Count: 1}}})
	if got := names(); got["host 999"] != 1 {
		t.Errorf("another pool's name got %d calls, want 1: the names are by pool", got["host 999"])
	}
}

// Whatever a snapshot folds, no row goes down and nothing is lost or counted twice.
func TestMetricReader_SlowCallsNeverGoDown(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		var s *Snapshot
		reader := NewMetricReader(func() *Snapshot { return s })
		truth, last := map[string]uint64{}, map[string]slowCallsRow{}
		for range 1 + random.IntN(8) {
			series := &Series{Pool: "main", Route: "GET /"}
			var sum int64
			for _, name := range []string{"a", "b", "c", "d"} {
				truth[name] += random.Uint64N(6)
				n := truth[name]
				sum += int64(n)
				folded := random.Uint64N(n + 1)
				series.SlowCalls = append(series.SlowCalls,
					SlowCalls{What: name, Count: n - folded, Duration: time.Duration(n-folded) * time.Second},
					SlowCalls{What: Folded, Count: folded, Duration: time.Duration(folded) * time.Second})
			}
			s = &Snapshot{Series: []*Series{series}}
			now := map[string]slowCallsRow{}
			var count int64
			var duration time.Duration
			for _, c := range reader.rows().SlowCalls {
				now[c.What] = c
				count += c.Count
				duration += c.Duration
			}
			for name, was := range last {
				if is := now[name]; is.Count < was.Count || is.Duration < was.Duration {
					t.Fatalf("seed %d: %s: got %+v after %+v, want no less", seed, name, is, was)
				}
			}
			if count != sum || duration != time.Duration(sum)*time.Second {
				t.Fatalf("seed %d: got %d calls of %v together, want %d of %d s", seed, count, duration, sum, sum)
			}
			last = now
		}
	}
}

func TestMetricReader_FoldsRoutesOfOpenHolds(t *testing.T) {
	var s Snapshot
	reader := NewMetricReader(func() *Snapshot { return &s })
	open := func(routes ...string) (got []string) {
		s.Open = nil
		for i, route := range routes {
			s.Open = append(s.Open, Hold{Pool: "main", Route: route, Held: time.Duration(i+1) * time.Second, SilentInTransaction: time.Duration(i)})
		}
		for _, h := range reader.rows().OpenHolds {
			got = append(got, fmt.Sprintf("%s %d %v %v", h.Route, h.Count, h.Oldest, h.LongestSilentInTransaction))
		}
		return got
	}
	for i := range 100 {
		if got := open(fmt.Sprint("GET /", i)); len(got) != 1 || !strings.HasPrefix(got[0], "GET /") {
			t.Fatalf("got %q, want route %d by its name", got, i)
		}
	}
	if got, want := open("GET /7", "GET /100", "GET /101"), []string{"(other) 2 3s 2ns", "GET /7 1 1s 0s"}; !slices.Equal(got, want) {
		t.Errorf("with 100 names given out: got %q, want %q", got, want)
	}
	// A route of which a hold has ended is bounded by the recorder.
	s.Series = []*Series{{Pool: "main", Route: "GET /100"}, {Pool: "main", Route: "GET /7"}}
	if got, want := open("GET /100", "GET /101", "GET /102"), []string{"(other) 1 3s 2ns", "GET /100 1 1s 0s", "GET /101 1 2s 1ns"}; !slices.Equal(got, want) {
		t.Errorf("with one name of a finished hold: got %q, want %q", got, want)
	}
}

func TestMetricReader_GoesOnWhenAPoolIsReplaced(t *testing.T) {
	var p PoolSnapshot
	reader := NewMetricReader(func() *Snapshot { return &Snapshot{Pools: []PoolSnapshot{p}} })
	for _, c := range []struct {
		waits, want int64
	}{{0, 0}, {5, 5}, {7, 7}, {0, 7}, {7, 7}, {2, 9}, {3, 10}} {
		p = PoolSnapshot{Name: "main", Waits: uint64(c.waits), WaitTime: time.Duration(c.waits) * time.Second}
		if got := reader.rows().Pools[0]; got.Waits != c.want || got.WaitTime != time.Duration(c.want)*time.Second {
			t.Errorf("the pool says %d: got %d of %v, want %d", c.waits, got.Waits, got.WaitTime, c.want)
		}
	}
}

// Whichever routes a snapshot folds, no row goes down and nothing is lost or counted
// twice.
func TestMetricReader_RoutesNeverGoDown(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		var s *Snapshot
		reader := NewMetricReader(func() *Snapshot { return s })
		truth, last, lastCalls := map[string]int{}, map[string]routeRow{}, map[rowKey]int64{}
		var lastFolded int64
		for range 1 + random.IntN(8) {
			s = &Snapshot{}
			folded := &Series{Pool: "main", Route: Folded}
			sum := 0
			for _, route := range []string{"a", "b", "c"} {
				truth[route] += random.IntN(4)
				sum += truth[route]
				series := folded // this time, or the whole of it
				if random.IntN(3) > 0 {
					series = &Series{Pool: "main", Route: route}
					s.Series = append(s.Series, series)
				} else {
					s.FoldedHolds += uint64(truth[route])
				}
				for range truth[route] {
					series.Held.Add(time.Second)
					series.Busy += time.Second
				}
				series.SlowCalls = append(series.SlowCalls, SlowCalls{What: "call", Count: uint64(truth[route])})
			}
			s.Series = append(s.Series, folded)
			rows := reader.rows()
			var holds int64
			var busy time.Duration
			for _, r := range rows.Routes {
				holds += r.Holds
				busy += r.Busy
				if was := last[r.Route]; r.Holds < was.Holds || r.Busy < was.Busy {
					t.Fatalf("seed %d: got %+v after %+v, want no less", seed, r, was)
				}
				last[r.Route] = r
			}
			var calls int64
			for _, c := range rows.SlowCalls {
				k := rowKey{c.Pool, c.Route, c.What}
				if calls += c.Count; c.Count < lastCalls[k] {
					t.Fatalf("seed %d: got %+v after %d, want no less", seed, c, lastCalls[k])
				}
				lastCalls[k] = c.Count
			}
			if holds != int64(sum) || busy != time.Duration(sum)*time.Second || calls != int64(sum) {
				t.Fatalf("seed %d: got %d holds, busy for %v, with %d slow calls, want %d of each", seed, holds, busy, calls, sum)
			}
			if rows.FoldedHolds < lastFolded {
				t.Fatalf("seed %d: %d folded holds after %d", seed, rows.FoldedHolds, lastFolded)
			}
			lastFolded = rows.FoldedHolds
		}
	}
}

// What a snapshot folds takes nothing from a name that has grown.
func TestMetricReader_NamesThatGrowGetTheirs(t *testing.T) {
	var s *Snapshot
	reader := NewMetricReader(func() *Snapshot { return s })
	calls := func(counts map[string]uint64) map[string]int64 {
		series := &Series{Pool: "main", Route: "GET /"}
		for name, n := range counts {
			series.SlowCalls = append(series.SlowCalls, SlowCalls{What: name, Count: n})
		}
		s = &Snapshot{Series: []*Series{series}}
		got := map[string]int64{}
		for _, c := range reader.rows().SlowCalls {
			got[c.What] = c.Count
		}
		return got
	}
	calls(map[string]uint64{"a": 10, "b": 10})
	if got, want := calls(map[string]uint64{Folded: 10, "b": 15}), map[string]int64{"a": 10, "b": 15}; !reflect.DeepEqual(got, want) {
		t.Errorf("a was folded, and b has grown: got %v, want %v", got, want)
	}
	if got, want := calls(map[string]uint64{Folded: 12, "b": 15}), map[string]int64{"a": 10, "b": 15, Folded: 2}; !reflect.DeepEqual(got, want) {
		t.Errorf("what was folded has grown: got %v, want %v", got, want)
	}
}
