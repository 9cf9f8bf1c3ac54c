package report

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

const (
	conclusionsTitle = "What follows"
	intervalsTitle   = "Where the means are, with a probability of 95 %"
)

// conclusion is what follows for some routes, in words.
type conclusion struct{ routes, sentence string }

// conclusions are the result's, those of the same words in one.
func conclusions(r *experiment.Result) (cs []conclusion) {
	for _, c := range r.Conclusions {
		var names []string
		for _, n := range c.Cases {
			names = append(names, printable.Line(n))
		}
		routes, sentence := strings.Join(names, ", "), shorten(printable.Line(c.Sentence), 1000)
		same := false
		for i := range cs {
			if cs[i].sentence == sentence {
				cs[i].routes += ", " + routes
				same = true
			}
		}
		if !same {
			cs = append(cs, conclusion{routes, sentence})
		}
	}
	return cs
}

// intervalsOf are the intervals of each route that has some, in words.
func intervalsOf(r *experiment.Result) (cs []conclusion) {
	between := func(i [2]float64, show func(float64) string) string {
		if low, high := show(i[0]), show(i[1]); low != high {
			return low + " to " + high
		}
		return show(i[0])
	}
	latency := func(s float64) string { return words.Short(time.Duration(s * float64(time.Second))) }
	for _, rr := range r.Routes {
		i := rr.Interval
		if len(i) == 0 {
			continue
		}
		cs = append(cs, conclusion{printable.Line(rr.Name), fmt.Sprintf("success %s, throughput %s, p50 %s, p99 %s",
			between(i["success_ratio"], words.Ratio), between(i["throughput_per_s"], words.PerSecond),
			between(i["latency_s.p50"], latency), between(i["latency_s.p99"], latency))})
	}
	return cs
}

// beforeUnit is the space between a number and its unit, at which no line is broken.
var beforeUnit = regexp.MustCompile(`([0-9]) (s|ms|µs|%)`)

func textList(title string, cs []conclusion, width int, p palette) string {
	if len(cs) == 0 {
		return ""
	}
	lines := []string{p.paint(toneTitle, wrap(title, width, ""))}
	for _, c := range cs {
		sentence := beforeUnit.ReplaceAllString(c.sentence, "$1"+glue+"$2")
		lines = append(lines, wrap(glue+glue+c.routes+": "+sentence, width, "    "))
	}
	return strings.Join(lines, "\n") + "\n"
}

func markdownList(b *strings.Builder, title string, cs []conclusion) {
	if len(cs) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", title)
	for _, c := range cs {
		fmt.Fprintf(b, "- %s: %s\n", code(c.routes), escape(c.sentence))
	}
	b.WriteString("\n")
}
