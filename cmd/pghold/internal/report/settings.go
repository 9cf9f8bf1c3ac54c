package report

import (
	"slices"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// settingsParts are the settings, one part for each thing a reader may look for.
func settingsParts(r *experiment.Result) []string {
	s := r.Settings
	var parts []string
	for _, f := range facets(s) {
		if f.always || f.words != f.byDefault {
			parts = append(parts, f.words)
		}
	}
	parts[0], parts = parts[0]+" for "+plain(s.Duration), slices.Delete(parts, 1, 2)
	if slices.ContainsFunc(r.Routes, func(rr experiment.RouteResult) bool { return rr.Updates != nil }) {
		parts = append(parts, accountsWords(s))
	}
	if r.Repeat > 1 {
		parts = append(parts, "each route run "+plainInt(r.Repeat)+" times (the run with the median throughput is shown)")
	}
	if s.Speed != 1 {
		parts = append(parts, "run at "+number(s.Speed)+" times the speed (all figures are in the experiment's own time)")
	}
	if s.Postgres != "" {
		parts = append(parts, "Postgres "+shorten(clean(s.Postgres), 40))
	}
	return parts
}

// facet is one thing about settings, in words.
type facet struct {
	words     string
	always    bool   // worth saying, whatever it is
	byDefault string // the words for what is not worth saying
}

// facets are what the settings are about, in the same order for all settings. The
// first two are the rate and the length of the load.
func facets(s experiment.Settings) []facet {
	said := func(words string) facet { return facet{words: words, always: true} }
	unless := func(byDefault string, is bool, words string) facet {
		if is {
			words = byDefault
		}
		return facet{words: words, byDefault: byDefault}
	}
	return []facet{
		said(number(s.Rate) + " requests/s"),
		said(plain(s.Duration) + " of load"),
		said(slowWords(s)),
		said("client timeout " + plain(s.ClientTimeout)),
		said(shorten(clean(s.Pool), 40) + " of " + plainInt(s.PoolSize) + " + " + plainInt(s.MaxOverflow) + " overflow"),
		said("pool timeout " + plain(s.PoolTimeout)),
		said(plural(s.Threads, "thread")),
		unless("work goes on when its client leaves", !s.CancelOnDisconnect, "work cancelled when its client leaves"),
		unless("no limit of requests in flight", s.MaxInFlight == 0, "at most "+plural(s.MaxInFlight, "request")+" in flight"),
		unless("no idle in transaction timeout", s.IdleInTransactionTimeout == 0, "idle in transaction timeout "+plain(s.IdleInTransactionTimeout)),
		unless("no transaction timeout", s.TransactionTimeout == 0, "transaction timeout "+plain(s.TransactionTimeout)),
		unless("database on this machine", s.Distance == 0, "database "+plain(s.Distance)+" away"),
		unless("no PgBouncer", s.PgBouncer == 0, "PgBouncer with "+plural(s.PgBouncer, "server connection")),
	}
}

func slowWords(s experiment.Settings) string {
	words := "slow call " + plain(s.Slow)
	switch s.SlowShape {
	case experiment.Fixed, "":
		return words
	case experiment.Lognormal:
		return words + " in the mean (lognormal)"
	case experiment.Stalls:
		return words + " (one in twenty stalls)"
	}
	return words + " (" + shorten(clean(s.SlowShape), 40) + ")"
}

func accountsWords(s experiment.Settings) string { return plural(s.Accounts, "account") }

// difference is what is different about one route's settings.
type difference struct {
	route string
	words string
}

// differences say how the settings of routes differ from the result's: first what is
// different for all of them, then what is for each that differs further.
func differences(r *experiment.Result) (all string, each []difference) {
	count := map[string]int{}
	parts := make([][]string, len(r.Routes))
	for i := range r.Routes {
		parts[i] = differing(r.SettingsOf(&r.Routes[i]), r.Settings)
		for _, p := range parts[i] {
			count[p]++
		}
	}
	common := func(p string) bool { return count[p] == len(r.Routes) && len(r.Routes) > 1 }
	for i := range r.Routes {
		if i == 0 {
			all = strings.Join(slices.DeleteFunc(slices.Clone(parts[0]), func(p string) bool { return !common(p) }), ", ")
		}
		if own := slices.DeleteFunc(parts[i], common); len(own) > 0 {
			each = append(each, difference{clean(r.Routes[i].Name), strings.Join(own, ", ")})
		}
	}
	return all, each
}

// differing are the words for what s has and base has not.
func differing(s, base experiment.Settings) (parts []string) {
	from := facets(base)
	for i, f := range facets(s) {
		if f.words != from[i].words {
			parts = append(parts, f.words)
		}
	}
	if s.Accounts != base.Accounts {
		parts = append(parts, accountsWords(s))
	}
	return parts
}
