package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

const sentencesTitle = "Before and after"

// sentences say what became of each route of a service, in a line: what its clients
// notice first. Where several runs say that a difference may be noise, so do they.
func (c *Comparison) sentences() (lines []string) {
	if c.A.Result.Service == nil || c.B.Result.Service == nil || c.A.Result.NotValid()+c.B.Result.NotValid() != "" {
		return nil
	}
	for _, r := range c.Routes {
		a, b := c.A.Result.Route(r.Name), c.B.Result.Route(r.Name)
		if a.Requests == 0 || b.Requests == 0 {
			continue
		}
		p99 := fmt.Sprintf("p99 %s → %s", words.Seconds(a.Latency.P99), words.Seconds(b.Latency.P99))
		i := slices.IndexFunc(r.Figures, func(f FigureComparison) bool { return f.Path == "latency_s.p99" })
		if i >= 0 && r.Figures[i].Verdict == Noise {
			p99 += " (may be noise)"
		}
		parts := []string{p99, fmt.Sprintf("answered %s → %s", words.Ratio(a.SuccessRatio), words.Ratio(b.SuccessRatio))}
		if a.SilentRatio != nil && b.SilentRatio != nil {
			parts = append(parts, fmt.Sprintf("idle in transaction %s → %s (%s → %s in all)", words.Ratio(*a.SilentRatio), words.Ratio(*b.SilentRatio),
				words.Seconds(a.Holds.SilentInTransaction), words.Seconds(b.Holds.SilentInTransaction)))
		}
		lines = append(lines, printable.Line(r.Name)+": "+strings.Join(parts, ", "))
	}
	return lines
}
