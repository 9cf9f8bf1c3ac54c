package browser_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/browser"
	"github.com/pghold/pghold/httphold"
)

// The library's page, /debug/holds, can be read on a phone and on a desktop, light and
// dark, in the middle of an incident, with long names.
func TestHolds(t *testing.T) {
	ctx := browser.Open(t)
	var page string
	synctest.Test(t, func(t *testing.T) { page = incident(t) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, page) }))
	defer server.Close()
	for _, width := range []int64{390, 1280} {
		for _, dark := range []bool{false, true} {
			name := fmt.Sprintf("%d pixels, dark %v", width, dark)
			if err := chromedp.Do(ctx, browser.Look(width, dark), chromedp.Navigate(server.URL)); err != nil {
				t.Fatal(err)
			}
			if _, err := chromedp.Run(ctx, chromedp.Evaluate[int](`[...document.querySelectorAll("details")].map((d) => d.open = true).length`)); err != nil {
				t.Fatal(err)
			}
			faint, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](browser.Contrasts(4.5)))
			if err != nil || len(faint) > 0 {
				t.Errorf("%s: text that can hardly be read: %q (%v)", name, faint, err)
			}
			for what, script := range map[string]string{
				"the page is wider than its window":     `document.documentElement.scrollWidth > document.documentElement.clientWidth`,
				"a table on a phone has to be scrolled": `innerWidth < 640 && [...document.querySelectorAll(".wide")].some((w) => w.scrollWidth > w.clientWidth)`,
				"nothing is dark":                       fmt.Sprintf(`%v !== (getComputedStyle(document.querySelector(".box")).backgroundColor === "rgb(59, 29, 23)")`, dark),
			} {
				if wrong, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script)); err != nil || wrong {
					t.Errorf("%s: %s (%v)", name, what, err)
				}
			}
		}
	}
}

// incident is the page of a pool whose connections are all held by requests that wait for
// another. It is called in a bubble.
func incident(t *testing.T) string {
	const (
		pool  = "orders-primary.eu-central-1.internal.example.com:5432/orders"
		route = "POST /api/v1/organizations/{organization}/projects/{project}/environments/{environment}/deployments"
	)
	recorder := pghold.NewRecorder(pghold.Config{OnHint: func(string) {}})
	p := recorder.Pool(pool)
	p.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Open: 2, Max: 2, Waits: 9, WaitTime: 18 * time.Second} })
	defer p.Checkout(pghold.Intend(t.Context(), "LISTEN orders")).Release()
	for range 30 {
		pghold.Do(t.Context(), "GET /cart", func(ctx context.Context) {
			hold := p.Wait(ctx).Checkout()
			call := pghold.StartSlowCall(pghold.WithRoute(ctx, route), "POST payments.eu-central-1.internal.example.com:443/v1/payment_intents")
			time.Sleep(700 * time.Millisecond)
			call.End()
			hold.Release()
		})
		time.Sleep(200 * time.Millisecond)
	}
	p.Lost()
	ctx := pghold.WithRoute(t.Context(), route)
	defer p.Wait(ctx).Checkout().Release()
	w := p.Wait(ctx)
	time.Sleep(3 * time.Second)
	w.Fail(context.DeadlineExceeded)
	w = p.Wait(ctx)
	defer w.Fail(context.Canceled)
	time.Sleep(2 * time.Second)
	answer := httptest.NewRecorder()
	httphold.Handler(recorder).ServeHTTP(answer, httptest.NewRequest("GET", "/debug/holds?refresh=off", nil))
	page := answer.Body.String()
	for _, part := range []string{`class="box"`, `class="note"`, "Waiting now", "Open now", "Who came", "Finished, by route", "payment_intents", route, "<details>"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %q", part)
		}
	}
	return page
}
