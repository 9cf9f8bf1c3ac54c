package report

import (
	"slices"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// settingsParts are the settings, one part for each thing a reader may look for.
func settingsParts(r *experiment.Result) []string {
	s := r.Settings
	var parts []string
	for _, t := range experiment.Table() {
		switch text := said(t, s); {
		case r.Service != nil && !r.Service.Has(t):
		case text == "" || t.Off != "" && t.IsOff(s):
		case t.Flag == "duration":
			parts[0] += " for " + words.Plain(s.Duration)
		case t.Flag != "accounts" || slices.ContainsFunc(r.Routes, func(rr experiment.RouteResult) bool { return rr.Updates != nil }):
			parts = append(parts, text)
		}
	}
	if r.Repeat > 1 {
		parts = append(parts, "each route run "+plainInt(r.Repeat)+" times (the run with the median throughput is shown)")
	}
	if s.Speed != 1 {
		parts = append(parts, "run at "+words.Number(s.Speed)+" times the speed (all figures are in the experiment's own time)")
	}
	if sv := r.Service; sv != nil {
		if sv.Together {
			parts = append(parts, "to each route, alone and then at once")
		}
		if len(sv.Command) > 0 {
			parts = append(parts, "service: "+shorten(printable.Line(strings.Join(sv.Command, " ")), 120))
		}
		parts = append(parts, shorten(printable.Line(sv.Database), 120))
		silent := "idle in transaction " + words.Seconds(time.Duration(sv.SilentInTransaction)) + " in all, with the warm-up, by the tap"
		if sv.Sampled {
			silent = "sessions sampled, idle in transaction at least " + words.Seconds(time.Duration(sv.SilentInTransaction)) + " in all"
		}
		if sv.CountedByServer != nil {
			silent += ", " + words.Seconds(time.Duration(*sv.CountedByServer)) + " by the server's own counter"
		}
		return append(parts, silent)
	}
	if s.Postgres != "" {
		parts = append(parts, "Postgres "+shorten(printable.Line(s.Postgres), 40))
	}
	return parts
}

// said is one thing about settings, in text; "" where it is said with another, or is
// none of the question.
func said(t experiment.Setting, s experiment.Settings) string {
	switch t.Flag {
	case "rate":
		return words.Number(s.Rate) + " requests/s"
	case "slow":
		return slowWords(s)
	case "pool":
		return shorten(printable.Line(s.Pool), 40) + " of " + plainInt(s.PoolSize) + " + " + plainInt(s.MaxOverflow) + " overflow"
	}
	if t.Off != "" && t.IsOff(s) {
		return t.Off
	}
	switch v := t.In(s).(type) {
	case time.Duration:
		return strings.Replace(t.Words, "%s", words.Plain(v), 1)
	case int:
		return strings.Replace(t.Words, "%s", words.Count(v, t.Of), 1)
	}
	return t.Words
}

func slowWords(s experiment.Settings) string {
	text := "slow call " + words.Plain(s.Slow)
	switch s.SlowShape {
	case experiment.Fixed, "":
		return text
	case experiment.Lognormal:
		return text + " in the mean (lognormal)"
	case experiment.Stalls:
		return text + " (one in twenty stalls)"
	}
	return text + " (" + shorten(printable.Line(s.SlowShape), 40) + ")"
}

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
			each = append(each, difference{printable.Line(r.Routes[i].Name), strings.Join(own, ", ")})
		}
	}
	return all, each
}

// differing are the words for what s has and base has not.
func differing(s, base experiment.Settings) (parts []string) {
	for _, t := range experiment.Table() {
		if text := said(t, s); text != said(t, base) {
			parts = append(parts, text)
		}
	}
	return parts
}
