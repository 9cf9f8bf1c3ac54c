package prove

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Conclude says what follows from a result of services' routes, a sentence or two for each.
// Of what is not valid nothing does.
func Conclude(r *experiment.Result) {
	r.Conclusions = nil
	for i := range r.Routes {
		rr := &r.Routes[i]
		if rr.NotValid != "" || rr.Requests == 0 {
			continue
		}
		c := experiment.Conclusion{About: "service", Cases: []string{rr.Name}, Figures: map[string]float64{}}
		switch {
		case rr.Wire != nil:
			c.Sentence = ofWire(r, rr, c.Figures)
		case r.Beside(rr):
			c.Sentence = beside(rr, r.Route(experiment.Alone(rr.Name)), c.Figures)
		}
		if c.Sentence != "" {
			r.Conclusions = append(r.Conclusions, c)
		}
	}
}

func answered(rr *experiment.RouteResult) string {
	return fmt.Sprintf("%d of %d requests", rr.Outcomes.OK, rr.Requests)
}

const (
	// idleShare is the share of its transactions' time from which on a route is said to be
	// idle in transaction, and idleGap how long its costliest gaps must be, as a median or
	// in the mean.
	idleShare = 0.5
	idleGap   = 50 * time.Millisecond
	// uneven is how many times as long as the median the longest gap is where the median
	// says little.
	uneven = 10
	// untilLeft is the share of the client timeout from which on a gap lasted until its
	// client left.
	untilLeft = 0.9
)

// beside is what became of a route while others were attacked too, and alone.
func beside(rr, alone *experiment.RouteResult, figures map[string]float64) string {
	figures["p99_s"] = rr.Latency.P99.Seconds()
	if alone == nil || alone.NotValid != "" || alone.Requests == 0 {
		return fmt.Sprintf("Beside the others its p99 is %s, and half of its requests take %s or more; %s were answered.",
			words.Short(rr.Latency.P99), words.Short(rr.Latency.P50), answered(rr))
	}
	figures["p99_alone_s"] = alone.Latency.P99.Seconds()
	served := fmt.Sprintf("%s were answered, alone %d of %d", answered(rr), alone.Outcomes.OK, alone.Requests)
	took := fmt.Sprintf("its p99 is %s, alone it is %s; half of its requests take %s or more, alone %s",
		words.Short(rr.Latency.P99), words.Short(alone.Latency.P99), words.Short(rr.Latency.P50), words.Short(alone.Latency.P50))
	if rr.SuccessRatio < alone.SuccessRatio { // requests that are sent away take no time
		return "Beside the others " + served + "; " + took + "."
	}
	return "Beside the others " + took + "; " + served + "."
}

// subject is what a sentence about a result is about: a route, or, of all at once, the service.
func subject(r *experiment.Result, rr *experiment.RouteResult) string {
	switch {
	case rr.Name == experiment.Together:
		return "The service"
	case sampled(r):
		return "By samples, it"
	}
	return "It"
}

func sampled(r *experiment.Result) bool { return r.Service != nil && r.Service.Sampled }

// onlyOf says of which route alone the costliest gap of all at once is, where one alone has it.
// Of one that has more gaps than are kept nothing can be said.
func onlyOf(r *experiment.Result, after string) string {
	var of []string
	for i := range r.Routes {
		rr := &r.Routes[i]
		alone := r.Route(experiment.Alone(rr.Name))
		switch {
		case !r.Beside(rr):
		case alone == nil || alone.Wire == nil || len(alone.Wire.Gaps) == experiment.MaxGapGroups:
			return ""
		case slices.ContainsFunc(alone.Wire.Gaps, func(g experiment.GapGroup) bool { return g.After == after }):
			of = append(of, rr.Name)
		}
	}
	if len(of) != 1 {
		return ""
	}
	return of[0]
}

