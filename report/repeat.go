package report

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pghold/pghold/experiment"
)

// repeatCommand is the command line that asks the result's question again. It
// has the flags that differ from the defaults, and the routes where they are not
// all there are.
func repeatCommand(r *experiment.Result) string {
	words := []string{"pghold", "lab"}
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
	if s.CancelOnDisconnect != d.CancelOnDisconnect {
		words = append(words, "--cancel-on-disconnect="+strconv.FormatBool(s.CancelOnDisconnect))
	}
	add(s.Speed != d.Speed && finite(s.Speed), "speed", float(s.Speed))

	var named, all []string
	for _, rr := range r.Routes {
		named = append(named, rr.Name)
	}
	for _, route := range experiment.Routes {
		all = append(all, route.Name)
	}
	if len(named) > 0 && !slices.Equal(named, all) {
		if slices.ContainsFunc(named, func(n string) bool { return strings.HasPrefix(n, "-") }) {
			words = append(words, "--") // the names are from a file: none may be a flag
		}
		for _, n := range named {
			words = append(words, shellQuote(n))
		}
	}
	return strings.Join(words, " ")
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
