package chart

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/golden"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// few are three holds on two connections, one who waited and one who waited in vain.
func few() []experiment.Checkout {
	return []experiment.Checkout{
		{At: 0, Connection: 1, Held: ms(2000), Busy: ms(1), SilentInTransaction: ms(1999)},
		{At: ms(100), Connection: 2, Held: ms(1000), Busy: ms(500), SilentInTransaction: ms(250)},
		{At: ms(2000), Connection: 1, Wait: ms(1500), Held: ms(2), Busy: ms(1)},
		{At: ms(3000), Wait: ms(2000)},
	}
}

// someRequests have one of each outcome, and a second that was answered.
func someRequests() []experiment.Request {
	return []experiment.Request{
		{Sent: 0, Latency: ms(2000)}, {Sent: ms(10), Latency: ms(2004)},
		{Sent: ms(20), Latency: ms(30000), Outcome: experiment.ClientTimeout},
		{Sent: ms(30), Latency: ms(27500), Outcome: experiment.PoolTimeout},
		{Sent: ms(40), Latency: ms(1), Outcome: experiment.Rejected},
		{Sent: ms(50), Latency: ms(500), Outcome: experiment.Failed},
	}
}

func split(thread, pool, busy, slow int) experiment.TimeSplit {
	return experiment.TimeSplit{ThreadWait: ms(thread), PoolWait: ms(pool), Busy: ms(busy), Slow: ms(slow)}
}

func TestGolden(t *testing.T) {
	o := Options{Name: "a <route>", Width: 320, ClientTimeout: 30 * time.Second, Lanes: 3, Waiting: 4}
	alone := o
	alone.Standalone = true
	running := o
	running.Now, running.Time, running.Latency = ms(2500), 35*time.Second, 31*time.Second
	for file, got := range map[string]string{
		"lanes.svg":              Lanes(few(), o),
		"lanes_alone.svg":        Lanes(few(), alone),
		"lanes_running.svg":      Lanes(few(), running),
		"lanes_empty.svg":        Lanes(nil, Options{}),
		"lanes_areas.svg":        Lanes(few(), Options{Lanes: 100}),
		"beside.svg":             LanesBeside([]Panel{{Name: "a", Words: "1 of 2 answered", Checkouts: few()}, {Name: "b"}}, Options{Width: 700, Standalone: true}),
		"latencies.svg":          Latencies(someRequests(), o),
		"latencies_alone.svg":    Latencies(someRequests(), alone),
		"latencies_empty.svg":    Latencies(nil, Options{}),
		"distribution.svg":       Distribution(someRequests(), o),
		"distribution_empty.svg": Distribution(nil, o),
		"times.svg":              Times([]TimeRow{{"a", split(100, 200, 1, 2000)}, {"b", split(0, 0, 0, 0)}}, o),
		"times_empty.svg":        Times(nil, alone),
	} {
		t.Run(file, func(t *testing.T) {
			check(t, got)
			golden.Equal(t, file, strings.ReplaceAll(got, "><", ">\n<")) // for a diff that can be read
		})
	}
}

// failer is a testing.T or a rapid.T.
type failer interface {
	Fatalf(format string, args ...any)
}

