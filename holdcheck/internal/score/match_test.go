package main

import (
	"slices"
	"testing"
)

// The places that the tests compare with: a hold at line 10 of a.go with calls at 20
// and 30, and a near miss at 40.
var (
	first  = Place{Label: "TP", Path: "a.go", TxLine: 10, SiteLine: 20, SlowPath: "leaf.go", SlowLine: 7}
	second = Place{Label: "TP", Path: "a.go", TxLine: 10, SiteLine: 30, SlowPath: "leaf.go", SlowLine: 9}
	after  = Place{Label: "TN", Path: "a.go", TxLine: 10, SiteLine: 40}
	noTx   = Place{Label: "TN", Path: "a.go", SiteLine: 50}
)

// finding is held from the first line, and passes the others, the last being slow.
func finding(id, severity string, hold At, chain ...At) Finding {
	return Finding{ID: id, Hold: hold, Way: way(severity, chain...)}
}

func way(severity string, chain ...At) Way {
	return Way{Severity: severity, Kind: "http", Chain: chain, Slow: chain[len(chain)-1]}
}

func at(file string, line int) At { return At{File: file, Line: line} }

func notFollowed(f Finding) Finding {
	f.Kind = unresolved
	return f
}

func also(f Finding, ways ...Way) Finding {
	f.Also = ways
	return f
}

