package main

import "slices"

// How says which of a row's two lines a finding shares.
type How string

const (
	Nohow  How = ""
	ByHold How = "hold"      // it is held from the row's line, and the call is none of a row's
	ByCall How = "call"      // the chain passes the row's call, and it is held from elsewhere
	ByBoth How = "hold+call" // as the row says
)

// more reports whether h says that more is shared than other does.
func (h How) more(other How) bool {
	hows := []How{Nohow, ByHold, ByCall, ByBoth}
	return slices.Index(hows, h) > slices.Index(hows, other)
}

// severities are from the worst to the least.
var severities = []string{"high", "medium", "low"}

const unresolved = "unresolved" // the kind of a call that the check could not follow

// RowScore is what became of a row.
type RowScore struct {
	Place
	// Found is how a place was found, empty where it was missed; for a near miss it
	// is how it was reported, and empty is right.
	Found    How    `json:"found,omitempty"`
	Severity string `json:"severity,omitempty"` // the worst of the findings that share as much with the row as any
	// Leaf: a finding's slow call, or a step on the way there, is the row's slow
	// call, too. The check may name another one rightly where the row's is one
	// implementation of many.
	Leaf bool `json:"leaf,omitempty"`
	// Unresolved: the place was missed, and the check says there that it could not
	// follow a call.
	Unresolved bool `json:"unresolved,omitempty"`
	// Findings are the identifiers of the findings.
	Findings []string `json:"findings,omitempty"`
}

// RepoScore is a repository's result beside its rows.
type RepoScore struct {
	Name       string     `json:"repo"`
	Commit     string     `json:"commit"`
	Failed     string     `json:"failed,omitempty"` // why the check has no result, or not all of it
	Elapsed    float64    `json:"elapsed_s,omitempty"`
	Findings   int        `json:"findings"`
	Errors     int        `json:"errors"` // of the compiler, in the repository's own packages
	Unread     int        `json:"unread"`
	Rows       []RowScore `json:"rows"`
	Unlabelled []Finding  `json:"unlabelled"` // the findings that no row explains
}

// compare scores a repository. err is why its result is missing or not complete.
func compare(r Repo, res *Result, err error) RepoScore {
	if res == nil {
		res = new(Result)
	}
	s := RepoScore{
		Name: r.Name, Commit: r.Commit, Elapsed: res.Elapsed,
		Findings: len(res.Findings), Errors: len(res.Errors), Unread: len(res.Unread),
	}
	if err != nil {
		s.Failed = err.Error()
	}
	m := newMatcher(r.Places, res.Findings)
	for _, p := range r.Places {
		if p.Label == "TP" {
			s.Rows = append(s.Rows, m.truePlace(p))
		} else {
			s.Rows = append(s.Rows, m.nearMiss(p))
		}
	}
	for i, f := range res.Findings {
		if !m.explained[i] {
			s.Unlabelled = append(s.Unlabelled, f)
		}
	}
	return s
}

// matcher knows which findings belong to which rows. Lines of source may differ by
// one: the list and the check need not agree on where a call of many lines is.
//
// A true place is found when the chain passes its call in its file, whatever
// holds there, or when the connection is held from its line and no row knows the
// finding's call better: two calls under one hold are two places. A call that could
// not be followed finds nothing.
//
// A near miss is reported when the chain passes its line under a hold that begins in
// its file, at the transaction that the row names if it names one. The same line can
// be rightly reported below another hold: where a caller holds a connection already.
// And a finding that is as a true row says is no near miss, even when a near miss
// in that file names no transaction.
type matcher struct {
	findings  []Finding
	atCall    []bool // by finding: a row knows its call
	isTrue    []bool // by finding: it is as a true row says, by both lines
	explained []bool // by finding: a row says whether it is true
}