// ofWire is what follows from what the wire showed.
func ofWire(r *experiment.Result, rr *experiment.RouteResult, figures map[string]float64) string {
	w := rr.Wire
	sampled := sampled(r)
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	unused := w.Transactions == 0 && w.Statements == 0 && !sampled
	if rr.Outcomes.OK < rr.Requests && !unused {
		say("%s were answered.", answered(rr))
	}
	switch {
	case unused:
		say("%s did not use the database: %s were answered.", subject(r, rr), answered(rr))
	case w.Transactions == 0 && sampled:
		say("No sample found it in a transaction.")
	case w.Transactions == 0:
		say("%s ran %s, and no transaction stayed open after any of them.", subject(r, rr), words.Count(w.Statements, "statement"))
	default:
		said = append(said, ofTransactions(r, rr, figures)...)
	}
	if st := w.Stuck; st != nil {
		say("%s", ofStuck(st, rr))
	}
	switch {
	case w.PossiblyHeld:
		say("Possibly it holds connections outside of transactions: for most of the time there were hardly fewer requests than its %s, all of these were idle, no transaction was open, and never were more requests past their statements than there are connections. "+
			"The wire cannot show who holds a connection then. Try a larger pool: if throughput grows with it, requests hold one while they wait.", words.Count(rr.Connections.Max, "connection"))
	case sampled:
		say("Samples do not show whether connections are held outside of transactions.")
	case w.Statements > 0 && w.MaxInFlight <= rr.Connections.Max && rr.Latency.P50 >= idleGap && !holds(rr):
		say("Whether it holds connections outside of transactions is not seen at this load: there were at most %s at once, and %s.",
			words.Count(w.MaxInFlight, "request"), words.Count(rr.Connections.Max, "connection"))
	}
	return strings.Join(said, " ")
}

// ofStuck says of transactions that never end what they may wait for.
func ofStuck(st *experiment.Stuck, rr *experiment.RouteResult) string {
	after := words.Plain(time.Duration(st.For))
	switch {
	case st.Transactions == 1:
		return "A transaction stays open: " + after + " after the last client had its answer or had left it is idle, and no statement runs. Its COMMIT or ROLLBACK is missing, or it waits for what never comes."
	case rr.Outcomes.OK == rr.Requests:
		return fmt.Sprintf("%d transactions stay open: %s after the last client had its answer all are idle, and no statement runs. Their COMMIT or ROLLBACK is missing, or they wait for what never comes.", st.Transactions, after)
	}
	return fmt.Sprintf("%d transactions stay open: %s after the last client had its answer or had left all are idle, and no statement runs. That is a deadlock, if each waits there for a second connection, and no timeout ends it.", st.Transactions, after)
}

// holds reports whether a route is idle in transaction so long that it is worth a sentence.
func holds(rr *experiment.RouteResult) bool {
	if rr.SilentRatio == nil || *rr.SilentRatio < idleShare || len(rr.Wire.Gaps) == 0 {
		return false
	}
	gap := rr.Wire.Gaps[0]
	return time.Duration(max(gap.P50, mean(gap))) >= idleGap
}

func mean(g experiment.GapGroup) experiment.Seconds { return g.Silent / experiment.Seconds(g.Count) }