// check fails where a picture is not well-formed, has no words, or has a coordinate
// that is none or outside.
func check(t failer, svg string) {
	var w, h float64
	title, desc := "", ""
	element := ""
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v in\n%s", err, svg)
		}
		switch e := token.(type) {
		case xml.CharData:
			for _, r := range string(e) {
				if !unicode.IsPrint(r) && r != '\n' {
					t.Fatalf("%q is in the text %q", r, e)
				}
			}
			switch element {
			case "title":
				title += string(e)
			case "desc":
				desc += string(e)
			}
		case xml.EndElement:
			element = ""
		case xml.StartElement:
			element = e.Name.Local
			if !slices.Contains([]string{"svg", "title", "desc", "style", "rect", "path", "text"}, element) {
				t.Fatalf("there is an element %s", element)
			}
			at := map[string]string{}
			for _, a := range e.Attr {
				at[a.Name.Local] = a.Value
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") {
					t.Fatalf("there is an attribute %s", a.Name.Local)
				}
			}
			inside := func(what string, v, most float64) {
				if math.IsNaN(v) || v < -0.11 || v > most+0.11 {
					t.Fatalf("%s %v is outside of 0 to %v, in %v", what, v, most, at)
				}
			}
			switch element {
			case "svg":
				if _, err := fmt.Sscanf(at["viewBox"], "0 0 %g %g", &w, &h); err != nil || at["role"] != "img" {
					t.Fatalf("viewBox %q, role %q", at["viewBox"], at["role"])
				}
			case "text":
				x, errX := strconv.ParseFloat(at["x"], 64)
				y, errY := strconv.ParseFloat(at["y"], 64)
				if errX != nil || errY != nil {
					t.Fatalf("x %q, y %q", at["x"], at["y"])
				}
				inside("x", x, w)
				inside("y", y, h)
			case "path":
				walk(t, at["d"], func(x, y float64) { inside("x", x, w); inside("y", y, h) })
			}
		}
	}
	if strings.TrimSpace(title) == "" || strings.TrimSpace(desc) == "" {
		t.Fatalf("title %q, desc %q", title, desc)
	}
	if strings.Contains(title+desc, "NaN") || strings.Contains(title+desc, "Inf") {
		t.Fatalf("title %q, desc %q", title, desc)
	}
}

var command = regexp.MustCompile(`([MmLlHhVvz])|(-?[0-9]+(?:\.[0-9]+)?)|[ ]|(.)`)

// walk follows a path.
func walk(t failer, d string, at func(x, y float64)) {
	x, y, x0, y0 := 0.0, 0.0, 0.0, 0.0
	op := ""
	var args []float64
	for _, m := range command.FindAllStringSubmatch(d, -1) {
		switch {
		case m[3] != "":
			t.Fatalf("%q in the path %s", m[3], d)
		case m[1] != "":
			op, args = m[1], nil
			if op == "z" {
				x, y = x0, y0
			}
			continue
		case m[2] != "":
			v, _ := strconv.ParseFloat(m[2], 64)
			args = append(args, v)
		default:
			continue
		}
		switch {
		case op == "H":
			x = args[0]
		case op == "h":
			x += args[0]
		case op == "V":
			y = args[0]
		case op == "v":
			y += args[0]
		case len(args) < 2:
			continue
		case op == "M" || op == "L":
			x, y = args[0], args[1]
		case op == "m" || op == "l":
			x, y = x+args[0], y+args[1]
		default:
			t.Fatalf("%v after %q in the path %s", args, op, d)
		}
		if op == "M" || op == "m" {
			x0, y0 = x, y
		}
		args = nil
		at(x, y)
	}
}

// durations are any, most of them such as occur.
func durations() *rapid.Generator[time.Duration] {
	usual := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "d"))
	})
	return rapid.OneOf(usual, usual, rapid.Just(time.Duration(0)), rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64().Draw(t, "any"))
	}))
}

func options() *rapid.Generator[Options] {
	return rapid.Custom(func(t *rapid.T) Options {
		d := durations()
		return Options{
			Name: rapid.String().Draw(t, "name"), Width: rapid.IntRange(-10, 3000).Draw(t, "width"),
			Time: d.Draw(t, "time"), Latency: d.Draw(t, "latency"), ClientTimeout: d.Draw(t, "timeout"),
			Lanes: rapid.IntRange(-1, 60).Draw(t, "lanes"), Waiting: rapid.IntRange(-1, 1000).Draw(t, "waiting"),
			MaxWaiting: rapid.IntRange(-1, 1000).Draw(t, "max waiting"), Now: d.Draw(t, "now"), ClientsGone: d.Draw(t, "gone"),
			MaxDots: rapid.IntRange(-1, 20).Draw(t, "dots"), Standalone: rapid.Bool().Draw(t, "alone"),
			Outcomes: rapid.SliceOfN(rapid.Custom(outcome), 0, 3).Draw(t, "outcomes"),
		}
	})
}

