package httphold_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
)

// Who waits, and for whom, what is set up wrong, who came lately, and where gaps were spent
// is on the page.
func TestHandler_ShowsAnIncident(t *testing.T) { synctest.Test(t, handlerShowsAnIncident) }

func handlerShowsAnIncident(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{OnHint: func(string) {}})
	pool := recorder.Pool("main")
	pool.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Open: 2, Max: 2, Waits: 9, WaitTime: 18 * time.Second} })
	listens := pool.Checkout(pghold.Intend(t.Context(), "LISTEN orders"))
	defer listens.Release()
	for range 30 {
		pghold.Do(t.Context(), "GET /cart", func(ctx context.Context) {
			defer pool.Wait(ctx).Checkout().Release()
			askRedis()
		})
		time.Sleep(200 * time.Millisecond)
	}
	pool.Lost()
	ctx := pghold.WithRoute(t.Context(), "POST /checkout")
	c := pool.Wait(ctx).Checkout()
	defer c.Release()
	w := pool.Wait(ctx)
	time.Sleep(3 * time.Second)
	w.Fail(context.DeadlineExceeded)
	w = pool.Wait(ctx)
	defer w.Fail(context.Canceled)
	time.Sleep(2 * time.Second)

	page := get(t, httphold.Handler(recorder), "/debug/holds").Body.String()
	for _, want := range []string{
		`<meta http-equiv="refresh" content="5">`, `href="?refresh=off"`,
		"Nobody gets one of the 2 connections of main: all are held by requests that wait for another.",
		"connections of the pool main are given out again",
		`data-of="callers">1<td class="n" data-of="the longest">2.0 s<td data-of="holds one itself"><span class="bad">taken at <code`,
		"waiting for another connection of the same pool at view_test.go:",
		"LISTEN orders<br><small>main, on purpose</small>",
		`GET /cart<br><small>main</small><td class="n" data-of="last 38.0 s">0.79/s<td class="n" data-of="– held">900.0 ms<td class="n" data-of="– waited">0<td class="n" data-of="– got none">0`,
		`POST /checkout<br><small>main</small><td class="n" data-of="last 38.0 s">0.08/s<td class="n" data-of="– held">–<td class="n" data-of="– waited">3.0 s<td class="n" data-of="– got none">1`,
		`<tr><td>main<td class="n" data-of="last 38.0 s: waits">9<td class="n" data-of="– total time of finished waits">18.0 s`,
		`mostly in <span class="bad">time.Sleep ← view_test.go:`, "(100.0 % of ",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if n := strings.Count(page, "last 38.0 s: waits"); n != 2 { // of the column, and of its cell
		t.Errorf("the same window is on the page %d times, want 2", n)
	}
	if t.Failed() {
		t.Log(page)
	}
	if page := get(t, httphold.Handler(recorder), "/debug/holds?refresh=off").Body.String(); strings.Contains(page, "http-equiv") {
		t.Error("it is read again where that is not wanted")
	}
}

//go:noinline
func askRedis() { time.Sleep(900 * time.Millisecond) }
