package chart

import (
	"fmt"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Mark is one kind of thing in a picture, and how it looks.
type Mark struct {
	Class string // in CSS
	Words string // for a legend and for sentences
	// What it looks like on a light page and on a dark one. The colours are near to
	// Okabe and Ito's, who chose them for those who see no red or no green, and those of
	// one legend differ for them too.
	light, dark string
	shape       string // of a dot; empty: an area
}

// The marks there are. Where two of them are the same thing, a wait for a connection
// in a lane and in a bar, they have the same colour.
var (
	busy     = Mark{"busy", "busy with SQL", "#0072b2", "#6cc0f0", ""}
	silentTx = Mark{"silent-tx", "silent in transaction", "#d55e00", "#f0803c", ""}
	silent   = Mark{"silent", "silent", "#e3b505", "#f5d565", ""}
	free     = Mark{"free", "free", "#eaedf0", "#2a3038", ""}
	waiting  = Mark{"waiting", "waiting for a connection", "#9e3a78", "#c77bb0", ""}

	threadWait = Mark{"thread-wait", "waiting for a thread", "#373d45", "#d5dae0", ""}
	poolWait   = Mark{"waiting", "waiting for a connection", waiting.light, waiting.dark, ""}
	sql        = Mark{"busy", "SQL", busy.light, busy.dark, ""}
	slow       = Mark{"slow", "slow call", "#3aa597", "#1f8577", ""}

	outcomes = map[experiment.Outcome]Mark{
		experiment.OK:            {"ok", "answered", "#007a56", "#2fc795", "round"},
		experiment.ClientTimeout: {"client-timeout", "client timeout", "#9a1750", "#ff8fae", "cross"},
		experiment.PoolTimeout:   {"pool-timeout", "pool timeout", "#4636a8", "#a99cf5", "triangle"},
		experiment.Rejected:      {"rejected", "rejected", "#77770f", "#d0d060", "square"},
		experiment.Failed:        {"failed", "error", "#1b1f24", "#f4f6f8", "plus"},
	}
	outcomeOrder = []experiment.Outcome{experiment.OK, experiment.ClientTimeout, experiment.PoolTimeout, experiment.Rejected, experiment.Failed}
)

// Connections are the marks of what connections do, Waits those of where requests
// spend their time, and Outcomes those of how they end, as a legend has them.
func Connections() []Mark { return []Mark{busy, silentTx, silent, free, waiting} }

// Transactions are Connections of a picture that has requests in flight.
func Transactions() []Mark {
	inFlight, outside := waiting, free
	inFlight.Words, outside.Words = "requests in flight", "in no transaction"
	return []Mark{busy, silentTx, outside, inFlight}
}

// Waits are the marks of where requests spend their time.
func Waits() []Mark { return []Mark{threadWait, poolWait, sql, slow} }

// Outcomes are the marks of how requests end.
func Outcomes() (ms []Mark) {
	for _, o := range outcomeOrder {
		ms = append(ms, outcomes[o])
	}
	return ms
}

// countOutcome says how many requests ended so: 240 answered, 1 client timeout.
func countOutcome(n int, o experiment.Outcome) string {
	text := outcomes[o].Words
	switch o {
	case experiment.OK, experiment.Rejected:
		return fmt.Sprintf("%d %s", n, text)
	}
	return words.Count(n, text)
}

// known is the outcome, or Failed where there is no such.
func known(o experiment.Outcome) experiment.Outcome {
	if _, ok := outcomes[o]; !ok {
		return experiment.Failed
	}
	return o
}

// ink are the colours of what is no mark. Text has a contrast of at least 4.5 to
// paper and card.
var ink = []struct{ name, light, dark string }{
	{"paper", "#f6f7f9", "#0f1216"}, // of a page
	{"card", "#ffffff", "#181c22"},  // of a picture
	{"text", "#1b1f24", "#e8ecf0"},
	{"quiet", "#59616b", "#a0a8b2"}, // text that the eye may skip
	{"line", "#c9ced5", "#3c444e"},
}

// Variables are the colours as CSS custom properties, light, and dark where that is
// preferred.
func Variables(selector string) string {
	var light, dark strings.Builder
	for _, i := range ink {
		fmt.Fprintf(&light, "--%s:%s;", i.name, i.light)
		fmt.Fprintf(&dark, "--%s:%s;", i.name, i.dark)
	}
	seen := map[string]bool{}
	for _, m := range append(append(Connections(), Waits()...), Outcomes()...) {
		if !seen[m.Class] {
			fmt.Fprintf(&light, "--%s:%s;", m.Class, m.light)
			fmt.Fprintf(&dark, "--%s:%s;", m.Class, m.dark)
		}
		seen[m.Class] = true
	}
	return selector + "{color-scheme:light dark;" + light.String() + "}\n@media screen and (prefers-color-scheme:dark){" + selector + "{" + dark.String() + "}}\n"
}

// Style is the CSS that a page with pictures needs beside Variables.
func Style() string {
	var b strings.Builder
	b.WriteString(`.pghold text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;fill:var(--text)}
.pghold text.q{fill:var(--quiet)}
.pghold text.b{font-weight:600}
.pghold text.over{paint-order:stroke;stroke:var(--card);stroke-width:3px;stroke-linejoin:round}
.pghold path{fill:none}
.pghold .paper{fill:var(--card)}
.pghold .line{stroke:var(--line)}
.pghold .dash{stroke:var(--quiet);stroke-dasharray:4 3}
.pghold .plain{stroke:var(--quiet);stroke-width:1.4}
.pghold .grid{stroke:var(--line);stroke-dasharray:1 3}
.pghold .edge{shape-rendering:crispEdges}
.pghold .dot{stroke-width:1.4}
.pghold .round{stroke-width:3.4;stroke-linecap:round}
`)
	seen := map[string]bool{}
	for _, m := range append(append(Connections(), Waits()...), Outcomes()...) {
		if !seen[m.Class] {
			fmt.Fprintf(&b, ".pghold .s.%s{stroke:var(--%[1]s)}.pghold .f.%[1]s{fill:var(--%[1]s)}\n", m.Class)
		}
		seen[m.Class] = true
	}
	return b.String()
}

// Swatch is a picture of a mark, for a legend beside its words.
func (m Mark) Swatch() string {
	c := newCanvas(14, 14)
	m.swatch(c, 0, 0)
	return `<svg class="pghold swatch" viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">` + c.String() + `</svg>`
}

func (m Mark) swatch(c *canvas, x, y float64) {
	if m.shape == "" {
		class := "f " + m.Class
		if m == free {
			class += " line"
		}
		c.rect(x+1, y+2, 12, 10, class)
		return
	}
	d := &dots{mark: m}
	d.add(c, x+7, y+7)
	c.raw(d.String())
}
