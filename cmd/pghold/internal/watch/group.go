package watch

import (
	"container/heap"
	"time"
)

// key is what gaps are counted together by.
type key struct {
	application, user, database, address, after, route string
}

// Group is gaps that are alike: of one application, user, database and client's
// address, after statements of one shape, on one route.
type Group struct {
	Application string `json:"application_name"`
	User        string `json:"user"`
	Database    string `json:"database"`
	Address     string `json:"client_addr"`
	After       string `json:"after"`
	Route       string `json:"route,omitempty"`

	Gaps    int     `json:"gaps"`     // those that have ended
	Silent  Seconds `json:"silent_s"` // with those that go on
	Aborted Seconds `json:"aborted_s"`
	Longest Seconds `json:"longest_s"`
	Bounded int     `json:"bounded,omitempty"` // of Gaps, those of which the length is only bounded
	// LastMinute is what of it was within the last 60 s.
	LastMinute Seconds `json:"last_minute_s"`
	// Connections is how many sessions are in such a gap now.
	Connections int     `json:"connections"`
	Sessions    int     `json:"sessions"`       // of the same client that are open now
	LongestOpen Seconds `json:"longest_open_s"` // of these
	// Missed is by how much more time the group may have had before it got its name: there
	// are names for the 1,000 that cost most.
	Missed Seconds `json:"missed_s,omitempty"`
}

// Other is the name of what has none: gaps of groups that cost less than the 1,000 that
// are kept, all together.
const Other = "(other)"

// maxGroups is how many groups have names.
const maxGroups = 1000

// group is a Group as it grows.
type group struct {
	key
	gaps, bounded   int
	silent, aborted time.Duration
	longest         time.Duration
	missed          time.Duration
	minute          window
	at              int // in the heap
}

func (g *group) cost() time.Duration { return g.silent + g.aborted + g.missed }

// groups keeps those that cost most, by the algorithm Space-Saving (Metwally, Agrawal,
// El Abbadi, Efficient Computation of Frequent and Top-k Elements in Data Streams,
// 2005): a new one takes the place of the one that has cost least, which is counted
// under Other from then on, and starts with an error as large as what that had.
type groups struct {
	named map[key]*group
	least cheapest
	other *group
}

func newGroups() *groups {
	return &groups{
		named: map[key]*group{},
		other: &group{key: key{Other, Other, Other, Other, Other, ""}},
	}
}

// of is the group of a key.
func (g *groups) of(k key) *group {
	if all := g.named[k]; all != nil {
		return all
	}
	var missed time.Duration
	if len(g.named) == maxGroups {
		out := heap.Pop(&g.least).(*group)
		delete(g.named, out.key)
		missed = out.cost()
		out.missed = 0
		g.other.merge(out)
	}
	more := &group{key: k, missed: missed}
	g.named[k] = more
	heap.Push(&g.least, more)
	return more
}

// add counts a gap that has ended.
func (g *groups) add(k key, state state, from, to time.Time, exact bool) {
	all := g.of(k)
	d := to.Sub(from)
	all.gaps++
	if !exact {
		all.bounded++
	}
	if state == aborted {
		all.aborted += d
	} else {
		all.silent += d
	}
	all.longest = max(all.longest, d)
	all.minute.add(from, to)
	heap.Fix(&g.least, all.at)
}

func (g *group) merge(o *group) {
	g.gaps += o.gaps
	g.bounded += o.bounded
	g.silent += o.silent
	g.aborted += o.aborted
	g.longest = max(g.longest, o.longest)
	g.minute.merge(&o.minute)
}

// cheapest is a heap of groups, the one that has cost least first.
type cheapest []*group

func (c cheapest) Len() int           { return len(c) }
func (c cheapest) Less(i, j int) bool { return c[i].cost() < c[j].cost() }
func (c cheapest) Swap(i, j int)      { c[i], c[j] = c[j], c[i]; c[i].at, c[j].at = i, j }
func (c *cheapest) Push(x any)        { g := x.(*group); g.at = len(*c); *c = append(*c, g) }
func (c *cheapest) Pop() any {
	old := *c
	g := old[len(old)-1]
	old[len(old)-1] = nil
	*c = old[:len(old)-1]
	return g
}

// window is time spent within the last minute, in seconds' steps.
type window struct {
	spent  [windowSteps]time.Duration
	second int64 // of the newest step, since 1970
}

// One step more than a minute has: the last is not over.
const windowSteps = 61

// turn makes a second the newest, and forgets what is older than a minute.
func (w *window) turn(second int64) {
	if second-w.second >= windowSteps {
		w.spent = [windowSteps]time.Duration{}
		w.second = second
	}
	for w.second < second {
		w.second++
		w.spent[w.second%windowSteps] = 0
	}
}

func (w *window) add(from, to time.Time) {
	from, to = from.Round(0), to.Round(0) // the calendar's clock
	w.turn(to.Unix())
	if oldest := time.Unix(w.second-windowSteps+1, 0); from.Before(oldest) {
		from = oldest
	}
	for from.Before(to) {
		second := from.Unix()
		end := time.Unix(second+1, 0)
		if to.Before(end) {
			end = to
		}
		w.spent[second%windowSteps] += end.Sub(from)
		from = end
	}
}

func (w *window) merge(o *window) {
	w.turn(o.second)
	for second := o.second; second > o.second-windowSteps; second-- {
		if w.second-second < windowSteps {
			w.spent[second%windowSteps] += o.spent[second%windowSteps]
		}
	}
}

// sum is what was spent in the minute before a moment, to the second.
func (w *window) sum(at time.Time) (sum time.Duration) {
	for second := w.second; second > w.second-windowSteps && second >= 0; second-- {
		if at.Unix()-second < windowSteps-1 {
			sum += w.spent[second%windowSteps]
		}
	}
	return sum
}
