package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/pghold/pghold/experiment"
	"github.com/pghold/pghold/internal/browser"
	"github.com/pghold/pghold/internal/pgtest"
)

// The page of a run, from its first route to the report, in a browser: cards appear
// while the routes run, stay when they are done, and the report that takes their place
// has the figures of result.json.
func TestLab_ThePageWhileItRuns(t *testing.T) {
	ctx := browser.Open(t)
	t.Chdir(t.TempDir())
	dsn := pgtest.DSN(t)
	address := make(chan string, 1)
	stderr := &trigger{on: "/\n"}
	stderr.do = func() {
		address <- regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(stderr.String())
	}
	var out output
	ended := make(chan int, 1)
	go func() {
		ended <- run(context.Background(), []string{"lab", "--dsn", dsn, "--speed", "20", "--out", "run"}, streams{&out, stderr})
	}()
	if err := chromedp.Do(ctx, browser.Look(1280, false), chromedp.Navigate(<-address)); err != nil {
		t.Fatal(err)
	}
	for i, r := range experiment.RoutesOf("seed") {
		waitFor(t, ctx, fmt.Sprintf("document.querySelectorAll('#cards > section').length > %d && document.body.innerText.includes(%q)", i, r.Name))
	}
	waitFor(t, ctx, "!document.getElementById('cards')") // the report is there
	if status := <-ended; status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	checkPage(t, ctx, "run", "live")
}

// The report file, light and dark, as wide as a desktop's window and as a phone's.
func TestReport_InABrowser(t *testing.T) {
	ctx := browser.Open(t)
	t.Chdir(t.TempDir())
	if status, _, stderr := pghold(t.Context(), quick(pgtest.DSN(t), "--out", "run")...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	path, err := filepath.Abs("run/report.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, width := range []int64{390, 1280} {
		for _, dark := range []bool{false, true} {
			name := fmt.Sprintf("%d pixels, dark %v", width, dark)
			if err := chromedp.Do(ctx, browser.Look(width, dark), chromedp.Navigate("file://"+path)); err != nil {
				t.Fatal(err)
			}
			checkPage(t, ctx, "run", name)
			wide, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
			if err != nil || wide {
				t.Errorf("%s: the page is wider than its window (%v)", name, err)
			}
		}
	}
}

// checkPage checks a report that a browser shows: it has the figures of the result,
// every picture says in words what it shows, and all text can be read.
func checkPage(t *testing.T, ctx context.Context, dir, name string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := experiment.ReadResult(b)
	if err != nil {
		t.Fatal(err)
	}
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
	untold, err := chromedp.Run(ctx, chromedp.Evaluate[int](`[...document.querySelectorAll("svg")].filter((s) =>
		s.getAttribute("aria-hidden") !== "true" && !(s.getAttribute("role") === "img" && s.querySelector("title, desc")?.textContent.trim())).length`))
	if err != nil || untold > 0 {
		t.Errorf("%s: %d pictures do not say in words what they show (%v)", name, untold, err)
	}
	pictures, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll("svg[role=img]").length`))
	if err != nil || pictures < 2*len(r.Routes) {
		t.Errorf("%s: %d pictures for %d routes (%v)", name, pictures, len(r.Routes), err)
	}
	faint, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](browser.Contrasts(4.5)))
	if err != nil || len(faint) > 0 {
		text, _ := json.Marshal(faint)
		t.Errorf("%s: text that can hardly be read: %s (%v)", name, text, err)
	}
}

func waitFor(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression)); err != nil {
		t.Fatalf("waiting for %s: %v", expression, err)
	}
}
