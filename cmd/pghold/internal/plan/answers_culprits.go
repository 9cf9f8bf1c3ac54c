package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Culprit is a route that holds a connection through its slow call, and what the others
// that share the pool gain where it does so no longer.
type Culprit struct {
	Route string
	// Frees is how many connections it holds on average while it waits for something else
	// than the database.
	Frees float64
	// Waiting is how many requests of the other routes wait for a connection on average,
	// and WaitingAfter how many would.
	Waiting, WaitingAfter float64
	// Victim is the other route whose p99 falls most, from Before to After. Empty where
	// none falls.
	Victim        string
	Before, After time.Duration
	// Failing is the share of the other routes' requests that fail, and FailingAfter that
	// which would.
	Failing, FailingAfter float64
}

// Culprits are the routes of a question about all that share a pool which hold a connection
// through their slow call, the one first whose fix helps the others most: by how many of
// their requests wait, or, where hardly any does, by the connections that it frees.
//
// A fixed route holds a connection for as long as its statements take, and makes its call
// outside. Everything else stays as it is.
type Culprits struct {
	Name string
	All  []Culprit
	// Used is how many connections are in use on average, of Connections.
	Used        float64
	Connections int
	// Waiting is how many requests wait on average, of all routes, and WaitingAfter how
	// many would with all of them fixed.
	Waiting, WaitingAfter float64
}

// FindCulprits looks for them; there are none where the question is not about several
// routes.
func FindCulprits(q Question) (Culprits, error) {
	found := Culprits{Name: q.Name, Connections: q.replicas() * q.Settings.Connections()}
	if !q.Together() {
		return found, nil
	}
	before, err := q.lookEach()
	if err != nil {
		return found, err
	}
	cs := q.classes()
	for i, c := range cs {
		found.Used += inUse(before[i+1])
		found.Waiting += waiting(c, before[i+1])
	}
	all := q
	all.Others = slices.Clone(q.Others)
	for i, c := range cs {
		moved, changes := c.MovedOut()
		if !changes {
			continue
		}
		all.Others[i].Route = moved.Route
		one := q
		one.Others = slices.Clone(q.Others)
		one.Others[i].Route = moved.Route
		after, err := one.lookEach()
		if err != nil {
			return found, err
		}
		found.All = append(found.All, culprit(cs, i, before[1:], after[1:]))
	}
	if len(found.All) == 0 {
		return found, nil
	}
	after, err := all.lookEach()
	if err != nil {
		return found, err
	}
	for i, c := range cs {
		found.WaitingAfter += waiting(c, after[i+1])
	}
	hardly := !slices.ContainsFunc(found.All, func(c Culprit) bool { return c.Waiting > 0.01 })
	slices.SortStableFunc(found.All, func(a, b Culprit) int {
		if hardly {
			return cmp.Compare(b.Frees, a.Frees)
		}
		return cmp.Or(cmp.Compare(b.Waiting-b.WaitingAfter, a.Waiting-a.WaitingAfter), cmp.Compare(b.Frees, a.Frees))
	})
	return found, nil
}

// culprit compares what becomes of the other routes.
func culprit(cs []Question, i int, before, after []*experiment.RouteResult) Culprit {
	c := Culprit{Route: cs[i].Name}
	if held := cs[i].demand().checkout; held > 0 {
		c.Frees = inUse(before[i]) * (1 - cs[i].busy().Seconds()/held.Seconds())
	}
	rate := 0.0
	for j, other := range cs {
		if j == i {
			continue
		}
		rate += other.Settings.Rate
		c.Waiting += waiting(other, before[j])
		c.WaitingAfter += waiting(other, after[j])
		c.Failing += other.Settings.Rate * (1 - before[j].SuccessRatio)
		c.FailingAfter += other.Settings.Rate * (1 - after[j].SuccessRatio)
		b, a := before[j].Latency.P99, after[j].Latency.P99
		if b-a > max(c.Before-c.After, b/100) {
			c.Victim, c.Before, c.After = other.Name, b, a
		}
	}
	c.Failing /= rate
	c.FailingAfter /= rate
	return c
}

