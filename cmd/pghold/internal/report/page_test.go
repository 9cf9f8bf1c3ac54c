package report

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// tracesOf are traces for every route of a result, with its number of requests.
func tracesOf(r *experiment.Result) map[string]*experiment.Trace {
	traces := map[string]*experiment.Trace{}
	for _, rr := range r.Routes {
		traces[rr.Name] = traceOf(rr.Requests)
	}
	return traces
}

// traceOf is what n requests did, of which the connections of a pool of 15 hold 7.5 a
// second.
func traceOf(n int) *experiment.Trace {
	t := &experiment.Trace{}
	for i := range n {
		sent := time.Duration(i) * 10 * time.Millisecond
		at := max(sent, time.Duration(i/15)*2*time.Second)
		c := experiment.Checkout{At: at, Wait: at - sent, Connection: 1 + i%15, Held: ms(2000), Busy: ms(1), SilentInTransaction: ms(1999)}
		req := experiment.Request{Sent: sent, Latency: at - sent + ms(2001)}
		if req.Latency > 30*time.Second {
			req.Latency, req.Outcome = 30*time.Second, experiment.ClientTimeout
		}
		t.Requests, t.Checkouts = append(t.Requests, req), append(t.Checkouts, c)
	}
	return t
}

func htmlOf(t testing.TB, r *experiment.Result, traces map[string]*experiment.Trace) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, r, traces); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// textOfPage is what a reader sees of a page, the words of pictures with it.
func textOfPage(page string) string {
	_, body, _ := strings.Cut(page, "<body>")
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, "\n"))
}

// The page has every figure of every table, and what else the other reports say.
func TestHTML_hasTheFigures(t *testing.T) {
	for name, r := range map[string]*experiment.Result{
		"measured": measured(), "interrupted": interrupted(), "partial": partial(), "groups": groups(), "seed": experiment.Seed(), "predicted": predicted(), "a prediction": aPrediction(),
	} {
		text := textOfPage(htmlOf(t, r, tracesOf(r)))
		has := func(what, want string) {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the page has no %s %q", name, what, want)
			}
		}
		for _, tb := range tables(r) {
			tb = tb.withoutEmptyColumns()
			for _, row := range tb.rows {
				has("route", row.route)
				if row.beside != "" {
					has("row", "\n"+row.beside+"\n")
				}
				for c, cl := range row.cells {
					if cl.text != "" {
						has(tb.columns[c].title(), "\n"+cl.text+"\n")
					}
				}
			}
		}
		for i := range r.Routes {
			rr := &r.Routes[i]
			if rr.Requests > 0 {
				has("summary", answered(rr)+" answered")
			}
			if n := rr.Holds.MaxWaiting; n > 0 {
				has("figure", "\nwaiting at most\n\n"+plainInt(n)+"\n")
				has("picture's words", "At most "+plainInt(n)+" waited")
			}
		}
		for _, n := range predictionNotes(r) {
			has("note of a prediction", ": "+n.sentence)
		}
		for title, list := range map[string][]conclusion{conclusionsTitle: conclusions(r), intervalsTitle: intervalsOf(r)} {
			for _, c := range list {
				has("title", "\n"+title+"\n")
				has("what follows", c.routes+"\n: "+c.sentence+"\n")
			}
		}
		for _, w := range r.Warnings {
			has("warning", w)
		}
		for _, s := range settingsParts(r) {
			has("setting", s)
		}
		has("command", r.Command())
		has("meaning", Meaning(r))
		if r.Interrupted {
			has("interruption", interruptedText)
		}
	}
}