func outcome(t *rapid.T) experiment.Outcome {
	return experiment.Outcome(rapid.IntRange(-1, 6).Draw(t, "outcome"))
}

// Whatever happened, every picture can be drawn, and nothing is outside of it.
func TestPictures_areWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := durations()
		checkouts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) experiment.Checkout {
			return experiment.Checkout{
				At: d.Draw(t, "at"), Wait: d.Draw(t, "wait"), Held: d.Draw(t, "held"), Busy: d.Draw(t, "busy"),
				SilentInTransaction: d.Draw(t, "silent"),
				Connection:          rapid.OneOf(rapid.IntRange(0, 5), rapid.IntRange(0, 80), rapid.Int()).Draw(t, "connection"),
			}
		}), 0, 60).Draw(t, "checkouts")
		requests := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) experiment.Request {
			return experiment.Request{Sent: d.Draw(t, "sent"), Latency: d.Draw(t, "latency"), Outcome: outcome(t)}
		}), 0, 60).Draw(t, "requests")
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) TimeRow {
			return TimeRow{rapid.String().Draw(t, "row"), experiment.TimeSplit{
				ThreadWait: d.Draw(t, "thread"), PoolWait: d.Draw(t, "pool"), Busy: d.Draw(t, "busy"), Slow: d.Draw(t, "slow"),
			}}
		}), 0, 5).Draw(t, "rows")
		o := options().Draw(t, "options")
		check(t, Lanes(checkouts, o))
		check(t, LanesBeside([]Panel{{Name: o.Name, Words: o.Name, Checkouts: checkouts}, {Checkouts: checkouts, ClientsGone: o.Now}}, o))
		check(t, Latencies(requests, o))
		check(t, Distribution(requests, o))
		check(t, Times(rows, o))
	})
}

// While a route runs, who waits for a connection is not told to have got none.
func TestLanes_tellWhoWaitsNow(t *testing.T) {
	checkouts := []experiment.Checkout{
		{At: ms(1000), Connection: 1, Held: ms(3000)}, {At: ms(3000), Wait: ms(2000)},
		{At: ms(4000), Wait: ms(2000)}, {At: ms(4000), Wait: ms(1000)}, // these still wait
	}
	for now, want := range map[time.Duration]string{
		ms(4000): "1 wait got none. Waiting now: 2.", 0: "3 waits got none.",
	} {
		got := Lanes(checkouts, Options{Now: now})
		if !strings.Contains(got, want) || now == 0 && strings.Contains(got, "Waiting now") {
			t.Errorf("at %v: got %s, want %q", now, got, want)
		}
	}
}

// The parts of a bar are told apart without their colours: there is an edge between any
// two, and what is thinner than a pixel keeps one.
func TestTimes_separatesItsParts(t *testing.T) {
	got := Times([]TimeRow{{"a", experiment.TimeSplit{ThreadWait: ms(5000), PoolWait: ms(5000), Busy: time.Millisecond, Slow: ms(5000)}}}, Options{})
	if n := strings.Count(got, `class="paper"`); n != 3 {
		t.Errorf("%d edges between 4 parts:\n%s", n, got)
	}
	if !regexp.MustCompile(`class="f busy" d="M[0-9.]+ [0-9.]+h1v`).MatchString(got) {
		t.Errorf("a millisecond is not a pixel:\n%s", got)
	}
}

