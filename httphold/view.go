package httphold

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pghold/pghold"
)

// view is what the page shows: a snapshot, with its windows side by side.
type view struct {
	*pghold.Snapshot
	Verdict   verdict
	Refresh   int             // seconds; 0 is not at all
	Recent    []pghold.Window // the windows but that since the start, and those that are as long as another
	Shown     []pghold.Window // these and that since the start
	Came      []cameRow
	CameMore  int // routes that are not among these
	PoolWaits []poolRow

	Starved string // that busy times say little of the database, or ""

	Held  []pghold.Hold // open holds but for the youngest
	Young int           // that are not among these
	// Series that were silent for some time, and those that were not.
	Silent, Quick []*pghold.Series

	CameTells, CameCounts bool // some of these are of pools that say who waits, or only count
}

// maxCame is how many routes the page shows of those that came.
const maxCame = 50

// cameRow are the arrivals of a route, in each window.
type cameRow struct {
	Pool, Route string
	Cells       []cameCell
}

type cameCell struct{ Window, Rate, Held, Waited, None string }

// poolRow are the waits that a pool has counted, in each window.
type poolRow struct {
	Pool  string
	Cells []poolCell
}

type poolCell struct {
	Window string
	Waits  uint64
	Waited string
}

func newView(s *pghold.Snapshot) *view {
	v := &view{Snapshot: s, Verdict: newVerdict(s)}
	v.sift()
	if len(s.Windows) == 0 {
		return v
	}
	tells := map[string]bool{} // pools that say who waits
	for _, p := range s.Pools {
		tells[p.Name] = !p.CountsOnly
	}
	v.Recent = s.Windows[:len(s.Windows)-1]
	for i, w := range v.Recent {
		if w.Duration < w.Asked { // and so are the longer ones: it is the same
			v.Recent = v.Recent[:i+1]
			break
		}
	}
	all := s.Windows[len(s.Windows)-1]
	v.Shown = append(slices.Clone(v.Recent), all)
	for _, w := range v.Shown {
		if w.Starved {
			v.Starved = "Busy times say little of the database: " + spell(w) + ", goroutines that could run waited " + seconds(w.SchedulingLatency) +
				" each for a processor, on average, and who waits for a statement is one of them."
			break
		}
	}
	for i, a := range all.Routes {
		if i == maxCame {
			v.CameMore = len(all.Routes) - maxCame
			break
		}
		row := cameRow{Pool: a.Pool, Route: a.Route}
		v.CameTells, v.CameCounts = v.CameTells || tells[a.Pool], v.CameCounts || !tells[a.Pool]
		for _, w := range v.Recent {
			row.Cells = append(row.Cells, cell(w, a.Pool, a.Route, tells[a.Pool]))
		}
		v.Came = append(v.Came, row)
	}
	for _, p := range all.Pools {
		row := poolRow{Pool: p.Pool}
		for _, w := range v.Shown {
			c := poolCell{Window: spell(w), Waited: "0"}
			for _, of := range w.Pools {
				if of.Pool == p.Pool {
					c.Waits, c.Waited = of.Waits, seconds(of.WaitTime)
				}
			}
			row.Cells = append(row.Cells, c)
		}
		v.PoolWaits = append(v.PoolWaits, row)
	}
	return v
}

const (
	// young is how old a hold has to be for the page: it shows what lasts, and in a busy
	// service there are always some that have just begun.
	young = 10 * time.Millisecond
	// quick is how long holds of a route and line may be silent, on average, to be shown
	// below the others: no gap that is shorter is counted by its place. None of them may have
	// been silent for waitsFor.
	quick = time.Millisecond
)

// sift leaves out, or puts below, what is of no matter.
func (v *view) sift() {
	for _, h := range v.Open {
		if h.Held < young && h.Stack == nil && !waitsElsewhere(h) {
			v.Young++
			continue
		}
		v.Held = append(v.Held, h)
	}
	for _, s := range v.Series {
		if s.Silent.Mean() < quick && s.Worst.Silent() < waitsFor {
			v.Quick = append(v.Quick, s)
			continue
		}
		v.Silent = append(v.Silent, s)
	}
}

// cell is what became of a route's callers in a window.
func cell(w pghold.Window, pool, route string, tells bool) cameCell {
	c := cameCell{Window: spell(w), Rate: "0", Held: "–", Waited: "–", None: "–"}
	for _, a := range w.Routes {
		if a.Pool != pool || a.Route != route {
			continue
		}
		if s := w.Duration.Seconds(); s > 0 {
			c.Rate = strconv.FormatFloat(float64(a.Arrivals)/s, 'f', 2, 64)
		}
		none := a.Timeouts + a.Cancelled + a.Failures
		if c.None = strconv.FormatUint(none, 10); !tells {
			c.None = "–"
		}
		if a.Holds > 0 {
			c.Held = seconds(a.Held / time.Duration(a.Holds))
		}
		if n := a.Holds + none; n > 0 && tells {
			c.Waited = seconds(a.Wait / time.Duration(n))
		}
	}
	return c
}

// spell names a window, by how long it is where recording began within it.
func spell(w pghold.Window) string {
	switch {
	case w.Asked == 0:
		return "since the start"
	case w.Duration < w.Asked:
		return "last " + seconds(w.Duration)
	case w.Asked == time.Minute:
		return "last minute"
	}
	return "last " + strconv.Itoa(int(w.Asked.Minutes())) + " min"
}

// mostly is where a gap mostly was, as far as samples tell: "redis.(*Client).Get ←
// cart.go:51, 9 of 10 samples".
func mostly(g pghold.Gaps) string {
	where, share := g.Mostly()
	if where == "" {
		return ""
	}
	var n uint64
	for _, s := range g.Seen {
		n += s.Samples
	}
	return where + " (" + percent(share) + " of " + strconv.FormatUint(n, 10) + " samples)"
}

// ago says how old it is what was seen, where that is long: profiles are rare.
func ago(now, then time.Time) string {
	if age := now.Sub(then); age >= time.Second {
		return " " + seconds(age) + " ago"
	}
	return ""
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatUint(n, 10) + " times"
}

// short is a function's name without the path to its package.
func short(function string) string { return function[strings.LastIndexByte(function, '/')+1:] }
