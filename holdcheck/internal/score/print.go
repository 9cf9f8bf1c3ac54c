package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Score is the whole comparison.
type Score struct {
	Repos            []RepoScore `json:"repos"`
	All              Recall      `json:"all"`
	WithoutFramework Recall      `json:"without_framework"` // without the rows whose way leads through a framework
	NearMisses       Reported    `json:"near_misses"`
	Unlabelled       Reported    `json:"unlabelled"` // findings that no row explains
	Failed           int         `json:"failed"`     // repositories without a whole result; their rows count as missed
}

// Recall counts true places, all of them and those found.
type Recall struct {
	Places     int `json:"places"`
	High       int `json:"high"`       // found at high
	Medium     int `json:"medium"`     // found at medium or high
	Any        int `json:"any"`        // found at all
	Leaf       int `json:"leaf"`       // found, and with the row's slow call
	HoldOnly   int `json:"hold_only"`  // of those found: by the line of the hold alone
	CallOnly   int `json:"call_only"`  // of those found: by the line of the call alone
	Unresolved int `json:"unresolved"` // missed, and the check says that it could not follow a call there
}

func (r *Recall) add(row RowScore) {
	one := func(n *int, ok bool) {
		if ok {
			*n++
		}
	}
	r.Places++
	one(&r.Any, row.Found != Nohow)
	one(&r.High, row.Severity == "high")
	one(&r.Medium, row.Severity == "high" || row.Severity == "medium")
	one(&r.Leaf, row.Leaf)
	one(&r.HoldOnly, row.Found == ByHold)
	one(&r.CallOnly, row.Found == ByCall)
	one(&r.Unresolved, row.Unresolved)
}

// Reported counts what was reported, by severity.
type Reported struct {
	Of     int `json:"of"` // near misses: all of them, reported or not; findings: their sum
	High   int `json:"high"`
	Medium int `json:"medium"`
	Low    int `json:"low"`
}

func (r *Reported) add(severity string) {
	switch severity {
	case "high":
		r.High++
	case "medium":
		r.Medium++
	case "low":
		r.Low++
	}
}

// bad is how many are as bad as a near miss must not be reported.
func (r Reported) bad() int { return r.High + r.Medium }

func summarize(repos []RepoScore) *Score {
	s := &Score{Repos: repos}
	for _, r := range repos {
		if r.Failed != "" {
			s.Failed++
		}
		for _, row := range r.Rows {
			if row.Label == "TN" {
				s.NearMisses.Of++
				s.NearMisses.add(row.Severity)
				continue
			}
			s.All.add(row)
			if !row.Framework() {
				s.WithoutFramework.add(row)
			}
		}
		for _, f := range r.Unlabelled {
			s.Unlabelled.Of++
			s.Unlabelled.add(f.Severity)
		}
	}
	return s
}

// print writes the score for people: the rows of each repository, then the sums.
func (s *Score) print(w io.Writer, unlabelled bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range s.Repos {
		r.print(t, unlabelled)
	}
	fmt.Fprintf(t, "TRUE PLACES\tall: %d\twithout framework: %d\n", s.All.Places, s.WithoutFramework.Places)
	line := func(name string, n func(Recall) int) {
		fmt.Fprintf(t, "%s\t%s\t%s\n", name, share(n(s.All), s.All.Places), share(n(s.WithoutFramework), s.WithoutFramework.Places))
	}
	line("found at high", func(r Recall) int { return r.High })
	line("found at medium or high", func(r Recall) int { return r.Medium })
	line("found", func(r Recall) int { return r.Any })
	line("found with the row's slow call", func(r Recall) int { return r.Leaf })
	line("found by the hold's line alone", func(r Recall) int { return r.HoldOnly })
	line("found by the call's line alone", func(r Recall) int { return r.CallOnly })
	line("missed, a call not followed", func(r Recall) int { return r.Unresolved })

	n := s.NearMisses
	fmt.Fprintf(t, "\nNEAR MISSES\tall: %d\n", n.Of)
	fmt.Fprintf(t, "reported at high or medium\t%d\t%s\n", n.bad(), map[bool]string{true: "must be none"}[n.bad() > 0])
	fmt.Fprintf(t, "reported at low\t%d\n", n.Low)

	fmt.Fprintf(t, "\nFINDINGS THAT NO ROW EXPLAINS\thigh\tmedium\tlow\n")
	for _, r := range s.Repos {
		var n Reported
		for _, f := range r.Unlabelled {
			n.add(f.Severity)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\n", r.Name, n.High, n.Medium, n.Low)
	}
	fmt.Fprintf(t, "sum\t%d\t%d\t%d\n", s.Unlabelled.High, s.Unlabelled.Medium, s.Unlabelled.Low)
	if s.Failed > 0 {
		fmt.Fprintf(t, "\nThe check failed in %d of %d repositories; places there count as missed where it found none.\n", s.Failed, len(s.Repos))
	}
	return t.Flush()
}

func (r *RepoScore) print(w io.Writer, unlabelled bool) {
	fmt.Fprintf(w, "%s: %d findings", r.Name, r.Findings)
	if r.Elapsed > 0 {
		fmt.Fprintf(w, " in %.0f s", r.Elapsed)
	}
	if r.Errors+r.Unread > 0 {
		fmt.Fprintf(w, ", %d compiler errors, %d things not read", r.Errors, r.Unread)
	}
	fmt.Fprintln(w)
	if r.Failed != "" {
		fmt.Fprintf(w, "  FAILED: %s\n", strings.ReplaceAll(r.Failed, "\n", "\n  "))
	}
	for _, row := range r.Rows {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", row.verdict(), row.Place, row.how(), row.Reason)
	}
	if unlabelled {
		for _, severity := range severities {
			for i := range r.Unlabelled {
				if f := &r.Unlabelled[i]; f.Severity == severity {
					f.print(w)
				}
			}
		}
	}
	fmt.Fprintln(w)
}

func (row RowScore) verdict() string {
	switch {
	case row.Label == "TN" && row.Found != Nohow:
		return "REPORTED " + row.Severity
	case row.Label == "TN":
		return "near miss"
	case row.Found != Nohow:
		return "found " + row.Severity
	}
	return "MISSED"
}

func (row RowScore) how() string {
	var words []string
	if row.Label == "TP" {
		if row.Framework() {
			words = append(words, "framework")
		}
		if row.Found != Nohow {
			words = append(words, string(row.Found))
		}
		if row.Leaf {
			words = append(words, "slow call")
		}
		if row.Unresolved {
			words = append(words, "a call not followed")
		}
	} else if row.Pattern != "" {
		words = append(words, row.Pattern)
	}
	return strings.Join(words, ", ")
}

func (f *Finding) print(w io.Writer) {
	fmt.Fprintf(w, "  UNLABELLED %s %s: %s (%s)\n", f.Severity, f.Kind, f.Message, f.ID)
	fmt.Fprintf(w, "    held from %s %s\n", f.Hold, f.Hold.What)
	for _, a := range f.Chain {
		fmt.Fprintf(w, "    %s %s\n", a, a.Func)
	}
	fmt.Fprintf(w, "    slow: %s %s\n", f.Way.Slow, f.Way.Slow.What)
	if n := len(f.Also); n > 0 {
		fmt.Fprintf(w, "    and %d more slow calls\n", n)
	}
}

// share is a count and its part of all.
func share(n, of int) string {
	if of == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%.0f %%)", n, 100*float64(n)/float64(of))
}
