package report

import (
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/report/chart"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// CardData is one route, for a card with its figures and pictures.
type CardData struct {
	// Name is the route's or case's.
	Name string
	// Settings are those it is run with.
	Settings experiment.Settings
	// Result has its figures, while the route runs those so far. Where it is nil, the
	// figures are the few that Trace has.
	Result *experiment.RouteResult
	// Trace is what the pictures are drawn of; nil where it was not kept.
	Trace *experiment.Trace
	// Running is true while the route runs; Elapsed is how far it has come, in the
	// experiment's own time.
	Running bool
	Elapsed time.Duration
	// Axes are the ends of the axes. Where one is zero the settings say it, so that
	// all routes of the same settings have the same.
	Axes Axes
	// Small thins the pictures out, for a card that is sent again and again.
	Small bool
}

// Axes are where the axes of a card's pictures end. Cards on the same axes can be
// compared.
type Axes struct {
	Time     time.Duration        // of the connections
	Sent     time.Duration        // of when requests were sent
	Latency  time.Duration        // of the latencies
	Waiting  int                  // of the waiters
	Outcomes []experiment.Outcome // that have a row, whether they occur or not
}

// PlannedAxes are those of all cases that are to be run: as far as their settings reach.
// What cannot be known before, With adds.
func PlannedAxes(cases []experiment.Case) (a Axes) {
	for _, c := range cases {
		own := (&CardData{Settings: c.Settings}).axes()
		a.Time, a.Sent, a.Latency = max(a.Time, own.Time), max(a.Sent, own.Sent), max(a.Latency, own.Latency)
		a.Outcomes = own.Outcomes
	}
	return a
}

// With are axes on which there is room for what happened on a route, too.
func (a Axes) With(rr *experiment.RouteResult, t *experiment.Trace) Axes {
	a.Time = max(a.Time, rr.Elapsed, holdsEnd(t))
	a.Waiting = max(a.Waiting, rr.Holds.MaxWaiting, chart.MaxWaiting(t.Checkouts))
	a.Outcomes = slices.Clone(a.Outcomes)
	for _, req := range t.Requests {
		if !slices.Contains(a.Outcomes, req.Outcome) {
			a.Outcomes = append(a.Outcomes, req.Outcome)
		}
	}
	return a
}

// Equal reports whether two axes end at the same.
func (a Axes) Equal(b Axes) bool {
	return a.Time == b.Time && a.Sent == b.Sent && a.Latency == b.Latency && a.Waiting == b.Waiting && slices.Equal(a.Outcomes, b.Outcomes)
}

// axesOf are axes on which all routes of a result can be compared.
func axesOf(r *experiment.Result, traces map[string]*experiment.Trace) (a Axes) {
	a.Outcomes = []experiment.Outcome{experiment.OK}
	for i := range r.Routes {
		rr := &r.Routes[i]
		s := r.SettingsOf(rr)
		a.Sent = max(a.Sent, s.Duration)
		t := traces[rr.Name]
		if t == nil {
			continue
		}
		a = a.With(rr, t)
		end := chart.LatencyEnd(t.Requests, chart.Options{ClientTimeout: s.ClientTimeout})
		a.Latency = max(a.Latency, time.Duration(end*float64(time.Second)))
	}
	return a
}

// holdsEnd is when the last connection was given back.
func holdsEnd(t *experiment.Trace) (end time.Duration) {
	for _, c := range t.Checkouts {
		end = max(end, c.At, c.At+c.Held)
	}
	return end
}

// axes are those given, or what the settings say, and long enough for the holds:
// handlers may go on when their clients have gone.
func (c *CardData) axes() Axes {
	a, s := c.Axes, c.Settings
	if a.Time <= 0 {
		a.Time = s.Duration + s.ClientTimeout
	}
	if c.Trace != nil {
		a.Time = max(a.Time, holdsEnd(c.Trace))
	}
	if a.Sent <= 0 {
		a.Sent = s.Duration
	}
	if a.Latency <= 0 {
		a.Latency = s.ClientTimeout + s.ClientTimeout/25
	}
	if len(a.Outcomes) == 0 {
		a.Outcomes = []experiment.Outcome{experiment.OK, experiment.ClientTimeout}
	}
	return a
}

// card is what the template of a card shows.
type card struct {
	Name, About string
	Summary     string // in words
	Tone        string // of the summary
	Notes       []string
	Running     string // how far, where it still runs
	Figures     []figureIn
	Lanes       template.HTML // drawn by chart, which escapes
	Latencies   template.HTML
	Shares      template.HTML
	NoTrace     string // why there are no pictures
}

// figureIn is a figure with its name.
type figureIn struct{ Name, Value string }

// Card writes the card of a route, as an article of HTML. Its looks are in Style.
func Card(w io.Writer, c CardData) error { return cardTemplate.Execute(w, newCard(c)) }

func newCard(c CardData) card {
	shown := card{Name: shorten(printable.Line(c.Name), longestError), About: c.about()}
	if shown.Name == "" {
		shown.Name = "a route without a name"
	}
	switch {
	case c.Result != nil:
		shown.figures(c.Result)
		if c.Running {
			shown.soFarOf(c, c.Result.Requests, c.Result.Outcomes)
		}
	case c.Trace != nil:
		shown.soFar(c)
	default:
		shown.Summary = "no request yet"
	}
	if c.Running {
		shown.Running = "Still running: " + words.Seconds(c.Elapsed.Truncate(100*time.Millisecond)) + " so far."
	}
	shown.pictures(c)
	return shown
}

// about says what the route does, where this version knows it.
func (c *CardData) about() string {
	name, _, _ := strings.Cut(c.Name, "@")
	rr := experiment.RouteResult{Name: name}
	if c.Result != nil && c.Result.Route != "" {
		rr.Name = c.Result.Route
	}
	return rr.Of().Summary
}

// figures are those of a result, as the tables show them.
func (s *card) figures(rr *experiment.RouteResult) {
	s.summary(answered(rr)+" answered", rr.Outcomes)
	if rr.Requests == 0 {
		s.Summary = "no request was sent"
		return
	}
	s.Tone = toneClass(successTone(rr.SuccessRatio))
	if rr.NotValid != "" {
		s.Tone = toneClass(toneBad)
		s.Notes = append(s.Notes, "Not valid: "+shorten(printable.Line(rr.NotValid), 600))
	}
	if rr.DrainedAfter >= time.Second {
		s.Notes = append(s.Notes, "Handlers went on for "+words.Seconds(rr.DrainedAfter)+" after the last client had its answer or had left.")
	}
	s.Figures = []figureIn{
		{"success", words.Ratio(rr.SuccessRatio)}, {"throughput", words.PerSecond(rr.Throughput)},
		{"p50", words.Seconds(rr.Latency.P50)}, {"p99", words.Seconds(rr.Latency.P99)},
	}
	if rr.Connections.Max > 0 { // the server was looked at
		s.Figures = append(s.Figures, figureIn{"connections", plainInt(rr.Connections.Max)},
			figureIn{"silent at most", plainInt(rr.Connections.MaxSilentInTransaction)})
	}
	switch {
	case rr.Wire != nil && rr.SilentRatio != nil:
		s.Figures = append(s.Figures, figureIn{"idle in transaction", words.Ratio(*rr.SilentRatio)})
	case rr.Wire == nil && rr.Holds.Count > 0:
		s.Figures = append(s.Figures, figureIn{"waiting at most", plainInt(rr.Holds.MaxWaiting)})
	}
}

// soFar are the figures of a route that has no result yet.
func (s *card) soFar(c CardData) {
	var o experiment.Outcomes
	latencies := make([]time.Duration, 0, len(c.Trace.Requests))
	for _, r := range c.Trace.Requests {
		latencies = append(latencies, r.Latency)
		switch r.Outcome {
		case experiment.OK:
			o.OK++
		case experiment.ClientTimeout:
			o.ClientTimeout++
		case experiment.PoolTimeout:
			o.PoolTimeout++
		case experiment.Rejected:
			o.Rejected++
		default:
			o.Error++
		}
	}
	s.soFarOf(c, len(latencies), o)
	q := experiment.NewQuantiles(latencies)
	p50, p99 := words.None, words.None
	if len(latencies) > 0 {
		p50, p99 = words.Seconds(q.P50), words.Seconds(q.P99)
	}
	s.Figures = []figureIn{{"p50", p50}, {"p99", p99}, {"waiting at most", plainInt(chart.MaxWaiting(c.Trace.Checkouts))}}
}

// soFarOf is a summary of what has ended, of all requests that there will be.
func (s *card) soFarOf(c CardData, ended int, o experiment.Outcomes) {
	s.summary(plainInt(o.OK)+" of "+plainInt(max(c.Settings.Requests(), ended))+" answered so far", o)
	s.Tone, s.Notes = "", nil
}

// summary is a line in words: 240 of 500 answered, 260 client timeouts.
func (s *card) summary(answered string, o experiment.Outcomes) {
	parts := []string{answered}
	for _, f := range []struct {
		n     int
		thing string
	}{{o.ClientTimeout, "client timeout"}, {o.PoolTimeout, "pool timeout"}, {o.Error, "error"}} {
		if f.n > 0 {
			parts = append(parts, words.Count(f.n, f.thing))
		}
	}
	if o.Rejected > 0 {
		parts = append(parts, plainInt(o.Rejected)+" rejected")
	}
	s.Summary = strings.Join(parts, ", ")
}

func toneClass(t tone) string {
	switch t {
	case toneGood:
		return "good"
	case toneBad:
		return "bad"
	}
	return ""
}

// pictures draws what the trace has.
func (s *card) pictures(c CardData) {
	if c.Trace == nil {
		s.NoTrace = "There is no trace of this route: its requests were not kept, so there is no picture."
		return
	}
	a := c.axes()
	o := chart.Options{
		Name: s.Name, Time: a.Time, Latency: a.Latency, ClientTimeout: c.Settings.ClientTimeout,
		Lanes: c.Settings.Connections(), Waiting: a.Waiting, Outcomes: a.Outcomes,
	}
	if c.Result != nil && c.Result.Wire != nil {
		o.Lanes, o.InFlight = c.Result.Connections.Max, c.Trace.Requests
	}
	if c.Small {
		o.MaxDots = 600
	}
	if c.Running {
		o.Now = c.Elapsed
	} else if c.Result != nil {
		o.ClientsGone, o.MaxWaiting = c.Result.Elapsed, c.Result.Holds.MaxWaiting
	}
	if c.Trace.Checkouts != nil || c.Running {
		s.Lanes = template.HTML(chart.Lanes(c.Trace.Checkouts, o))
	} else {
		s.NoTrace = "What its connections did was not kept, so there is no picture of it."
	}
	if c.Trace.Requests != nil || c.Running {
		o.Time = a.Sent
		s.Latencies = template.HTML(chart.Latencies(c.Trace.Requests, o))
		s.Shares = template.HTML(chart.Distribution(c.Trace.Requests, o))
	} else {
		s.NoTrace = "Its requests were not kept one by one, so there is no picture of them."
	}
}

var cardTemplate = template.Must(template.New("card").Parse(`<article class="card{{with .Running}} running{{end}}">
<header><h3>{{.Name}}</h3>
{{with .About}}<p class="about">{{.}}</p>
{{end}}<p class="outcome {{.Tone}}">{{.Summary}}</p>
{{with .Running}}<p class="note">{{.}}</p>
{{end}}{{range .Notes}}<p class="note">{{.}}</p>
{{end}}{{with .Figures}}<dl class="figures">{{range .}}<div><dt>{{.Name}}</dt><dd>{{.Value}}</dd></div>{{end}}</dl>
{{end}}{{with .NoTrace}}<p class="empty">{{.}}</p>
{{end}}</header>
<div>{{with .Lanes}}<h4>Connections over time</h4>
{{.}}
{{end}}</div>
<div>{{with .Latencies}}<h4>Latency of each request, by when it was sent</h4>
{{.}}
{{end}}</div>
<div>{{with .Shares}}<h4>How latencies are distributed</h4>
{{.}}
{{end}}</div>
</article>
`))

// legendOf is the legend of a result.
func legendOf(r *experiment.Result) string {
	if r.Service != nil {
		var b strings.Builder
		legend(&b, "Connections", chart.Transactions(), "A low bar: in a transaction for less than half of that moment. The dashed line: the last client has gone.")
		legend(&b, "Requests", chart.Outcomes(), "The dashed line: the client timeout.")
		return b.String()
	}
	return Legend()
}

// Legend is HTML that says what the colours and shapes of cards mean.
func Legend() string {
	var b strings.Builder
	legend(&b, "Connections", chart.Connections(), "A low bar: held for less than half of that moment. The dashed line: the last client has gone, or now.")
	legend(&b, "Requests", chart.Outcomes(), "The dashed line: the client timeout.")
	return b.String()
}

func legend(b *strings.Builder, title string, marks []chart.Mark, note string) {
	b.WriteString(`<div class="legend"><span class="of">` + title + `</span><ul>`)
	for _, m := range marks {
		b.WriteString("<li>" + m.Swatch() + template.HTMLEscapeString(m.Words) + "</li>")
	}
	b.WriteString("</ul>")
	if note != "" {
		b.WriteString("<p>" + note + "</p>")
	}
	b.WriteString("</div>\n")
}
