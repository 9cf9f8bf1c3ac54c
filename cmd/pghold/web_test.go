package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/browser"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// The page of a run, from its first route to the report, in a browser: cards appear
// while the routes run, stay when they are done, and the report that takes their place
// has the figures of result.json.
func TestLab_ThePageWhileItRuns(t *testing.T) {
	ctx, _, ended, stderr := watched(t, "lab", "--dsn", pgtest.DSN(t), "--speed", "5", "--duration", "1s", "--client-timeout", "6s", "--pool-timeout", "6s", "--out", "run")
	for i, r := range experiment.RoutesOf("seed") {
		waitFor(t, ctx, fmt.Sprintf("document.querySelectorAll('#cards > section').length > %d && document.body.innerText.includes(%q)", i, r.Name))
	}
	waitFor(t, ctx, "!document.getElementById('cards')") // the report is there
	if status := <-ended; status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	checkPage(t, ctx, "run", "live")

	// Each finished card had the figures of the result and stayed for comparison, for as
	// long as there was one to come.
	cards, err := chromedp.Run(ctx, chromedp.Evaluate[map[string]finishedCard]("window.finished"))
	if err != nil {
		t.Fatal(err)
	}
	r := readResult(t, "run/result.json")
	for i, rr := range r.Routes {
		card := cards[rr.Name]
		for _, want := range []string{
			fmt.Sprintf("%d of %d answered", rr.Outcomes.OK, rr.Requests), fmt.Sprintf("%.2f/s", rr.Throughput),
			fmt.Sprintf("connections %d", rr.Connections.Max), fmt.Sprintf("waiting at most %d", rr.Holds.MaxWaiting),
		} {
			if !strings.Contains(card.Text, want) {
				t.Errorf("the finished card of %s did not say %q: %s", rr.Name, want, card.Text)
			}
		}
		if want := len(r.Routes) - 1 - i; card.Beside != want {
			t.Errorf("the finished card of %s was seen beside %d later ones, want %d", rr.Name, card.Beside, want)
		}
	}
}

