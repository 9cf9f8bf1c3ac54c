package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

const sentencesTitle = "Before and after"

// sentences say what became of each route of a service, in a line: what its clients
// notice first. Where several runs say that a difference may be noise, so do they.
func (c *Comparison) sentences() (lines []string) {
	if c.A.Result.Service == nil || c.B.Result.Service == nil {
		return nil
	}
	for _, r := range c.Routes {
		a, b := c.A.Result.Route(r.Name), c.B.Result.Route(r.Name)
		if a.Requests == 0 || b.Requests == 0 || a.NotValid+b.NotValid != "" {
			continue
		}
		// of is a figure of both, in words: that of the tables, where they have it.
		of := func(path string) (text string, noise bool) {
			i := slices.IndexFunc(r.Figures, func(f FigureComparison) bool { return f.Path == path })
			if i < 0 || r.Figures[i].A.Runs == 0 || r.Figures[i].B.Runs == 0 {
				return "", false
			}
			f := r.Figures[i]
			return f.A.shown(f.of) + " → " + f.B.shown(f.of), f.Verdict == Noise
		}
		var parts []string
		if p99, noise := of("latency_s.p99"); p99 != "" {
			parts = append(parts, "p99 "+p99)
			if noise {
				parts[0] += " (may be noise)"
			}
		}
		if success, _ := of("success_ratio"); success != "" {
			parts = append(parts, "answered "+success)
		}
		ratio, _ := of("silent_in_transaction_ratio")
		if sum, _ := of("holds.silent_in_transaction_s"); ratio != "" && sum != "" {
			parts = append(parts, "idle in transaction "+ratio+" ("+sum+" in all)")
		}
		lines = append(lines, printable.Line(r.Name)+": "+strings.Join(parts, ", "))
	}
	return lines
}

// serviceChange is what differs about a service, in words. name is that in JSON.
type serviceChange struct{ name, label, a, b string }

func (ch serviceChange) change() Change {
	return Change{ch.label + shorten(printable.Line(ch.a), 200), shorten(printable.Line(ch.b), 200)}
}

func differ(all ...serviceChange) []serviceChange {
	return slices.DeleteFunc(all, func(ch serviceChange) bool { return ch.a == ch.b })
}

// serviceChanges are those of two services as a whole.
func serviceChanges(a, b *experiment.Result) []serviceChange {
	if a.Service == nil || b.Service == nil {
		return nil
	}
	command := func(s *experiment.Service) string {
		return cmp.Or(strings.Join(s.Command, " "), "one that ran already")
	}
	flags := func(s *experiment.Service) string { return cmp.Or(strings.Join(s.Flags, " "), "none") }
	database := func(r *experiment.Result) string { // its version is among the settings
		return strings.TrimSuffix(strings.TrimSuffix(r.Service.Database, " "+r.Settings.Postgres), ", Postgres")
	}
	together := func(s *experiment.Service) string {
		if s.Together {
			return "alone, and then at once"
		}
		return "one after the other"
	}
	return differ(
		serviceChange{"command", "service: ", command(a.Service), command(b.Service)},
		serviceChange{"flags", "other flags: ", flags(a.Service), flags(b.Service)},
		serviceChange{"database", "database: ", database(a), database(b)},
		serviceChange{"together", "routes attacked ", together(a.Service), together(b.Service)},
	)
}

// attackChanges are those of what was sent to a route.
func attackChanges(a, b *experiment.Result, route string) []serviceChange {
	if a.Service == nil || b.Service == nil {
		return nil
	}
	sent := func(s *experiment.Service) string {
		var all []string
		for _, t := range s.Attacks {
			if t.Name != route && experiment.Alone(t.Name) != route {
				continue
			}
			text := t.Method + " " + t.URL
			if t.Body > 0 {
				text += " with " + words.Count(t.Body, "byte")
			}
			all = append(all, text)
		}
		return strings.Join(all, ", ")
	}
	return differ(serviceChange{"attack", "", sent(a.Service), sent(b.Service)})
}