func TestCompare(t *testing.T) {
	type row struct {
		found      How
		severity   string
		leaf       bool
		unresolved bool
	}
	missed := row{}
	for name, test := range map[string]struct {
		findings   []Finding
		want       map[Place]row // the others are missed, or not reported
		unlabelled []string
	}{
		"nothing is found": {},
		"hold and call": {
			findings: []Finding{finding("x", "high", at("a.go", 10), at("a.go", 20), at("leaf.go", 7))},
			want:     map[Place]row{first: {found: ByBoth, severity: "high", leaf: true}},
		},
		"lines that are one off": {
			findings: []Finding{finding("x", "high", at("a.go", 9), at("a.go", 21), at("leaf.go", 8))},
			want:     map[Place]row{first: {found: ByBoth, severity: "high", leaf: true}},
		},
		"lines that are two off": {
			findings:   []Finding{finding("x", "high", at("a.go", 8), at("a.go", 22), at("leaf.go", 7))},
			unlabelled: []string{"x"},
		},
		"the same lines of another file": {
			findings:   []Finding{finding("x", "high", at("b.go", 10), at("b.go", 20), at("leaf.go", 7))},
			unlabelled: []string{"x"},
		},
		"another slow call": {
			findings: []Finding{finding("x", "medium", at("a.go", 10), at("a.go", 20), at("other.go", 1))},
			want:     map[Place]row{first: {found: ByBoth, severity: "medium"}},
		},
		"the row's slow call on the way": {
			findings: []Finding{finding("x", "high", at("a.go", 10), at("a.go", 20), at("leaf.go", 7), at("vendored.go", 1))},
			want:     map[Place]row{first: {found: ByBoth, severity: "high", leaf: true}},
		},
		"the row's slow call among the others": {
			findings: []Finding{also(finding("x", "high", at("a.go", 10), at("a.go", 20), at("other.go", 1)),
				way("low", at("a.go", 20), at("leaf.go", 7)))},
			want: map[Place]row{first: {found: ByBoth, severity: "high", leaf: true}},
		},
		"the call, held from another line of the function": {
			findings: []Finding{finding("x", "high", at("a.go", 14), at("a.go", 20), at("leaf.go", 7))},
			want:     map[Place]row{first: {found: ByCall, severity: "high", leaf: true}},
		},
		"the call, held by a caller, is a place of its own": {
			findings:   []Finding{finding("x", "high", at("b.go", 1), at("b.go", 2), at("a.go", 20), at("leaf.go", 7))},
			want:       map[Place]row{first: {found: ByCall, severity: "high", leaf: true}},
			unlabelled: []string{"x"},
		},
		"the hold alone may be either call": {
			findings: []Finding{finding("x", "high", at("a.go", 10), at("a.go", 25), at("other.go", 1))},
			want: map[Place]row{
				first:  {found: ByHold, severity: "high"},
				second: {found: ByHold, severity: "high"},
			},
		},
		"a finding at one call is none at the other under the same hold": {
			findings: []Finding{finding("x", "high", at("a.go", 10), at("a.go", 20), at("other.go", 1))},
			want:     map[Place]row{first: {found: ByBoth, severity: "high"}},
		},
		"a third call under a hold whose calls are found": {
			findings: []Finding{
				finding("x", "high", at("a.go", 10), at("a.go", 20), at("leaf.go", 7)),
				finding("y", "high", at("a.go", 10), at("a.go", 30), at("leaf.go", 9)),
				finding("z", "high", at("a.go", 10), at("a.go", 25), at("other.go", 1)),
			},
			want: map[Place]row{
				first:  {found: ByBoth, severity: "high", leaf: true},
				second: {found: ByBoth, severity: "high", leaf: true},
			},
			unlabelled: []string{"z"},
		},
		"both lines before a worse severity by one": {
			findings: []Finding{
				finding("x", "high", at("a.go", 14), at("a.go", 20), at("leaf.go", 7)),
				finding("y", "low", at("a.go", 10), at("a.go", 20), at("leaf.go", 7)),
				finding("z", "medium", at("a.go", 10), at("a.go", 20), at("other.go", 7)),
			},
			want: map[Place]row{first: {found: ByBoth, severity: "medium", leaf: true}},
		},
		"a call that was not followed is no find": {
			findings: []Finding{notFollowed(finding("x", "low", at("a.go", 10), at("a.go", 20)))},
			want:     map[Place]row{first: {unresolved: true}},
			// To be read: it may be the place, and it does not say so.
			unlabelled: []string{"x"},
		},
		"a near miss": {
			findings: []Finding{finding("x", "medium", at("a.go", 10), at("a.go", 40), at("leaf.go", 7))},
			want:     map[Place]row{after: {found: ByBoth, severity: "medium"}},
		},
		"a near miss, by a call that was not followed": {
			findings: []Finding{notFollowed(finding("x", "low", at("a.go", 10), at("a.go", 40)))},
			want:     map[Place]row{after: {found: ByBoth, severity: "low"}},
		},
		"a near miss's line below another hold of the file": {
			findings:   []Finding{finding("x", "high", at("a.go", 70), at("a.go", 75), at("a.go", 40), at("leaf.go", 7))},
			unlabelled: []string{"x"},
		},
		"a near miss without a transaction": {
			findings: []Finding{finding("x", "high", at("a.go", 70), at("a.go", 50), at("leaf.go", 7))},
			want:     map[Place]row{noTx: {found: ByBoth, severity: "high"}},
		},
		"a near miss's line below a hold of another file": {
			findings:   []Finding{finding("x", "high", at("b.go", 70), at("b.go", 71), at("a.go", 50), at("leaf.go", 7))},
			unlabelled: []string{"x"},
		},
		"a true place that passes a near miss's line": {
			findings: []Finding{finding("x", "high", at("a.go", 10), at("a.go", 20), at("a.go", 50), at("leaf.go", 7))},
			want:     map[Place]row{first: {found: ByBoth, severity: "high", leaf: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			places := []Place{first, second, after, noTx}
			s := compare(Repo{Name: "acme/shop", Places: places}, &Result{Findings: test.findings}, nil)
			for i, p := range places {
				r := s.Rows[i]
				got := row{r.Found, r.Severity, r.Leaf, r.Unresolved}
				want, ok := test.want[p]
				if !ok {
					want = missed
				}
				if got != want {
					t.Errorf("%s %s: got %+v, want %+v", p.Label, p, got, want)
				}
			}
			var got []string
			for _, f := range s.Unlabelled {
				got = append(got, f.ID)
			}
			if !slices.Equal(got, test.unlabelled) {
				t.Errorf("unlabelled: got %q, want %q", got, test.unlabelled)
			}
		})
	}
}
