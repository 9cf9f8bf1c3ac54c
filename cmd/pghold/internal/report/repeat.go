package report

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Command is the command line that asks a result's question again. It has the flags
// that differ from the defaults, and the group or the routes where they are not the
// seed's.
func Command(r *experiment.Result) string {
	words := []string{"pghold", "lab"}
	if r.Kind == experiment.Predicted {
		words[1] = "plan"
	}
	s, d := r.Settings, experiment.Defaults()
	add := func(differs bool, flag, value string) {
		if differs {
			words = append(words, "--"+flag, shellQuote(value))
		}
	}
	float := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	duration := func(flag string, v, byDefault time.Duration) { add(v != byDefault, flag, shortDuration(v)) }

	add(s.Rate != d.Rate && finite(s.Rate), "rate", float(s.Rate))
	duration("duration", s.Duration, d.Duration)
	duration("slow", s.Slow, d.Slow)
	duration("client-timeout", s.ClientTimeout, d.ClientTimeout)
	add(s.Pool != d.Pool, "pool", s.Pool)
	add(s.PoolSize != d.PoolSize, "pool-size", strconv.Itoa(s.PoolSize))
	add(s.MaxOverflow != d.MaxOverflow, "max-overflow", strconv.Itoa(s.MaxOverflow))
	duration("pool-timeout", s.PoolTimeout, d.PoolTimeout)
	add(s.Threads != d.Threads, "threads", strconv.Itoa(s.Threads))
	add(s.SlowShape != d.SlowShape, "slow-shape", s.SlowShape)
	add(s.MaxInFlight != d.MaxInFlight, "max-in-flight", strconv.Itoa(s.MaxInFlight))
	duration("idle-in-transaction-timeout", s.IdleInTransactionTimeout, d.IdleInTransactionTimeout)
	duration("transaction-timeout", s.TransactionTimeout, d.TransactionTimeout)
	duration("distance", s.Distance, d.Distance)
	if s.PgBouncer > 0 {
		words = append(words, "--pgbouncer", "--pgbouncer-size", strconv.Itoa(s.PgBouncer))
	}
	add(s.Accounts != d.Accounts, "accounts", strconv.Itoa(s.Accounts))
	if s.CancelOnDisconnect != d.CancelOnDisconnect {
		words = append(words, "--cancel-on-disconnect="+strconv.FormatBool(s.CancelOnDisconnect))
	}
	if slices.ContainsFunc(r.Routes, besidePredicted) {
		words = append(words, "--predict")
	}
	add(r.Repeat > 1, "repeat", strconv.Itoa(r.Repeat))
	add(s.Speed != d.Speed && finite(s.Speed), "speed", float(s.Speed))

	switch g := groupOf(r); g {
	case "":
	case "seed":
		return strings.Join(words, " ")
	default:
		return strings.Join(append(words, "--group", g), " ")
	}
	var named []string
	for i := range r.Routes {
		named = append(named, routeName(&r.Routes[i]))
	}
	if named = uniq(named); len(named) > 0 {
		if slices.ContainsFunc(named, func(n string) bool { return strings.HasPrefix(n, "-") }) {
			words = append(words, "--") // the names are from a file: none may be a flag
		}
		for _, n := range named {
			words = append(words, shellQuote(n))
		}
	}
	return strings.Join(words, " ")
}

// routeName is the route that a result is of, without a variant.
func routeName(rr *experiment.RouteResult) string {
	if rr.Route != "" {
		return rr.Route
	}
	return rr.Name
}

// groupOf is the group that the result is of, or nothing: its cases are the group's,
// all of them and in order. Where some have settings of their own, which only a group
// gives them, some cases may be missing: the run was interrupted, or the server could
// not do them.
func groupOf(r *experiment.Result) string {
	var names []string
	own := false
	for _, rr := range r.Routes {
		names = append(names, rr.Name)
		own = own || rr.Route != "" || rr.Settings != nil
	}
	for _, g := range experiment.Groups {
		var all []string
		for _, c := range g.Cases(r.Settings) {
			all = append(all, c.Name)
		}
		if slices.Equal(names, all) || own && g.Name != "seed" && within(names, all) {
			return g.Name
		}
	}
	return ""
}

// within reports whether all names are among others, in the same order.
func within(names, others []string) bool {
	for _, o := range others {
		if len(names) > 0 && names[0] == o {
			names = names[1:]
		}
	}
	return len(names) == 0
}

// uniq leaves out what was there before.
func uniq(names []string) (kept []string) {
	for _, n := range names {
		if !slices.Contains(kept, n) {
			kept = append(kept, n)
		}
	}
	return kept
}

// shortDuration is a duration as a flag takes it, without the zeros that
// time.Duration adds: 2m, not 2m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// shellQuote quotes a word for a POSIX shell where it needs it.
func shellQuote(word string) string {
	word = clean(word)
	harmless := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=,+", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !harmless(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