// remember makes the page keep what its finished cards said last, and beside how many
// later cards they were seen, in window.finished.
var remember = chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
	_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		window.finished = {};
		new MutationObserver(() => {
			const cards = [...document.querySelectorAll("#cards .card")];
			cards.forEach((card, i) => {
				if (!card.classList.contains("running")) finished[card.querySelector("h3").textContent] = {
					Text: card.querySelector("header").innerText.replaceAll(/\s+/g, " "), Beside: cards.length - 1 - i,
				};
			});
		}).observe(document, {childList: true, subtree: true});`})
	return err
})

type finishedCard struct {
	Text   string
	Beside int
}

func readResult(t testing.TB, file string) *experiment.Result {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := experiment.ReadResult(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// watched starts a lab in a folder of its own and opens its page in a browser.
func watched(t *testing.T, args ...string) (ctx context.Context, cancel func(), ended chan int, stderr *trigger) {
	t.Helper()
	ctx = browser.Open(t)
	t.Chdir(t.TempDir())
	address := make(chan string, 1)
	stderr = &trigger{on: "/\n"}
	stderr.do = func() {
		address <- regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(stderr.String())
	}
	of, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ended = make(chan int, 1)
	go func() {
		var out output
		ended <- run(of, args, streams{&out, stderr})
	}()
	select {
	case url := <-address:
		if err := chromedp.Do(ctx, browser.Look(1280, false), remember, chromedp.Navigate(url)); err != nil {
			t.Fatal(err)
		}
	case status := <-ended:
		t.Fatalf("status %d before there was a page: %s", status, stderr)
	}
	return ctx, cancel, ended, stderr
}

// running starts a run of the inside route that ends only by cancel, and waits until its
// page shows all there is: lanes that are silent in transaction, waiters, dots and
// counts.
func running(t *testing.T, dsn string) (ctx context.Context, cancel func(), ended chan int, stderr *trigger) {
	t.Helper()
	ctx, cancel, ended, stderr = watched(t, "lab", inside, "--dsn", dsn, "--speed", "5", "--duration", "600s",
		"--rate", "20", "--client-timeout", "100s", "--pool-timeout", "100s", "--out", "run")
	waitFor(t, ctx, answeredSoFar+" > 0")
	for _, part := range []string{"1) .s.silent-tx", "1) .f.waiting", "2) .ok", "3) .f.ok"} { // of the pictures
		waitFor(t, ctx, fmt.Sprintf("document.querySelector('#cards .card.running > div:nth-of-type(%s')", part))
	}
	return ctx, cancel, ended, stderr
}

// answeredSoFar is a script: the number on the running card.
const answeredSoFar = `Number(document.querySelector("#cards .card.running .outcome")?.innerText.match(/^([0-9]+) of 12000 answered so far/)?.[1] ?? 0)`

// A page of a route that runs shows it as it happens, and can be read like the report:
// as wide as a desktop's window and as a phone's, light and dark.
func TestLab_ARunningRouteInABrowser(t *testing.T) {
	ctx, cancel, ended, stderr := running(t, pgtest.DSN(t))
	before, err := chromedp.Run(ctx, chromedp.Evaluate[int](answeredSoFar))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, fmt.Sprintf("%s > %d", answeredSoFar, before))
	for _, width := range []int64{390, 1280} {
		for _, dark := range []bool{false, true} {
			if err := chromedp.Do(ctx, browser.Look(width, dark)); err != nil {
				t.Fatal(err)
			}
			checkReadable(t, ctx, fmt.Sprintf("%d pixels, dark %v", width, dark), 3)
		}
	}
	cancel()
	waitFor(t, ctx, "!document.getElementById('cards')")
	if status := <-ended; status != exitInterrupted {
		t.Fatalf("status %d: %s", status, stderr)
	}
	waitFor(t, ctx, `document.querySelector(".alert")?.innerText.startsWith("INTERRUPTED")`)
}

// A run that fails says so on its page, and that there is nothing to look for.
func TestLab_ThePageOfAFailedRun(t *testing.T) {
	dsn := pgtest.DSN(t)
	ctx, _, ended, stderr := running(t, dsn)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pghold watch' and datname = current_database()"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, `document.querySelector(".alert")?.innerText.startsWith("Nothing of this run is saved: ")`)
	if status := <-ended; status != exitFailed {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// Cards that have finished are drawn again on longer axes, where a later route needs
// them: all are on the same.
func TestWeb_FinishedCardsShareAxes(t *testing.T) {
	cases := experiment.CasesOf(experiment.RoutesOf("seed"), experiment.Defaults())
	w := startWeb(streams{io.Discard, io.Discard}, cases)
	defer w.close()
	finish := func(i, waiting int) {
		rr := &experiment.RouteResult{Name: cases[i].Name, Requests: 1, Outcomes: experiment.Outcomes{OK: 1}}
		rr.Holds.MaxWaiting = waiting
		w.show(lab.Progress{Case: cases[i], Number: i + 1, Done: rr, SoFar: func() (*experiment.RouteResult, *experiment.Trace) {
			// One waited for a second and then had the connection for another.
			return rr, &experiment.Trace{
				Requests:  []experiment.Request{{Latency: time.Second, Outcome: experiment.OK}},
				Checkouts: []experiment.Checkout{{At: time.Second, Wait: time.Second, Connection: 1, Held: time.Second}},
			}
		}})
	}
	card := func(i int) string {
		response, err := http.Get(w.page.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		b, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(b), `<section id="`+cardID(cases[i])+`">`)
		if !found {
			t.Fatalf("there is no card of %s", cases[i].Name)
		}
		html, _, _ := strings.Cut(rest, "</section>")
		return html
	}
	finish(0, 1)
	alone := card(0)
	finish(1, 100)
	beside := card(0)
	if beside == alone {
		t.Error("the first card was not drawn again when another had 100 waiters")
	}
	finish(2, 100)
	if card(0) != beside {
		t.Error("the first card was drawn differently, though the third had no more waiters than the second")
	}
}

// The report file, light and dark, as wide as a desktop's window and as a phone's.
func TestReport_InABrowser(t *testing.T) {
	ctx, url := reported(t)
	for _, width := range []int64{390, 1280} {
		for _, dark := range []bool{false, true} {
			name := fmt.Sprintf("%d pixels, dark %v", width, dark)
			if err := chromedp.Do(ctx, browser.Look(width, dark), chromedp.Navigate(url)); err != nil {
				t.Fatal(err)
			}
			checkPage(t, ctx, "run", name)
		}
	}
}

// reported makes a quick run, in a folder of its own, and returns a browser and where
// its report is.
func reported(t *testing.T) (ctx context.Context, url string) {
	t.Helper()
	ctx = browser.Open(t)
	t.Chdir(t.TempDir())
	if status, _, stderr := pghold(t.Context(), quick(pgtest.DSN(t), "--out", "run")...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	path, err := filepath.Abs("run/report.html")
	if err != nil {
		t.Fatal(err)
	}
	return ctx, "file://" + path
}

// The report on paper: it is light whatever the screen is, has its tables as tables with
// their heads, and nothing is cut off.
func TestReport_OnPaper(t *testing.T) {
	ctx, url := reported(t)
	if err := chromedp.Do(ctx, browser.Look(1280, true), browser.Paper(), chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	checkPage(t, ctx, "run", "paper")
	for what, script := range map[string]string{
		"the page is dark":                      `getComputedStyle(document.body).backgroundColor !== "rgb(255, 255, 255)"`,
		"a table's head is not seen":            `[...document.querySelectorAll("thead")].some((h) => h.getBoundingClientRect().width < 300)`,
		"a row is not laid out as in a table":   `[...document.querySelectorAll("tbody tr")].some((r) => getComputedStyle(r).display !== "table-row")`,
		"the routes are not two beside another": `new Set([...document.querySelectorAll(".cards > .card")].map((c) => c.getBoundingClientRect().left)).size !== 2`,
	} {
		if wrong, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script)); err != nil || wrong {
			t.Errorf("on paper %s (%v)", what, err)
		}
	}
}

// checkPage checks a report that a browser shows: it has the figures of the result,
// every picture says in words what it shows, and all text can be read.
func checkPage(t *testing.T, ctx context.Context, dir, name string) {
	t.Helper()
	r := readResult(t, filepath.Join(dir, "result.json"))
	shown, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		t.Fatal(err)
	}
	for _, rr := range r.Routes {
		for _, want := range []string{
			rr.Name, fmt.Sprintf("%d of %d", rr.Outcomes.OK, rr.Requests), fmt.Sprintf("%.2f/s", rr.Throughput),
		} {
			if !strings.Contains(shown, want) {
				t.Errorf("%s: %q of %s is not in the page", name, want, rr.Name)
			}
		}
	}
	for _, w := range r.Warnings {
		if !strings.Contains(shown, w[:40]) {
			t.Errorf("%s: the warning %q is not in the page", name, w)
		}
	}
	checkReadable(t, ctx, name, 2*len(r.Routes))
}

// checkReadable checks that all text can be read, that nothing is wider than the window,
// and that so many pictures or more say in words what they show.
func checkReadable(t *testing.T, ctx context.Context, name string, atLeast int) {
	t.Helper()
	untold, err := chromedp.Run(ctx, chromedp.Evaluate[int](`[...document.querySelectorAll("svg")].filter((s) =>
		s.getAttribute("aria-hidden") !== "true" && !(s.getAttribute("role") === "img" && s.querySelector("title, desc")?.textContent.trim())).length`))
	if err != nil || untold > 0 {
		t.Errorf("%s: %d pictures do not say in words what they show (%v)", name, untold, err)
	}
	pictures, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll("svg[role=img]").length`))
	if err != nil || pictures < atLeast {
		t.Errorf("%s: %d pictures, want %d or more (%v)", name, pictures, atLeast, err)
	}
	faint, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](browser.Contrasts(4.5)))
	if err != nil || len(faint) > 0 {
		text, _ := json.Marshal(faint)
		t.Errorf("%s: text that can hardly be read: %s (%v)", name, text, err)
	}
	wide, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
	if err != nil || wide {
		t.Errorf("%s: the page is wider than its window (%v)", name, err)
	}
}

func waitFor(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool]("!!("+expression+")")); err != nil {
		t.Fatalf("waiting for %s: %v", expression, err)
	}
}
