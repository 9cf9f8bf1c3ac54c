package report

import (
	"fmt"
	"math"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Meaning says in one sentence what closing the session before the slow call
// changed. It compares the routes of r that differ in nothing else, the async
// pair before the sync one, and is empty where r holds no such pair or one of
// the two was sent no request, or where some route of r is not valid.
func Meaning(r *experiment.Result) string {
	if r.NotValid() != "" {
		return ""
	}
	for _, sync := range []bool{false, true} {
		outside, inside := pair(r, sync)
		if outside == nil {
			continue
		}
		kind := "async"
		if sync {
			kind = "sync"
		}
		return compare(outside, inside, theConnections(r.SettingsOf(outside).ServerConnections()), kind)
	}
	return ""
}

// pair finds the first route that closes its session before the slow call and
// the first that holds it, among those that were sent requests. There is none where
// they differ in more than where the session ends.
func pair(r *experiment.Result, sync bool) (outside, inside *experiment.RouteResult) {
	for _, route := range experiment.RoutesOf("seed") {
		rr := r.Route(route.Name)
		switch {
		case route.Sync != sync || rr == nil || rr.Requests == 0:
		case route.HoldsThroughCall() && inside == nil:
			inside = rr
		case !route.HoldsThroughCall() && outside == nil:
			outside = rr
		}
	}
	if outside == nil || inside == nil || !r.SettingsOf(outside).SameQuestion(r.SettingsOf(inside)) {
		return nil, nil
	}
	return outside, inside
}

func theConnections(n int) string {
	if n == 1 {
		return "The same single connection"
	}
	return fmt.Sprintf("The same %d connections", n)
}

// A difference smaller than these is called none: two runs of one route differ
// by as much.
const (
	sameCount = 0.01 // of the requests
	sameTime  = 0.05 // of the longer time
)

func compare(outside, inside *experiment.RouteResult, connections, kind string) string {
	out := share(outside)
	in := share(inside)
	both := fmt.Sprintf("%s answered %s requests when the session was closed before the slow call, and %s when it was held through it",
		connections, answered(outside), answeredShort(inside))

	// Of different numbers of requests, the shares are compared.
	many := "as many"
	if outside.Requests != inside.Requests {
		many = "as large a share"
	}
	switch {
	case out == 0 && in == 0:
		return fmt.Sprintf("No request was answered, whether the session was closed before the slow call or held through it (%s).", kind)
	case in == 0:
		return fmt.Sprintf("%s (%s).", both, kind)
	case out < in-sameCount:
		return fmt.Sprintf("%s: closing it did not help here (%s).", both, kind)
	case out > in+sameCount:
		return fmt.Sprintf("%s: %s%s (%s).", both, times(out/in)+many, inTime(outside.Elapsed, inside.Elapsed), kind)
	}

	fast, slow := typical(outside), typical(inside)
	if near(fast, slow) && near(outside.Elapsed, inside.Elapsed) {
		return fmt.Sprintf("Closing the session before the slow call made no difference at this load: %s answered %s requests when it was closed, and %s when it was held (%s).",
			lower(connections), answered(outside), answeredShort(inside), kind)
	}
	if near(fast, slow) {
		return fmt.Sprintf("%s: %s%s (%s).", both, many, inTime(outside.Elapsed, inside.Elapsed), kind)
	}
	if fast > slow {
		return fmt.Sprintf("%s: closing it did not help here (%s).", both, kind)
	}
	return fmt.Sprintf("%s: %s, but half of the answers took longer than %s in place of %s (%s).",
		both, many, words.Seconds(slow), words.Seconds(fast), kind)
}

// share is how many of its requests a route answered.
func share(rr *experiment.RouteResult) float64 {
	return float64(rr.Outcomes.OK) / float64(rr.Requests)
}

func answeredShort(rr *experiment.RouteResult) string {
	if rr.Outcomes.OK == 0 {
		return "none of " + plainInt(rr.Requests)
	}
	return answered(rr)
}

// typical is the median of the answers, or of all requests where a result of
// the past does not tell them apart.
func typical(rr *experiment.RouteResult) time.Duration {
	if rr.SuccessLatency.P50 > 0 {
		return rr.SuccessLatency.P50
	}
	return rr.Latency.P50
}

func near(a, b time.Duration) bool {
	return math.Abs(float64(a-b)) <= sameTime*math.Max(float64(a), float64(b))
}

// times is the beginning of "2.1 times as many".
func times(n float64) string {
	if n >= 10 {
		return fmt.Sprintf("%.0f times ", n)
	}
	return fmt.Sprintf("%.1f times ", n)
}

// fractions are the words for one n-th.
var fractions = map[int]string{2: "half", 3: "a third of", 4: "a quarter of", 5: "a fifth of", 6: "a sixth of",
	7: "a seventh of", 8: "an eighth of", 9: "a ninth of", 10: "a tenth of"}

// inTime says how a time compares to another, as the end of a sentence.
func inTime(a, b time.Duration) string {
	if a <= 0 || b <= 0 {
		return ""
	}
	more := float64(b) / float64(a)
	n := int(math.Round(more))
	switch {
	case near(a, b):
		return ", in the same time"
	case more < 1:
		return fmt.Sprintf(", in %.1f times the time", 1/more)
	case more > 10:
		return fmt.Sprintf(", in 1/%d of the time", n)
	case n < 2 || math.Abs(more-float64(n)) > 0.1*float64(n):
		return fmt.Sprintf(", in %.0f %% of the time", 100/more)
	case math.Abs(more-float64(n)) > 0.02*float64(n):
		return ", in about " + fractions[n] + " the time"
	}
	return ", in " + fractions[n] + " the time"
}

// lower makes a sentence's beginning fit for its middle.
func lower(s string) string { return "t" + s[1:] }
