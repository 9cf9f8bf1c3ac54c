package listing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/words"
	"github.com/pghold/pghold/holdcheck"
)

// shortFunc is a function without the path of its package: app.(*Server).Pay.
func shortFunc(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// bySeverity counts findings: "3 high, 1 low".
func bySeverity(fs []holdcheck.Finding) string {
	var parts []string
	for _, s := range holdcheck.Severities() {
		n := 0
		for _, f := range fs {
			if f.Worst().Severity == s {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

// alsoLine counts the slow calls beside a finding's own, by kind: "and 3 more slow
// calls behind it: 2 http, 1 mail". Without any it is empty.
func alsoLine(f holdcheck.Finding) string {
	if len(f.Calls) < 2 {
		return ""
	}
	others := f.Calls[1:]
	var kinds []holdcheck.Kind
	n := map[holdcheck.Kind]int{}
	for _, c := range others {
		if n[c.Kind]++; n[c.Kind] == 1 {
			kinds = append(kinds, c.Kind)
		}
	}
	slices.SortStableFunc(kinds, func(a, b holdcheck.Kind) int { return n[b] - n[a] })
	var parts []string
	for _, k := range kinds {
		parts = append(parts, fmt.Sprintf("%d %s", n[k], k))
	}
	return "also leads to " + words.Count(len(others), "other slow call", "other slow calls") + ": " + strings.Join(parts, ", ")
}

// outOfDate says how many entries of the baseline match nothing any more.
func outOfDate(r *holdcheck.Result) string {
	switch len(r.OutOfDate) {
	case 0:
		return ""
	case 1:
		return "1 entry of the baseline is out of date; --write-baseline drops it"
	}
	return fmt.Sprintf("%d entries of the baseline are out of date; --write-baseline drops them", len(r.OutOfDate))
}

// seconds is a time as people read it.
func seconds(s float64) string {
	switch {
	case s >= 100:
		return fmt.Sprintf("%.0f s", s)
	case s >= 1:
		return fmt.Sprintf("%.1f s", s)
	}
	return fmt.Sprintf("%.3g ms", s*1000)
}