func ofTransactions(r *experiment.Result, rr *experiment.RouteResult, figures map[string]float64) (said []string) {
	w := rr.Wire
	figures["silent_in_transaction_ratio"] = *rr.SilentRatio
	if !holds(rr) {
		if rr.Latency.P50 >= idleGap && rr.Latency.P50 > 5*rr.Holds.Held.Mean {
			return []string{fmt.Sprintf(subject(r, rr)+" is in no transaction while it waits: half of its requests take %s or more, its transactions %s in the mean, idle for %s of that.",
				words.Short(rr.Latency.P50), words.Short(rr.Holds.Held.Mean), words.Short(rr.Holds.SilentInTransaction/time.Duration(w.Transactions)))}
		}
		return []string{fmt.Sprintf("Its transactions take %s in the mean, and are idle for %s of that.",
			words.Short(rr.Holds.Held.Mean), words.Short(rr.Holds.SilentInTransaction/time.Duration(w.Transactions)))}
	}
	gap := w.Gaps[0]
	figures["gap_p50_s"] = time.Duration(gap.P50).Seconds()
	tagged := ""
	if gap.Route != "" {
		tagged = " (route " + gap.Route + ")"
	}
	long := words.Short(time.Duration(gap.P50))
	if gap.Longest > uneven*gap.P50 {
		long = fmt.Sprintf("%s in the mean, and up to %s,", words.Short(time.Duration(mean(gap))), words.Short(time.Duration(gap.Longest)))
	}
	said = append(said, fmt.Sprintf("%s is idle in transaction for %s of the time that one is open: %s after %s%s.",
		subject(r, rr), words.Ratio(*rr.SilentRatio), long, watch.Shorten(gap.After, 100), tagged))
	if rr.Name == experiment.Together {
		if only := onlyOf(r, gap.After); only != "" {
			said = append(said, fmt.Sprintf("Of these routes only %s has such gaps alone.", only))
		}
	}

	if len(w.Filled) > 0 {
		f := w.Filled[0]
		said = append(said, fmt.Sprintf("By its recorder, it waits meanwhile for %s (%s): %s in %s.",
			f.What, f.Where, words.Short(time.Duration(f.S)), words.Count(f.Count, "call")))
	}
	connections, become := w.ExhaustedAt, "wait"
	if w.Refused > 0 {
		become = "are refused"
	}
	c := w.Costliest
	if connections == 0 || c == nil || c.Busy <= 0 {
		return append(said, fmt.Sprintf("At this load at most %s were open at once, on %s.", words.Count(w.MaxInTransaction, "transaction"), words.Count(rr.Connections.Max, "connection")))
	}
	each := experiment.Seconds(max(1, float64(c.Transactions)/float64(rr.Requests)) * 1e3) // of a request, in thousandths
	ofRequest := func(d experiment.Seconds) time.Duration { return time.Duration((d + c.Others) * each / 1e3) }
	carry := func(d experiment.Seconds) float64 { return float64(connections) / ofRequest(d).Seconds() }
	figures["connections"] = float64(connections)
	if w.Stuck == nil && time.Duration(gap.Longest).Seconds() >= untilLeft*r.SettingsOf(rr).ClientTimeout.Seconds() {
		said = append(said, "Some of that lasted until the clients left, while all connections were in transactions: a deadlock, if it waits there for a second connection.")
	}
	all := words.Count(connections, "connection")
	if rr.Name == experiment.Together { // how much of that is whose, the wire does not say
		return append(said, fmt.Sprintf("All connections, %d, are in transactions while requests of whichever route %s.", connections, become))
	}
	if sampled(r) {
		return append(said, fmt.Sprintf("About %s carry about %s requests/s, and all other requests %s. What they would carry with what fills the gaps outside of the transaction is not known: samples do not see how long statements take.",
			all, twoDigits(carry(c.Held)), become))
	}
	now, low := carry(c.Held), carry(c.BusyInterval[1])
	figures["carried_per_s"] = now
	figures["carried_outside_low_per_s"] = low
	outside, source := twoDigits(low), fmt.Sprintf("as a mean of %d", c.Transactions)
	if c.BusyInterval[0] <= 0 { // of few transactions that are not alike
		outside = "at least " + outside
		source += ", with an interval of 95 %"
	} else {
		high := carry(c.BusyInterval[0])
		figures["carried_outside_high_per_s"] = high
		if more := twoDigits(high); more != outside {
			outside += " to " + more
			source += ", with an interval of 95 %"
		}
	}
	carried := fmt.Sprintf("%s carry %s requests/s, and all other requests %s.", all, twoDigits(now), become)
	if rr.Throughput < now/2 && w.Refused == 0 { // clients had left when it was their turn
		carried = fmt.Sprintf("At most %s are in a transaction at once, and all other requests wait.", all)
	}
	return append(said, carried+fmt.Sprintf(" With what fills the gaps outside of the transaction they would carry %s/s, as far as connections go: its statements take %s of each request, %s.",
		outside, words.Short(ofRequest(c.Busy)), source))
}

// twoDigits is a rate to two digits, more of them would be worth nothing.
func twoDigits(v float64) string {
	if v >= 1e6 {
		return "more than a million"
	}
	scale := math.Pow(10, math.Floor(math.Log10(v))-1)
	return words.Number(math.Round(v/scale) * scale)
}
