package plan

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// Of three that were open for 5 s when 10 had ended after 1 s and 5 after 9 s, those that
// end do so after 9 s: 10 of 18 took a second.
func TestCensored(t *testing.T) {
	ended := append(repeated(time.Second, 10), repeated(9*time.Second, 5)...)
	got := censored(ended, 15, repeated(5*time.Second, 3))
	if n := count1(got, time.Second); n != 8 { // 10 of 18, of 15
		t.Errorf("%d of %d are 1 s: %v", n, len(got), got)
	}
	// What is still open after all others counts as ended.
	if got := censored(repeated(time.Second, 10), 10, repeated(time.Hour, 10)); count1(got, time.Hour) != 5 {
		t.Errorf("got %v", got)
	}
	if got := censored(ended, 15, nil); !slices.Equal(got, ended) {
		t.Errorf("got %v", got)
	}
}

func count1(all []time.Duration, d time.Duration) (n int) {
	for _, one := range all {
		if one == d {
			n++
		}
	}
	return n
}

// What comes now is taken, as long as it differs from what came before by more than chance.
func TestFromSnapshot_TakesWhatComesNow(t *testing.T) {
	windows := func(minute, ten, all uint64) *pghold.Snapshot {
		s := service()
		s.Taken = s.Began.Add(time.Hour)
		for _, w := range []struct {
			asked, d time.Duration
			n        uint64
		}{{time.Minute, time.Minute, minute}, {10 * time.Minute, 10 * time.Minute, ten}, {0, time.Hour, all}} {
			s.Windows = append(s.Windows, pghold.Window{Asked: w.asked, Duration: w.d, Routes: []pghold.Arrivals{
				{Pool: "main", Route: "/slow", Arrivals: w.n, Holds: w.n, Silent: 4 * time.Second * time.Duration(w.n)}}})
		}
		return s
	}
	for _, c := range []struct {
		minute, ten, all uint64
		rate             float64
		slow             time.Duration
	}{
		{60, 600, 3600, 1, 2 * time.Second},
		{75, 600, 3600, 1, 2 * time.Second},            // 15 more than 60 are chance
		{6000, 60_000, 100_000, 100, 4 * time.Second},  // of the last ten minutes, in which calls took twice as long
		{6000, 10_000, 20_000, 100, 4 * time.Second},   // of the last minute
		{6000, 360_000, 360_000, 100, 4 * time.Second}, // as in the hour, but not in the ten minutes
	} {
		qs, err := FromSnapshot(windows(c.minute, c.ten, c.all), experiment.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		if notes := Recent(windows(c.minute, c.ten, c.all)); (len(notes) > 0) != (c.rate == 100) {
			t.Errorf("%+v: got notes %q", c, notes)
		}
		if q := qs[0]; len(qs) != 1 || q.Settings.Rate != c.rate || q.Settings.Slow != c.slow {
			t.Errorf("%+v: got %v/s, and calls of %v", c, q.Settings.Rate, q.Settings.Slow)
		}
	}
}

// database/sql does not say who waits, but how many had to.
func TestFromSnapshot_CountsWhoWaitsForDatabaseSQL(t *testing.T) {
	s := service()
	s.Pools[0].CountsOnly = true
	s.Windows = []pghold.Window{{Duration: time.Minute, Routes: []pghold.Arrivals{{Pool: "main", Route: "/slow", Arrivals: 300}, {Pool: "main", Route: "/fast", Arrivals: 300}}, Pools: []pghold.PoolWaits{{Pool: "main", Waits: 1200}}}}
	qs, err := FromSnapshot(s, experiment.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if got := qs[0].Settings.Rate; got != 20 {
		t.Errorf("got %v/s, want 1200 in a minute", got)
	}
}

func TestFromSnapshot_RefusesWhatHasNotEnded(t *testing.T) {
	s := service()
	s.Open = []pghold.Hold{{Pool: "main", Route: "/stuck"}, {Pool: "main", Route: "/stuck"}}
	if _, err := FromSnapshot(s, experiment.Defaults()); err == nil || !strings.Contains(err.Error(), `"/stuck"`) {
		t.Errorf("got %v", err)
	}
}

func TestMerged(t *testing.T) {
	one, same, other := service(), service(), service()
	same.Taken = same.Taken.Add(-time.Second)
	other.Began, other.Taken = other.Began.Add(time.Second), other.Taken.Add(time.Second)
	before := len(one.Series)
	sum, replicas := Merged([]*pghold.Snapshot{one, same, other})
	if replicas != 2 {
		t.Fatalf("%d replicas, want 2: one of them twice", replicas)
	}
	held := uint64(0)
	for _, series := range sum.Series {
		held += series.Held.Count()
	}
	if held != 7200 || sum.Pools[0].Max != 12 || sum.Pools[0].Checkouts != 7200 {
		t.Errorf("%d holds, %+v; want those of both, and the pool of one", held, sum.Pools[0])
	}
	if len(one.Series) != before || one.Series[0].Held.Count() != 300 || one.Pools[0].Checkouts != 3600 {
		t.Error("the snapshot that was merged has changed")
	}
	if sum, replicas := Merged([]*pghold.Snapshot{same, one}); replicas != 1 || sum != one {
		t.Error("of two of one replica the later one counts")
	}
}

func TestFromRecording(t *testing.T) {
	var ts []watch.Transaction
	for i := range 600 {
		of := watch.Transaction{Client: watch.Client{Application: "shop"}, Sums: watch.Sums{Busy: watch.Seconds(4 * time.Millisecond)}}
		if i%10 == 0 {
			of.Route, of.Silent = "/checkout", watch.Seconds(2*time.Second)
		}
		ts = append(ts, of)
	}
	qs, err := FromRecording(time.Minute, 9, ts, experiment.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if len(qs) != 3 || qs[0].Name != AllRoutes || qs[1].Name != "/checkout" || qs[2].Name != "shop" {
		t.Fatalf("got %d questions, %v", len(qs), qs)
	}
	if q := qs[1]; q.Settings.Rate != 1 || q.Settings.Connections() != 9 || q.demand().checkout != 2004*time.Millisecond {
		t.Errorf("/checkout: %v/s with %d connections, held for %v", q.Settings.Rate, q.Settings.Connections(), q.demand().checkout)
	}
	if used := qs[0].used(); math.Abs(used-(2.004+9*0.004)) > 1e-3 {
		t.Errorf("%v connections in use, want 2.04", used)
	}
	for want, took := range map[string]time.Duration{"covers no time": 0, "is empty": time.Minute} {
		if _, err := FromRecording(took, 9, nil, experiment.Defaults()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
