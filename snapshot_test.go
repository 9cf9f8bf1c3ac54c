package pghold_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

func TestSnapshot_SurvivesJSON(t *testing.T) { synctest.Test(t, snapshotSurvivesJSON) }

func snapshotSurvivesJSON(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /")
	for range 3 {
		c := r.Pool("main").Checkout(ctx)
		c.BeginStatement()
		c.EndStatement(true)
		call := pghold.StartSlowCall(ctx, "GET example.com/")
		time.Sleep(100 * time.Microsecond)
		call.End()
		c.Release()
	}
	open := r.Pool("main").Checkout(ctx)
	defer open.Release()
	stat := pghold.PoolStat{Open: 3, Max: 15, Waits: 7, WaitTime: time.Second}
	r.Pool("main").SetStat(func() pghold.PoolStat { return stat })
	want := r.Snapshot()
	if p := want.Pools[0]; p.Open != 3 || p.Max != 15 || p.Waits != 7 || p.WaitTime != time.Second || p.Used() != 1 {
		t.Errorf("the pool is %+v, want what it says of itself", p)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pghold.ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(got)
	if err != nil || string(again) != string(b) {
		t.Errorf("written, read and written again (%v):\n%s\n%s", err, b, again)
	}
	for _, name := range []string{`"held_s"`, `"wait_s"`, `"silent_in_transaction_s"`, `"busy_ratio"`, `"duration_s"`, `"began_at"`, `"slow_calls"`} {
		if !strings.Contains(string(b), name) {
			t.Errorf("the JSON has no %s", name)
		}
	}
	for name, text := range map[string]string{"another version": `{"version": 99}`, "no JSON": "x", "a null series": `{"version": 1, "series": [null]}`,
		"a wrong bucket": `{"version": 1, "series": [{"held_s": {"buckets": {"-1": 2}}}]}`, "a gap of no count": `{"version": 1, "series": [{"gaps": [{"count": "x"}]}]}`,
		"a call of no count": `{"version": 1, "series": [{"slow_calls": [{"count": "x"}]}]}`, "a name of no place": `{"version": 1, "series": [{"slow_calls": [{"ids": ["main.pay"]}]}]}`,
		"a pool of no count":       `{"version": 1, "pools": [{"waits": "x"}]}`,
		"an open hold of no count": `{"version": 1, "open": [{"statements": "x"}]}`, "a worst one of no time": `{"version": 1, "series": [{"worst": {"held_s": "x"}}]}`} {
		if _, err := pghold.ReadSnapshot([]byte(text)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestSnapshot_Merge(t *testing.T) {
	record := func(route string, holds int) *pghold.Snapshot {
		r := pghold.NewRecorder(pghold.Config{})
		for range holds {
			c := r.Pool("main").Checkout(pghold.WithRoute(t.Context(), route))
			c.Release()
		}
		return r.Snapshot()
	}
	s := record("a", 2)
	s.Merge(record("a", 3))
	s.Merge(record("b", 4))
	counts := map[string]uint64{}
	for _, series := range s.Series {
		counts[series.Route] += series.Held.Count()
	}
	if len(s.Series) != 2 || counts["a"] != 5 || counts["b"] != 4 || s.Pools[0].Checkouts != 9 {
		t.Errorf("got %v in %d series, %+v", counts, len(s.Series), s.Pools)
	}
}

// Of two processes that were asked about one pool, all that each counted is added up, and
// the worst hold is the worse.
func TestSnapshot_MergeAddsAll(t *testing.T) {
	part := func(n int, silent time.Duration) *pghold.Snapshot {
		p := pghold.PoolSnapshot{Name: "main", Waiting: n, MaxWaiting: n, Checkouts: uint64(n), Releases: uint64(n), Timeouts: uint64(n), Cancelled: uint64(n),
			Failures: uint64(n), Open: n, Max: n, Waits: uint64(n), WaitTime: time.Duration(n)}
		s := &pghold.Series{Pool: "main", Busy: time.Duration(n), SilentInTransaction: time.Duration(n), Statements: uint64(n), Panics: uint64(n),
			Worst: pghold.Hold{Held: silent}}
		s.Held.Add(silent)
		return &pghold.Snapshot{Pools: []pghold.PoolSnapshot{p}, Series: []*pghold.Series{s}, FoldedHolds: uint64(n)}
	}
	for _, order := range [][2]*pghold.Snapshot{{part(2, time.Second), part(3, time.Minute)}, {part(3, time.Minute), part(2, time.Second)}} {
		got := order[0]
		got.Merge(order[1])
		want := part(5, time.Minute)
		want.Pools[0].MaxWaiting = 3
		want.Series[0].Held.Add(time.Second)
		if !reflect.DeepEqual(got.Pools, want.Pools) || got.FoldedHolds != 5 {
			t.Errorf("got the pools %+v and %d folded holds, want %+v and 5", got.Pools, got.FoldedHolds, want.Pools)
		}
		g, w := got.Series[0], want.Series[0]
		if g.Worst.Held != time.Minute || g.Busy != w.Busy || g.SilentInTransaction != w.SilentInTransaction || g.Statements != 5 || g.Panics != 5 || g.Held.Count() != 2 {
			t.Errorf("the series is %+v, want %+v", g, w)
		}
	}
}

func TestReadSnapshot_WithoutIDs(t *testing.T) {
	s, err := pghold.ReadSnapshot([]byte(`{"version":1,"series":[{"pool":"main","site":{"func":"a.B","file":"a.go","line":1},
		"slow_calls":[{"what":"sleep","site":{"func":"a.C","file":"a.go","line":2},"count":3,"duration_s":1.5}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Series[0].SlowCalls[0]; c.Count != 3 || c.Duration != 1500*time.Millisecond || c.IDs != nil {
		t.Errorf("got %+v", c)
	}
}
