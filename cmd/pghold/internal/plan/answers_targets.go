package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Target is a condition that a prediction is to meet, as "success>=0.999" or
// "p99<=3s".
type Target struct {
	Field string // one of those in targets
	Value float64
	text  string
}

func (t Target) String() string { return t.text }

// share is how many requests have to be answered at all for a latency to count: a
// request that fails at once is no fast one.
var share = map[string]float64{"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99, "mean": 0.99}

// targetFields are what a target can be about. Of success and throughput it is the
// least, of latencies the most that is asked for.
var targetFields = []string{"success", "throughput", "p50", "p90", "p95", "p99", "mean"}

// ParseTarget reads FIELD>=VALUE or FIELD<=VALUE.
func ParseTarget(text string) (Target, error) {
	t := Target{text: strings.ReplaceAll(text, " ", "")}
	wrong := func(format string, args ...any) (Target, error) {
		return t, fmt.Errorf("%q is no target: "+format, append([]any{text}, args...)...)
	}
	field, value, least := strings.Cut(t.text, ">=")
	if !least {
		var most bool
		if field, value, most = strings.Cut(t.text, "<="); !most {
			return wrong("it needs >= or <=, as in success>=0.999 and p99<=3s")
		}
	}
	t.Field = field
	if !slices.Contains(targetFields, field) {
		return wrong("%q is none of %s", field, strings.Join(targetFields, ", "))
	}
	if _, latency := share[field]; latency {
		if least {
			return wrong("of a latency, the most that it may be is asked for, as in %s<=3s", field)
		}
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return wrong("%q is no time above zero, as 3s or 250ms", value)
		}
		t.Value = d.Seconds()
		return t, nil
	}
	if !least {
		return wrong("of %s, the least that it has to be is asked for, as in %s", field, map[string]string{"success": "success>=0.999", "throughput": "throughput>=50"}[field])
	}
	number, percent := strings.CutSuffix(value, "%")
	v, err := strconv.ParseFloat(number, 64)
	if percent && field == "success" {
		v /= 100
	}
	switch {
	case err != nil || !(v > 0) || math.IsInf(v, 0) || percent && field != "success":
		return wrong("%q is no number above zero", value)
	case field == "success" && v > 1:
		return wrong("a success ratio is at most 1, or 100%%")
	}
	t.Value = v
	return t, nil
}

// met reports whether a prediction meets the target.
func (t Target) met(r *experiment.RouteResult) bool {
	const rounding = 1e-9
	switch t.Field {
	case "success":
		return r.SuccessRatio >= t.Value-rounding
	case "throughput":
		return r.Throughput >= t.Value-rounding
	}
	latency := map[string]time.Duration{
		"p50": r.Latency.P50, "p90": r.Latency.P90, "p95": r.Latency.P95, "p99": r.Latency.P99, "mean": r.SuccessLatency.Mean,
	}[t.Field]
	return r.SuccessRatio >= share[t.Field]-rounding && latency.Seconds() <= t.Value+rounding
}

func allMet(targets []Target, r *experiment.RouteResult) bool {
	return !slices.ContainsFunc(targets, func(t Target) bool { return !t.met(r) })
}

func namesOf(targets []Target) string {
	var all []string
	for _, t := range targets {
		all = append(all, t.String())
	}
	return inWords(all)
}

// inWords joins names: a, b and c.
func inWords(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}
