package httphold

import (
	"fmt"
	"strings"
	"time"

	"github.com/pghold/pghold"
)

// verdict is what the page says first, in a sentence: of the pool that is worst off.
type verdict struct {
	Pool, Text string
	Bad        bool

	weight float64
}

const (
	// waitsFor is how long a hold has to be silent now until it is said to wait for
	// something else than the database: as long as the gap that holdtest minds.
	waitsFor = 100 * time.Millisecond
	// trifle is how many callers may wait at a moment, on average, until it is said that
	// they do.
	trifle = 0.01
)

func newVerdict(s *pghold.Snapshot) (worst verdict) {
	for _, p := range s.Pools {
		if v := judge(s, p); worst.Text == "" || v.weight > worst.weight {
			worst = v
			worst.Pool = p.Name
		}
	}
	return worst
}

func judge(s *pghold.Snapshot, p pghold.PoolSnapshot) verdict {
	elsewhere := 0
	for _, h := range s.Open {
		if h.Pool == p.Name && waitsElsewhere(h) {
			elsewhere++
		}
	}
	waiting, known := 0.0, p.Open > 0 || p.Max > 0 // at a moment, on average
	var said []string
	if len(s.Windows) > 0 {
		w := s.Windows[0]
		var waits pghold.PoolWaits
		for _, of := range w.Pools {
			if of.Pool == p.Name {
				waits, known = of, true
			}
		}
		switch rate := float64(waits.Waits) / w.Duration.Seconds(); {
		case !known:
		case waits.Waits == 0:
			said = append(said, "nobody had to wait for one in the "+spell(w))
		case rate >= 1:
			said = append(said, fmt.Sprintf("%.1f requests/s had to wait for one in the %s, %s each", rate, spell(w), mean(waits)))
		default:
			said = append(said, fmt.Sprintf("%s had to wait for one in the %s, %s each", requests(int(waits.Waits)), spell(w), mean(waits)))
		}
		waiting = waits.WaitTime.Seconds() / w.Duration.Seconds()
	}
	switch {
	case p.Waiting > 0:
		said = append(said, requests(p.Waiting)+map[bool]string{false: " now", true: " seen to do so now"}[p.CountsOnly])
	case len(said) == 0 && p.CountsOnly && elsewhere == 0:
		return verdict{Text: held(p.Used(), p) + "; who waits is not known."}
	case len(said) == 0 && p.CountsOnly:
		said = append(said, "who waits is not known")
	case len(said) == 0:
		said = append(said, "nobody waits now")
	}
	waits := strings.Join(said, ", ")
	waiting += float64(p.Waiting)
	switch {
	case p.Deadlock:
		return verdict{Text: fmt.Sprintf("Nobody gets one of the %s: all are held by requests that wait for another.", all(p)), Bad: true, weight: 1e12}
	case elsewhere > 0:
		return verdict{Text: fmt.Sprintf("%s by requests that wait for something else; %s.", held(elsewhere, p), waits), Bad: waiting >= trifle, weight: 1e6*waiting + float64(elsewhere)}
	case waiting >= trifle:
		return verdict{Text: fmt.Sprintf("Requests wait for one of the %s, and none that has one waits for something else: %s.", all(p), waits), Bad: true, weight: 1e3 * waiting}
	}
	return verdict{Text: fmt.Sprintf("Nothing waits: %s, and %s.", held(p.Used(), p), waits), weight: waiting}
}

// waitsElsewhere reports whether who has a hold waits for something else than the database.
func waitsElsewhere(h pghold.Hold) bool {
	if h.Intended || h.Running {
		return false
	}
	for _, c := range h.SlowCalls {
		if c.Open {
			return true
		}
	}
	return h.OwnWait != nil || h.LongestGap.Before == (pghold.Site{}) && h.LongestGap.Duration >= waitsFor
}

// held is "12 of 15 connections of main are held".
func held(n int, p pghold.PoolSnapshot) string {
	are := map[bool]string{true: "is", false: "are"}[n == 1]
	if p.Max == 0 {
		return fmt.Sprintf("%s of %s %s held", connections(n), p.Name, are)
	}
	return fmt.Sprintf("%d of %s %s held", n, all(p), are)
}

// all is "15 connections of main".
func all(p pghold.PoolSnapshot) string {
	return connections(max(p.Max, p.Used())) + " of " + p.Name
}

func connections(n int) string { return plural(n, "connection") }
func requests(n int) string    { return plural(n, "request") }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func mean(w pghold.PoolWaits) string { return seconds(w.WaitTime / time.Duration(max(1, w.Waits))) }
