package lab_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

func TestRun_RepeatsInRounds(t *testing.T) {
	t.Parallel()
	s := experiment.Defaults()
	s.Speed, s.Duration, s.Rate = 20, time.Second, 50
	routes, err := experiment.FindRoutes([]string{asyncOutside, asyncInside})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var order []string
	var each [2][]*experiment.RouteResult // of each case, by its number
	res, err := lab.Run(t.Context(), openDatabase(t, pgtest.DSN(t), s), lab.Options{
		Settings: s, Cases: experiment.CasesOf(routes, s), Repeat: 3, Dir: dir,
		Progress: func(p lab.Progress) {
			if p.Done != nil {
				order = append(order, fmt.Sprintf("%d of %d: %d %s", p.Round, p.Rounds, p.Number, p.Case.Name))
				each[p.Number-1] = append(each[p.Number-1], p.Done)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"1 of 3: 1 " + asyncOutside, "1 of 3: 2 " + asyncInside,
		"2 of 3: 1 " + asyncOutside, "2 of 3: 2 " + asyncInside,
		"3 of 3: 1 " + asyncOutside, "3 of 3: 2 " + asyncInside,
	}
	if !slices.Equal(order, want) {
		t.Errorf("got %q, want %q", order, want)
	}
	if res.Repeat != 3 || len(res.Routes) != 2 {
		t.Fatalf("got %+v", res)
	}
	for i := range res.Routes {
		r := &res.Routes[i]
		if len(r.Repeats) != 3 {
			t.Fatalf("%s has %d runs, want 3", r.Name, len(r.Repeats))
		}
		var throughputs []float64
		for k, f := range r.Repeats {
			if f.Throughput != each[i][k].Throughput || f.Latency != each[i][k].Latency {
				t.Errorf("%s, run %d: got %+v, want that of %+v", r.Name, k+1, f, each[i][k])
			}
			throughputs = append(throughputs, f.Throughput)
		}
		slices.Sort(throughputs)
		if r.Throughput != throughputs[1] {
			t.Errorf("%s is the run with %v, want the middle of %v", r.Name, r.Throughput, throughputs)
		}
		if got := longest(t, filepath.Join(dir, r.Name+".bin")); got != r.Latency.Max {
			t.Errorf("%s.bin is of another run: its longest latency is %v, and the result's %v", r.Name, got, r.Latency.Max)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasPrefix(e.Name(), asyncOutside+".") && !strings.HasPrefix(e.Name(), asyncInside+".") {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

// longest is the longest latency in a file of vegeta's.
func longest(t *testing.T, path string) (most time.Duration) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decode := vegeta.NewDecoder(bytes.NewReader(b))
	for {
		var hit vegeta.Result
		if decode.Decode(&hit) != nil {
			return most
		}
		most = max(most, hit.Latency)
	}
}

func TestWarnings_OfEachRun(t *testing.T) {
	runs := func(ps ...float64) []*experiment.RouteResult {
		var rs []*experiment.RouteResult
		for _, p := range ps {
			rs = append(rs, &experiment.RouteResult{Name: "r", Throughput: p, Outcomes: experiment.Outcomes{Error: int(p)}})
		}
		return rs
	}
	ws := strings.Join(lab.WarningsOf("r", runs(0, 7, 0)), "\n")
	if !strings.Contains(ws, "r, run 2 of 3: 7 requests failed") || strings.Contains(ws, "run 1") {
		t.Errorf("got %s", ws)
	}
	if ws := strings.Join(lab.WarningsOf("r", runs(7)), "\n"); !strings.Contains(ws, "r: 7 requests failed") {
		t.Errorf("got %s", ws)
	}
}