// busy is how long the question's route has a connection where it makes its call outside.
func (q Question) busy() time.Duration {
	moved, _ := q.MovedOut()
	return moved.demand().checkout
}

// inUse is how many connections a route has on average, from its first request until its
// last hold ends.
func inUse(r *experiment.RouteResult) float64 {
	return float64(r.Holds.Count) * r.Holds.Held.Mean.Seconds() / (r.Elapsed + r.DrainedAfter).Seconds()
}

// waiting is how many requests of a route wait for a connection on average, by Little's law.
func waiting(q Question, r *experiment.RouteResult) float64 {
	return q.Settings.Rate * r.Holds.Wait.Mean.Seconds()
}

// lookEach is look, of the question's own result and of those beside it.
func (q Question) lookEach() ([]*experiment.RouteResult, error) {
	n := enough / max(1, int(q.TotalRate()*q.Settings.Duration.Seconds()))
	return q.predictEach(min(max(n, 3), Replications))
}

// Conclusion is the answer in words.
func (f Culprits) Conclusion() experiment.Conclusion {
	c := experiment.Conclusion{About: "culprits", Cases: []string{f.Name}, Figures: map[string]float64{
		"used_connections": f.Used, "waiting": f.Waiting,
	}}
	if len(f.All) == 0 {
		c.Sentence = "No route holds a connection while it waits for something else."
		return c
	}
	c.Figures["waiting_all_mended"] = f.WaitingAfter
	var lines []string
	for i, one := range f.All {
		c.Cases = append(c.Cases, one.Route)
		c.Figures[fmt.Sprintf("%d.frees_connections", i+1)] = one.Frees
		c.Figures[fmt.Sprintf("%d.waiting_others", i+1)] = one.Waiting
		c.Figures[fmt.Sprintf("%d.waiting_others_mended", i+1)] = one.WaitingAfter
		c.Figures[fmt.Sprintf("%d.failing_others", i+1)] = one.Failing
		c.Figures[fmt.Sprintf("%d.failing_others_mended", i+1)] = one.FailingAfter
		if i < mostCulprits {
			lines = append(lines, f.line(i))
		}
	}
	if len(f.All) > 1 && f.Waiting > 0.01 {
		lines = append(lines, fmt.Sprintf("With all %d fixed, %s requests wait for a connection on average instead of %s.", len(f.All), words.Rounded(f.WaitingAfter), words.Rounded(f.Waiting)))
	}
	if more := len(f.All) - mostCulprits; more > 0 {
		lines = append(lines, fmt.Sprintf("%s more hold a connection through a call.", words.Count(more, "route")))
	}
	c.Sentence = strings.Join(lines, " ")
	return c
}

// mostCulprits is how many are told of in a sentence each; the figures have all.
const mostCulprits = 3

func (f Culprits) line(i int) string {
	c := f.All[i]
	text := fmt.Sprintf("Next, %s", c.Route)
	if i == 0 {
		text = fmt.Sprintf("Fix %s first", c.Route)
	}
	text += fmt.Sprintf(": on average it holds %s of the %s connections in use while no statement runs.", words.Rounded(c.Frees), words.Rounded(f.Used))
	switch {
	case c.Victim != "":
		text += fmt.Sprintf(" With its call outside the hold, the p99 of %s is %s instead of %s", c.Victim, words.Short(c.After), words.Short(c.Before))
		if c.Failing-c.FailingAfter > 0.001 {
			text += fmt.Sprintf(", and %s %% of the other routes' requests fail instead of %s %%", words.Rounded(100*c.FailingAfter), words.Rounded(100*c.Failing))
		}
		text += "."
	default:
		text += " The other routes do not suffer from it at this load."
	}
	return text
}