// The page needs nothing but itself.
func TestHTML_isSelfContained(t *testing.T) {
	page := htmlOf(t, measured(), tracesOf(measured()))
	for _, bad := range []string{"http:", "https:", "<script", "javascript:", "@import", "url(", "<link", "<img", "src="} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	const policy = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`
	if !strings.Contains(page, policy) {
		t.Error("the page has no content security policy")
	}
	if got, want := strings.Count(page, `role="img"><title>`), 4*3+1; got != want {
		t.Errorf("%d pictures have a title, want %d", got, want)
	}
}

func TestHTML_saysWhatIsMissing(t *testing.T) {
	none := &experiment.Result{Kind: experiment.Measured, Settings: experiment.Defaults()}
	if page := htmlOf(t, none, nil); !strings.Contains(page, noRoutesText) || strings.Contains(page, "<table") || strings.Contains(page, "<article") {
		t.Errorf("no routes: got %s", page)
	}
	page := htmlOf(t, measured(), map[string]*experiment.Trace{
		measured().Routes[0].Name: {Requests: traceOf(5).Requests},
		measured().Routes[1].Name: {Checkouts: traceOf(5).Checkouts},
	})
	for _, want := range []string{"What its connections did was not kept", "Its requests were not kept one by one", "There is no trace of this route"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestCard_whileItRuns(t *testing.T) {
	c := CardData{
		Name: "async_session_sleep_inside_session@none", Settings: experiment.Defaults(), Running: true, Elapsed: ms(12345), Small: true,
	}
	draw := func() string {
		t.Helper()
		var b bytes.Buffer
		if err := Card(&b, c); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := draw(); !strings.Contains(got, "no request yet") || !strings.Contains(got, "Still running: 12.30 s so far") {
		t.Errorf("before the first: got %s", got)
	}
	c.Trace = &experiment.Trace{}
	if got := draw(); !strings.Contains(got, "0 of 500 answered so far") || strings.Count(got, "<svg") < 3 {
		t.Errorf("nothing has ended: got %s", got)
	}
	c.Trace = traceOf(300)
	for _, result := range []*experiment.RouteResult{nil, {
		Requests: 300, Outcomes: experiment.Outcomes{OK: 240, ClientTimeout: 60}, SuccessRatio: 0.8, Throughput: 6.5,
	}} {
		c.Result = result
		got := draw()
		for _, want := range []string{
			"240 of 500 answered so far, 60 client timeouts", "makes the slow call with its session open", "Still running",
			">30 s</text>", // both axes end where the settings say
		} {
			if !strings.Contains(got, want) {
				t.Errorf("the card does not say %q:\n%s", want, got)
			}
		}
	}

	c.Trace = traceOf(100_000)
	if got := len(draw()); got > 60<<10 {
		t.Errorf("the card of 100,000 requests has %d bytes, want at most 60 KB", got)
	}
}

func TestHTML_isBounded(t *testing.T) {
	r := measured()
	traces := map[string]*experiment.Trace{}
	for _, rr := range r.Routes {
		traces[rr.Name] = traceOf(100_000)
	}
	if got := len(htmlOf(t, r, traces)); got > 1<<20 {
		t.Errorf("the page of 400,000 requests has %d bytes, want at most 1 MB", got)
	}
}

// Nothing from outside becomes markup: the page has the elements and attributes of our
// templates and pictures, and no others.
func TestHostile_reachesNoHTML(t *testing.T) {
	r := hostileResult()
	page := htmlOf(t, r, tracesOf(r))
	var card bytes.Buffer
	if err := Card(&card, CardData{Name: hostile, Settings: r.Settings, Trace: traceOf(9), Running: true}); err != nil {
		t.Fatal(err)
	}
	for name, page := range map[string]string{"page": page, "card": card.String()} {
		for _, bad := range []string{"<script", "<!--", "\x1b", "\x07", "\u009b", "\u202e", "\x00", "\r", "ZgotmplZ", "\xff"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: %q is in it", name, bad)
			}
		}
		_, body, found := strings.Cut(page, "</head>")
		if !found {
			body = page
		}
		usual := regexp.MustCompile(`^</?(body|main|h[1-4]|p|section|div|span|ul|li|article|header|dl|dt|dd|table|caption|thead|tbody|tr|th|td|pre|code|b|svg|title|desc|path|text|html)( [a-zA-Z-]+="[^"<>]*")*/?>$`)
		for _, tag := range regexp.MustCompile(`<[^>]*>?`).FindAllString(body, -1) {
			if !usual.MatchString(tag) || strings.Contains(tag, " on") || strings.Contains(tag, "style=") {
				t.Errorf("%s: there is a tag %s", name, tag)
			}
		}
		if !strings.Contains(page, "&lt;script&gt;") {
			t.Errorf("%s: the text is not shown escaped", name)
		}
	}
}