func newMatcher(places []Place, findings []Finding) *matcher {
	n := len(findings)
	m := &matcher{findings, make([]bool, n), make([]bool, n), make([]bool, n)}
	for i := range findings {
		f := &findings[i]
		for _, p := range places {
			for _, w := range f.ways() {
				switch how := touch(p, f, w); {
				case p.Label == "TP" && how == ByBoth:
					m.isTrue[i], m.atCall[i] = true, true
				case p.Label == "TP" && how == ByCall, p.Label == "TN" && misled(p, f, w):
					m.atCall[i] = true
				}
			}
		}
	}
	return m
}

func (m *matcher) truePlace(p Place) RowScore {
	row := RowScore{Place: p}
	shared := make([]How, len(m.findings))
	for i := range m.findings {
		f := &m.findings[i]
		for _, w := range f.ways() {
			how := touch(p, f, w)
			switch {
			case how == Nohow, how == ByHold && m.atCall[i]:
				continue
			case w.Kind == unresolved:
				row.Unresolved = true
				continue
			}
			row.better(how, w.Severity)
			row.Leaf = row.Leaf || leaf(p, w)
			if how.more(shared[i]) {
				shared[i] = how
			}
		}
		if shared[i] != Nohow {
			row.Findings = append(row.Findings, f.ID)
		}
	}
	row.Unresolved = row.Unresolved && row.Found == Nohow
	for i, how := range shared {
		switch how {
		case ByBoth:
			m.explained[i] = true
		case ByCall:
			// Where the call is further down the chain, another function holds: that is
			// another place, to be read.
			chain := m.findings[i].Chain
			m.explained[i] = m.explained[i] || len(chain) > 0 && chain[0].near(p.Path, p.SiteLine)
		case ByHold:
			// It may be the row's call by another line, if the row has nothing better.
			m.explained[i] = m.explained[i] || row.Found == ByHold
		}
	}
	return row
}

func (m *matcher) nearMiss(p Place) RowScore {
	row := RowScore{Place: p}
	for i := range m.findings {
		f := &m.findings[i]
		if m.isTrue[i] {
			continue
		}
		reported := false
		for _, w := range f.ways() {
			if misled(p, f, w) {
				reported = true
				row.better(ByBoth, w.Severity)
			}
		}
		if reported {
			m.explained[i] = true
			row.Findings = append(row.Findings, f.ID)
		}
	}
	return row
}

// better takes over what shares more with the row, or is worse and shares as much.
func (row *RowScore) better(how How, severity string) {
	if how.more(row.Found) || how == row.Found && worse(severity, row.Severity) {
		row.Found, row.Severity = how, severity
	}
}

// worse reports whether a is worse than b; a severity that is not known is the least.
func worse(a, b string) bool {
	rank := func(s string) int {
		if i := slices.Index(severities, s); i >= 0 {
			return i
		}
		return len(severities)
	}
	return rank(a) < rank(b)
}

// touch says what one way of a finding has in common with a row.
func touch(p Place, f *Finding, w *Way) How {
	held := f.Hold.near(p.Path, p.TxLine)
	called := slices.ContainsFunc(w.Chain, func(a At) bool { return a.near(p.Path, p.SiteLine) })
	switch {
	case held && called:
		return ByBoth
	case called:
		return ByCall
	case held:
		return ByHold
	}
	return Nohow
}

// leaf reports whether the way ends at, or passes, the row's slow call.
func leaf(p Place, w *Way) bool {
	at := func(a At) bool { return p.SlowLine > 0 && a.near(p.SlowPath, p.SlowLine) }
	return at(w.Slow) || slices.ContainsFunc(w.Chain, at)
}

// misled reports whether a way says of a near miss that a connection is held there.
func misled(p Place, f *Finding, w *Way) bool {
	if p.TxLine > 0 {
		return touch(p, f, w) == ByBoth
	}
	return f.Hold.File == p.Path && touch(p, f, w) == ByCall
}

// near reports whether a is at that line, give or take one.
func (a At) near(file string, line int) bool {
	return a.File == file && a.Line-line <= 1 && line-a.Line <= 1
}