// lasting are so many requests and their checkouts, on so many connections.
func lasting(n, connections int) ([]experiment.Request, []experiment.Checkout) {
	random := rand.New(rand.NewPCG(1, 2))
	requests, checkouts := make([]experiment.Request, n), make([]experiment.Checkout, n)
	for i := range n {
		at := time.Duration(i) * time.Millisecond
		requests[i] = experiment.Request{
			Sent: at, Latency: time.Duration(random.Int64N(int64(30 * time.Second))), Outcome: experiment.Outcome(random.IntN(5)),
		}
		held := time.Duration(random.Int64N(int64(time.Duration(connections) * time.Millisecond)))
		checkouts[i] = experiment.Checkout{
			At: at, Connection: 1 + i%connections, Wait: time.Duration(random.Int64N(int64(30 * time.Second))),
			Held: held, Busy: held / 3, SilentInTransaction: held / 3,
		}
	}
	return requests, checkouts
}

func TestPictures_areBounded(t *testing.T) {
	requests, checkouts := lasting(100_000, 15)
	_, onMany := lasting(100_000, 500)
	_, onForty := lasting(100_000, 40)
	for _, c := range []struct {
		what, svg string
		most      int // KB
	}{
		{"lanes", Lanes(checkouts, Options{}), 60},
		{"forty lanes", Lanes(onForty, Options{}), 120},
		{"areas", Lanes(onMany, Options{}), 60},
		{"latencies", Latencies(requests, Options{}), 60},
		{"fewer latencies", Latencies(requests, Options{MaxDots: 600}), 20},
		{"distribution", Distribution(requests, Options{}), 20},
	} {
		check(t, c.svg)
		if got := len(c.svg) >> 10; got > c.most {
			t.Errorf("%s: %d KB, want at most %d", c.what, got, c.most)
		}
	}
}

// Of many requests, the worst of each outcome is drawn.
func TestLatencies_keepTheWorst(t *testing.T) {
	requests, _ := lasting(100_000, 15)
	requests[777] = experiment.Request{Sent: ms(777), Latency: 31 * time.Second, Outcome: experiment.Rejected}
	l := timeAxis(32, 158, 8)
	kept := thin(requests, timeAxis(100, left, 390), l, 600)
	if len(kept) > 600 {
		t.Errorf("%d dots, want at most 600", len(kept))
	}
	for _, o := range outcomeOrder {
		worst := func(rs []experiment.Request) (d time.Duration) {
			for _, r := range rs {
				if r.Outcome == o {
					d = max(d, r.Latency)
				}
			}
			return d
		}
		if got, want := worst(kept), worst(requests); got != want {
			t.Errorf("%s: the worst drawn is %v, want %v", outcomes[o].Words, got, want)
		}
	}
	few := someRequests()
	if kept := thin(few, timeAxis(1, left, 390), l, 2); len(kept) != 5 {
		t.Errorf("got %d, want one of each outcome", len(kept))
	}
}

func TestMaxWaiting(t *testing.T) {
	for _, c := range []struct {
		waits []experiment.Checkout
		want  int
	}{
		{nil, 0},
		{[]experiment.Checkout{{At: ms(5)}}, 0},
		{[]experiment.Checkout{{At: ms(5), Wait: ms(5)}, {At: ms(10), Wait: ms(5)}}, 1},
		{[]experiment.Checkout{{At: ms(6), Wait: ms(6)}, {At: ms(10), Wait: ms(5)}, {At: ms(7), Wait: ms(2)}}, 3},
	} {
		if got := MaxWaiting(c.waits); got != c.want {
			t.Errorf("%v: got %d, want %d", c.waits, got, c.want)
		}
	}
}

// Connections that came after others were closed take their lanes.
func TestLanes_areTakenInTurns(t *testing.T) {
	var cs []experiment.Checkout
	for i := range 100 {
		cs = append(cs, experiment.Checkout{At: ms(i * 10), Connection: i + 1, Held: ms(15)})
	}
	if l := newHolds(cs, Options{}); l.lanes != 2 || l.maxHeld != 2 || len(l.lane) != 100 {
		t.Errorf("got %d lanes, %d held at once, %d connections", l.lanes, l.maxHeld, len(l.lane))
	}
	if l := newHolds(cs, Options{Lanes: 100}); l.asLanes() {
		t.Errorf("100 lanes are drawn as such")
	}
}

