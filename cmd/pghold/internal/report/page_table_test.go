package report

import (
	"bytes"
	"encoding/json"
	"html"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// columnsOf are where result.json has what a column of the first table shows.
var columnsOf = []struct{ title, path string }{
	{"success", "success_ratio"}, {"throughput", "throughput_per_s"},
	{"latency: p50", "latency_s.p50"}, {"latency: p99", "latency_s.p99"}, {"latency: max", "latency_s.max"},
	{"connections: max", "connections.max"}, {"connections: silent", "connections.max_silent_in_transaction"},
}

// Read by row and column, the table has what result.json has of that route there.
func TestHTML_theTableHasTheResult(t *testing.T) {
	r := measured()
	measured, published := documentOf(t, r), documentOf(t, experiment.Seed())
	_, table, _ := strings.Cut(htmlOf(t, r, nil), "<table>")
	table, _, _ = strings.Cut(table, "</table>")
	head, body, _ := strings.Cut(table, "</thead>")
	titles := headOf(t, head)
	rows := regexp.MustCompile(`(?s)<tr[^>]*>(.*?)</tr>`).FindAllStringSubmatch(body, -1)
	if len(rows) != 2*len(r.Routes) || len(titles) != len(columnsOf) {
		t.Fatalf("%d rows and the columns %q, want two rows a route and %d columns", len(rows), titles, len(columnsOf))
	}
	for i, row := range rows {
		rr, from := r.Routes[i/2], measured
		label, wantLabel := firstOfMatch(row[1], `<th scope="row">([^<]*)</th>`), rr.Name
		if i%2 == 1 {
			from, wantLabel = published, seedLabel
		}
		if label != wantLabel {
			t.Fatalf("row %d is %q, want %q", i, label, wantLabel)
		}
		cells := regexp.MustCompile(`<td[^>]* data-of="([^"]*)">([^<]*)</td>`).FindAllStringSubmatch(row[1], -1)
		for c, cell := range cells {
			of, text := html.UnescapeString(cell[1]), html.UnescapeString(cell[2])
			if of != columnsOf[c].title || titles[c] != of {
				t.Errorf("column %d is %q, and %q on a phone; want %q", c, titles[c], of, columnsOf[c].title)
			}
			want, known := from[rr.Name+" "+columnsOf[c].path]
			if i%2 == 1 && strings.HasPrefix(columnsOf[c].path, "connections.") {
				if text != "" {
					t.Errorf("%s as published: %s is %q, which nobody published", rr.Name, of, text)
				}
				continue
			}
			if got := amount(t, text); !known || math.Abs(got-want) > 0.0006*want {
				t.Errorf("%s, %s: the page has %q, result.json %v", rr.Name, of, text, want)
			}
		}
	}
}

// documentOf are the figures of each route in the JSON of a result, by the route's name
// and the path in it.
func documentOf(t *testing.T, r *experiment.Result) map[string]float64 {
	t.Helper()
	var b bytes.Buffer
	if err := experiment.WriteResult(&b, r); err != nil {
		t.Fatal(err)
	}
	var doc struct{ Routes []map[string]any }
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	figures := map[string]float64{}
	for _, route := range doc.Routes {
		for _, c := range columnsOf {
			var at any = route
			for name := range strings.SplitSeq(c.path, ".") {
				within, _ := at.(map[string]any)
				at = within[name]
			}
			if v, ok := at.(float64); ok {
				figures[route["name"].(string)+" "+c.path] = v
			}
		}
	}
	return figures
}

// headOf are the titles of a table's columns, with those of their groups.
func headOf(t *testing.T, head string) (titles []string) {
	t.Helper()
	lines := strings.Split(head, "</tr>")
	if len(lines) < 2 {
		t.Fatalf("the header has not two lines: %s", head)
	}
	var groups []string
	for _, g := range regexp.MustCompile(`<t[hd](?: scope="colgroup")? colspan="(\d+)">([^<]*)<`).FindAllStringSubmatch(lines[0], -1) {
		span, _ := strconv.Atoi(g[1])
		for range span {
			groups = append(groups, g[2])
		}
	}
	for i, c := range regexp.MustCompile(`<th scope="col">([^<]*)</th>`).FindAllStringSubmatch(lines[1], -1)[1:] {
		if i < len(groups) && groups[i] != "" {
			c[1] = groups[i] + ": " + c[1]
		}
		titles = append(titles, c[1])
	}
	return titles
}

// firstOfMatch is what the parentheses of a pattern match first.
func firstOfMatch(s, pattern string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(s); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// amount is the number that a text shows, in seconds or as a ratio where it says so.
func amount(t *testing.T, text string) float64 {
	t.Helper()
	m := regexp.MustCompile(`^([0-9.]+)(?:[  ]?(%|ms|µs|s|/s))?$`).FindStringSubmatch(text)
	if m == nil {
		t.Errorf("%q is no figure", text)
		return math.NaN()
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Error(err)
	}
	return v * map[string]float64{"": 1, "%": 0.01, "ms": 1e-3, "µs": 1e-6, "s": 1, "/s": 1}[m[2]]
}

// Cards are drawn on the same axes, so that 3 waiters do not look like 485.
func TestHTML_hasSharedAxes(t *testing.T) {
	r := measured()
	r.Routes = r.Routes[2:]
	traces := map[string]*experiment.Trace{r.Routes[0].Name: waited(3, ms(7000)), r.Routes[1].Name: waited(485, ms(60_000))}
	r.Routes[0].Holds.MaxWaiting, r.Routes[1].Holds.MaxWaiting = 3, 485
	checkSharedAxes(t, htmlOf(t, r, traces))

	// The same of the cards of a page that shows the run while it runs.
	axes := PlannedAxes(experiment.CasesOf(experiment.RoutesOf("seed"), r.Settings))
	for i := range r.Routes {
		axes = axes.With(&r.Routes[i], traces[r.Routes[i].Name])
	}
	var b bytes.Buffer
	for i := range r.Routes {
		rr := &r.Routes[i]
		if err := Card(&b, CardData{Name: rr.Name, Settings: r.Settings, Result: rr, Trace: traces[rr.Name], Axes: axes}); err != nil {
			t.Fatal(err)
		}
	}
	checkSharedAxes(t, b.String())
}

// waited is a trace of so many who waited for a connection at once, the last of whom
// gave it back at a time.
func waited(n int, until time.Duration) *experiment.Trace {
	t := traceOf(1)
	for range n {
		t.Checkouts = append(t.Checkouts, experiment.Checkout{At: ms(2000), Wait: ms(1900), Connection: 1, Held: until - ms(2000)})
	}
	return t
}

// checkSharedAxes checks the cards of two routes: the one with 3 waiters and the one with
// 485.
func checkSharedAxes(t *testing.T, page string) {
	t.Helper()
	cards := strings.Split(page, "<article")[1:]
	if len(cards) != 2 {
		t.Fatalf("%d cards", len(cards))
	}
	few, many := waitersHeight(t, cards[0]), waitersHeight(t, cards[1])
	if few > 1 || many < 30 {
		t.Errorf("3 waiters are %v pixels high and 485 are %v", few, many)
	}
	ends := [2]string{}
	for i, c := range cards {
		lanes, _, _ := strings.Cut(c, "</svg>")
		ends[i] = lanes[strings.LastIndex(lanes, "<text"):]
	}
	if ends[0] != ends[1] {
		t.Errorf("the axes of time end with %s and %s", ends[0], ends[1])
	}
}

// waitersHeight is how high the area of waiters is in a card, in pixels.
func waitersHeight(t *testing.T, card string) float64 {
	t.Helper()
	area := firstOfMatch(card, `class="edge f waiting" d="([^"]*)"`)
	low, high := math.Inf(1), 0.0
	for _, y := range regexp.MustCompile(`(?:V|M[0-9.]+ )([0-9.]+)`).FindAllStringSubmatch(area, -1) {
		v, err := strconv.ParseFloat(y[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		low, high = min(low, v), max(high, v)
	}
	return high - low
}