// The file of a route has each of its requests, as the lab counts them.
func TestTraces(t *testing.T) {
	const name, other = "a_route", "another"
	hs := hits(name, 6, 2)
	hs[0], hs[1] = hs[1], hs[0]      // vegeta's files are in the order of the answers
	hs[3].Latency = 12 * time.Second // the server closed the connection
	hs[4].Code, hs[4].Latency = 503, 30*time.Second
	hs[5].Code, hs[5].Headers = 503, map[string][]string{"Retry-After": {"1"}}
	hs = append(hs, hits(name, 7, 0)[6], hits(name, 8, 8)[7])
	hs[6].Code = 429
	hs[7].Code = 399
	dir := runFolder(t, []string{name, other}, map[string][]vegeta.Result{name: hs})
	os.Remove(filepath.Join(dir, other+".bin"))
	checkouts := traceOf(3).Checkouts
	var b bytes.Buffer
	if err := experiment.WriteCheckouts(&b, checkouts); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, name+".checkouts.csv"), b.Bytes())

	r, err := rundir.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := rundir.Traces(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]*experiment.Trace{name: {Checkouts: checkouts, Requests: []experiment.Request{
		{Sent: 0, Latency: ms(2004)}, {Sent: ms(10), Latency: ms(2004) + us(1)},
		{Sent: ms(20), Latency: ms(30001), Outcome: experiment.ClientTimeout}, {Sent: ms(30), Latency: ms(12000), Outcome: experiment.Failed},
		{Sent: ms(40), Latency: ms(30000), Outcome: experiment.PoolTimeout}, {Sent: ms(50), Latency: ms(30001), Outcome: experiment.Failed},
		{Sent: ms(60), Latency: ms(30001), Outcome: experiment.Rejected}, {Sent: ms(70), Latency: ms(2004) + us(7)},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}

	write(t, filepath.Join(dir, name+".checkouts.csv"), []byte("hello"))
	if _, err := rundir.Traces(dir, r); err == nil || !strings.Contains(err.Error(), "is not a file of checkouts") || !strings.Contains(err.Error(), "pghold lab a_route again") {
		t.Errorf("got %v, want what is wrong and what to do", err)
	}
}

// The README's picture is what the command makes.
func TestPicture_isUpToDate(t *testing.T) {
	const dir, picture = "../../../../docs/results/seed", "../../../../docs/pictures/lanes.svg"
	r, err := rundir.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	traces, err := rundir.Traces(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Picture(&b, r, traces); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(picture)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("docs/pictures/lanes.svg is not up to date (%v): run go run ./cmd/pghold report docs/results/seed --format svg > docs/pictures/lanes.svg", err)
	}
	if err := Picture(io.Discard, r, nil); err == nil || !strings.Contains(err.Error(), "there is nothing to draw") {
		t.Errorf("without traces: got %v", err)
	}
}

// The picture is of the pair that the sentence is about.
func TestPicture_isOfWhatIsCompared(t *testing.T) {
	r := measured()
	own := r.Settings
	own.PoolSize = 40
	r.Routes[3].Settings = &own // its pair differs in more than where the session ends
	var b bytes.Buffer
	if err := Picture(&b, r, tracesOf(r)); err != nil {
		t.Fatal(err)
	}
	const want = "<title>Connections over time: sync_session_sleep_inside_session and sync_session_sleep_outside_session</title>"
	if !strings.Contains(Meaning(r), "(sync)") || !strings.Contains(b.String(), want) {
		t.Errorf("the picture of %q is %.300s", Meaning(r), b.String())
	}
	// Where nothing is compared, it is of the first two.
	r.Routes = r.Routes[:0:0]
	for _, name := range []string{"commit_before_call", "two_local_sessions", "autocommit_inside"} {
		r.Routes = append(r.Routes, experiment.RouteResult{Name: name, Requests: 500})
	}
	b.Reset()
	if err := Picture(&b, r, tracesOf(r)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"commit_before_call": true, "two_local_sessions": true, "autocommit_inside": false} {
		if strings.Contains(b.String(), name) != want {
			t.Errorf("%s is in the picture: %v", name, !want)
		}
	}
}

// Of two results it is of the route that was silent for longest, in both.
func TestPictureOfBoth(t *testing.T) {
	before, after := aService(), aService()
	after.Routes[0].Holds.SilentInTransaction = 0
	after.Routes = append(after.Routes, experiment.RouteResult{Name: "GET /new", Holds: experiment.Holds{SilentInTransaction: time.Hour}})
	a, b := tracesOf(before), tracesOf(after)
	a["GET /health"].Checkouts, b["GET /health"].Checkouts = []experiment.Checkout{}, []experiment.Checkout{}
	a["GET /new"] = b["GET /new"]
	var svg bytes.Buffer
	if err := PictureOfBoth(&svg, Side{"before", before}, Side{"after", after}, a, b); err != nil {
		t.Fatal(err)
	}
	if want := "<title>Connections over time: before: GET /checkout/{n} and after: GET /checkout/{n}</title>"; !strings.Contains(svg.String(), want) {
		t.Errorf("it is not %s: %.300s", want, svg.String())
	}
	b["GET /checkout/{n}"].Checkouts = nil // then there is another
	svg.Reset()
	if err := PictureOfBoth(&svg, Side{"before", before}, Side{"after", after}, a, b); err != nil || !strings.Contains(svg.String(), "after: GET /health") {
		t.Errorf("%v: %.300s", err, svg.String())
	}
	if err := PictureOfBoth(io.Discard, Side{"a", before}, Side{"b", after}, a, nil); err == nil || !strings.Contains(err.Error(), "there is nothing to draw") {
		t.Errorf("without traces: got %v", err)
	}
}

// Of a service it shows transactions beside the requests in flight, on as many connections
// as it had: what waits for a connection in the service is not seen.
func TestPicture_OfAService(t *testing.T) {
	r := aService()
	traces := tracesOf(r)
	held := traces["GET /checkout/{n}"]
	held.Checkouts = held.Checkouts[:15]
	traces["GET /health"].Checkouts = []experiment.Checkout{}
	var b bytes.Buffer
	if err := Picture(&b, r, traces); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GET /checkout/{n}", "GET /health", "connections in a transaction: at most 15 of 16", "connections in a transaction: none of 16", "requests in flight"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the picture does not say %q", want)
		}
	}
	for _, no := range []string{"waiting for a connection", "connections in use"} {
		if strings.Contains(b.String(), no) {
			t.Errorf("the picture says %q", no)
		}
	}
}

func BenchmarkHTML(b *testing.B) {
	r := measured()
	for _, n := range []int{500, 25_000} {
		traces := map[string]*experiment.Trace{}
		for _, rr := range r.Routes {
			traces[rr.Name] = traceOf(n)
		}
		b.Run(fmt.Sprintf("4x%d", n), func(b *testing.B) {
			for b.Loop() {
				if err := HTML(io.Discard, r, traces); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCard(b *testing.B) {
	c := CardData{Name: "async_session_sleep_inside_session", Settings: experiment.Defaults(), Trace: traceOf(500), Running: true, Small: true}
	for b.Loop() {
		if err := Card(io.Discard, c); err != nil {
			b.Fatal(err)
		}
	}
}