// What is shorter than a pixel is seen, and so is how little it is.
func TestLanes_showWhatIsShort(t *testing.T) {
	short := experiment.Checkout{At: ms(5000), Connection: 1, Held: ms(1), Busy: ms(1)}
	long := experiment.Checkout{At: ms(0), Connection: 2, Held: 10 * time.Second, Busy: ms(1), SilentInTransaction: 9 * time.Second}
	svg := Lanes([]experiment.Checkout{short, long}, Options{Time: 10 * time.Second})
	for _, want := range []string{
		`class="edge s busy" stroke-width="10" d="M8 `,      // the long one's beginning
		`class="edge s busy" stroke-width="5" d="M200 `,     // the short one, lower
		`class="edge s silent-tx" stroke-width="10" d="M9 `, // the rest of the long one
		`class="edge s silent" stroke-width="10" d="M`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
}

func TestAxis(t *testing.T) {
	for _, c := range []struct {
		end  float64
		most int
		want string
	}{
		{35, 5, "0 s 10 s 20 s 30 s"}, {5, 5, "0 s 1 s 2 s 3 s 4 s 5 s"}, {67, 5, "0 s 20 s 40 s 60 s"},
		{0.05, 4, "0 ms 20 ms 40 ms"}, {0.3, 3, "0 ms 100 ms 200 ms 300 ms"}, {1, 2, "0 s 0.5 s 1 s"}, {0.000002, 2, "0 µs 1 µs 2 µs"},
		{1e-9, 3, "0 ns 0.5 ns 1 ns"}, {3600, 4, "0 min 20 min 40 min 60 min"}, {1e6, 4, "0 d 5 d 10 d"}, {9.2e9, 3, "0 y 100 y 200 y"},
		{math.NaN(), 2, "0 s 0.5 s 1 s"}, {-1, 1, "0 s 1 s"},
	} {
		a := timeAxis(c.end, 0, 100)
		var got []string
		for _, v := range a.ticks(c.most) {
			got = append(got, a.label(v))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%v with at most %d: got %s, want %s", c.end, c.most, s, c.want)
		}
	}
}

// Text has enough contrast to what it stands on, light and dark.
func TestColors_canBeRead(t *testing.T) {
	color := map[string][2]string{}
	for _, i := range ink {
		color[i.name] = [2]string{i.light, i.dark}
	}
	for _, m := range Outcomes() { // the good and the bad are written in theirs
		color[m.Class] = [2]string{m.light, m.dark}
	}
	for _, text := range []string{"text", "quiet", "ok", "client-timeout"} {
		for _, on := range []string{"paper", "card"} {
			for scheme := range 2 {
				if got := contrast(t, color[text][scheme], color[on][scheme]); got < 4.5 {
					t.Errorf("%s on %s: contrast %.2f, want at least 4.5", color[text][scheme], color[on][scheme], got)
				}
			}
		}
	}
}

// contrast is WCAG's.
func contrast(t *testing.T, a, b string) float64 {
	light := func(hex string) float64 {
		rgb := seen(t, sight["all colours"], hex)
		return 0.2126*rgb[0] + 0.7152*rgb[1] + 0.0722*rgb[2]
	}
	x, y := light(a), light(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func BenchmarkLanes(b *testing.B) {
	for _, n := range []int{500, 100_000} {
		_, checkouts := lasting(n, 15)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				Lanes(checkouts, Options{Lanes: 15})
			}
		})
	}
}

func BenchmarkLatencies(b *testing.B) {
	for _, n := range []int{500, 100_000} {
		requests, _ := lasting(n, 15)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				Latencies(requests, Options{})
			}
		})
	}
}
