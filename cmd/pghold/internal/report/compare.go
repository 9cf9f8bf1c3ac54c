package report

import (
	"fmt"
	"slices"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Comparison is two results side by side.
type Comparison struct {
	A, B Side
	// ForAll are the settings that differ for all routes that both have.
	ForAll []Change
	Routes []RouteComparison // those that both have, in A's order
	// OnlyA and OnlyB are the names of the routes that the other has not.
	OnlyA, OnlyB []string
	// Notes are sentences about what the comparison cannot say.
	Notes []string
}

// Side is one of the two results.
type Side struct {
	Name   string // where it is from: a folder
	Result *experiment.Result
}

// Change is a setting that differs, in words.
type Change struct{ A, B string }

// RouteComparison is what two results have of one route.
type RouteComparison struct {
	Name string
	// Changes are the settings that differ for this route and not for all.
	Changes []Change
	Figures []FigureComparison
}

// Compare sets two results side by side. A figure of repeated runs is their median,
// and is compared with golang.org/x/perf/benchmath, which assumes nothing about how
// the figures are spread.
func Compare(a, b Side) *Comparison {
	c := &Comparison{A: a, B: b}
	var changes [][]Change
	for i := range a.Result.Routes {
		ra := &a.Result.Routes[i]
		rb := b.Result.Route(ra.Name)
		switch {
		case slices.ContainsFunc(c.Routes, func(r RouteComparison) bool { return r.Name == ra.Name }):
			// A file that names a route twice is not the lab's. As elsewhere, the first counts.
		case rb == nil:
			c.OnlyA = append(c.OnlyA, ra.Name)
		default:
			c.Routes = append(c.Routes, RouteComparison{Name: ra.Name, Figures: compareFigures(
				runsOf(ra, a.Result), runsOf(rb, b.Result))})
			of := changesOf(a.Result.SettingsOf(ra), b.Result.SettingsOf(rb))
			for _, ch := range attackChanges(a.Result, b.Result, ra.Name) {
				of = append(of, ch.change())
			}
			changes = append(changes, of)
		}
	}
	for _, rb := range b.Result.Routes {
		if a.Result.Route(rb.Name) == nil {
			c.OnlyB = append(c.OnlyB, rb.Name)
		}
	}
	if len(changes) == 0 {
		c.ForAll = changesOf(a.Result.Settings, b.Result.Settings)
	} else {
		c.ForAll = slices.DeleteFunc(slices.Clone(changes[0]), func(ch Change) bool {
			return slices.ContainsFunc(changes, func(of []Change) bool { return !slices.Contains(of, ch) })
		})
	}
	for i := range c.Routes {
		c.Routes[i].Changes = slices.DeleteFunc(changes[i], func(ch Change) bool { return slices.Contains(c.ForAll, ch) })
	}
	for _, ch := range serviceChanges(a.Result, b.Result) {
		c.ForAll = append(c.ForAll, ch.change())
	}
	c.Notes = c.notes()
	return c
}

// changesOf are the settings that differ, in the words of the report's settings.
func changesOf(a, b experiment.Settings) (cs []Change) {
	add := func(wordsA, wordsB string) {
		if wordsA != wordsB {
			cs = append(cs, Change{wordsA, wordsB})
		}
	}
	for _, t := range experiment.Table() {
		add(said(t, a), said(t, b))
	}
	speed := func(s experiment.Settings) string { return words.Number(s.Speed) + " times the speed" }
	add(speed(a), speed(b))
	postgres := func(s experiment.Settings) string {
		if s.Postgres == "" {
			return "an unnamed Postgres"
		}
		return "Postgres " + shorten(printable.Line(s.Postgres), 40)
	}
	add(postgres(a), postgres(b))
	return cs
}

// notes say what the number of runs allows to say.
func (c *Comparison) notes() (notes []string) {
	if len(c.Routes) == 0 {
		return nil
	}
	single, compared := true, 0
	var said []string
	for _, r := range c.Routes {
		for _, f := range r.Figures {
			single = single && f.A.Runs <= 1 && f.B.Runs <= 1
			if f.Verdict == Differs || f.Verdict == Noise {
				compared++
			}
			for _, w := range f.Warnings {
				if !slices.Contains(said, w) {
					said = append(said, w)
				}
			}
		}
	}
	if single {
		note := "There is one run of each, so nothing can be said about noise: a difference may be the machine's."
		if c.A.Result.Kind == experiment.Measured && c.B.Result.Kind == experiment.Measured {
			note += fmt.Sprintf(" Run both with --repeat %d to tell them apart, or with --repeat %d for an interval too.", enoughToCompare(), enoughForInterval())
		}
		return []string{note}
	}
	verb := "lab"
	if c.A.Result.Service != nil {
		verb = "prove"
	}
	for _, w := range said {
		notes = append(notes, "Too few runs: "+w+" (pghold "+verb+" --repeat).")
	}
	if byChance := float64(compared) * alpha; byChance >= 1 {
		notes = append(notes, fmt.Sprintf("%d figures were compared at a level of %v: where nothing at all differed, about %.0f of them would be said to differ.",
			compared, alpha, byChance))
	}
	return notes
}
