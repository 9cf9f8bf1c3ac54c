package holdcheck

import (
	"cmp"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/pghold/pghold"
)

// Measured is a slow call that a recorder saw inside holds.
type Measured struct {
	Pool  string  `json:"pool"`
	Route string  `json:"route"`
	Hold  string  `json:"hold"` // the function that took the connection
	What  string  `json:"what"` // as pghold.SlowCall has it
	File  string  `json:"file"` // of the slow call, as it was compiled
	Line  int     `json:"line"`
	Func  string  `json:"func"`
	Count uint64  `json:"count"`
	Held  float64 `json:"held_s"` // the time that it took inside holds, all added up
	// IDs are the names that the place may have, and Findings those of the findings
	// that may be about it.
	IDs      []pghold.PlaceID `json:"ids"`
	Findings []pghold.PlaceID `json:"findings,omitempty"`
}

// String is the slow call in a line: "POST api.example.com/charge at pay.go:12 (app.pay)".
func (m Measured) String() string {
	return m.What + " at " + path.Base(filepath.ToSlash(m.File)) + ":" + strconv.Itoa(m.Line) + " (" + path.Base(m.Func) + ")"
}

// ApplySnapshot says in r what its findings cost, as a recorder measured it, and
// sorts them by that. A finding costs all slow calls that bear one of its names:
// those of the functions that it says hold, and, where a helper takes the connection
// and nothing says for whom, those of the helper.
func ApplySnapshot(r *Result, s *pghold.Snapshot) {
	var all []*Finding
	for i := range r.Findings {
		all = append(all, &r.Findings[i])
	}
	for i := range r.Ignored {
		all = append(all, &r.Ignored[i].Finding)
	}
	r.Shared, r.Unexplained = nil, nil
	for _, f := range all {
		f.Held = nil
	}
	for _, m := range measuredIn(s) {
		about := explaining(all, m)
		for _, f := range about {
			held := m.Held
			if f.Held != nil {
				held += *f.Held
			}
			f.Held = &held
			m.Findings = append(m.Findings, f.Worst().ID)
		}
		switch len(about) {
		case 0:
			r.Unexplained = append(r.Unexplained, m)
		case 1:
		default:
			r.Shared = append(r.Shared, m)
		}
	}
	sortFindings(r.Findings)
}

// measuredIn are the slow calls of a snapshot, those that took longest first.
func measuredIn(s *pghold.Snapshot) []Measured {
	var all []Measured
	for _, series := range s.Series {
		for _, c := range series.SlowCalls {
			if c.Site.Func == "" {
				continue // many added up: nobody knows where
			}
			m := Measured{
				Pool: series.Pool, Route: series.Route, Hold: series.Site.Func, What: c.What,
				File: c.Site.File, Line: c.Site.Line, Func: c.Site.Func, Count: c.Count, Held: c.Duration.Seconds(), IDs: c.IDs,
			}
			if len(m.IDs) == 0 { // of a recorder that gave none
				m.IDs = []pghold.PlaceID{pghold.NewPlaceID(series.Site.Func, c.Site.Func)}
			}
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b Measured) int { return cmp.Compare(b.Held, a.Held) })
	return all
}

// explaining are the findings that a measured slow call is about.
func explaining(findings []*Finding, m Measured) (about []*Finding) {
	for _, names := range []func(*Finding, Measured) bool{bears, bearsOpener} {
		for _, f := range findings {
			if names(f, m) {
				about = append(about, f)
			}
		}
		if about != nil {
			return about
		}
	}
	return nil
}

// bears reports whether one of a finding's slow calls has a name of the measured one.
// Where its connection was taken by another function than the one that holds, this
// must be by a way that the finding knows: the caller of a helper may hold a
// connection of its own at another time.
func bears(f *Finding, m Measured) bool {
	for _, c := range f.Calls {
		if !slices.Contains(m.IDs, c.ID) {
			continue
		}
		if c.ID.Hold == m.taker() || len(f.openers) == 0 {
			return true
		}
		for _, opener := range f.openers {
			if by := pghold.NewPlaceID(opener, "").Hold; by != c.ID.Hold && m.holds(by) {
				return true
			}
		}
	}
	return false
}

// bearsOpener is bears for the functions that take the connection for the one that
// holds.
func bearsOpener(f *Finding, m Measured) bool {
	for _, c := range f.Calls {
		for _, opener := range f.openers {
			id := pghold.NewPlaceID(opener, c.ID.Slow)
			if slices.Contains(m.IDs, id) && (id.Hold == m.taker() || id.Hold != c.ID.Hold) {
				return true
			}
		}
	}
	return false
}

// taker is the function that took the connection: the first name is its.
func (m Measured) taker() string { return m.IDs[0].Hold }

// holds reports whether one of the names is of a hold of the function's.
func (m Measured) holds(function string) bool {
	return slices.ContainsFunc(m.IDs, func(id pghold.PlaceID) bool { return id.Hold == function })
}
