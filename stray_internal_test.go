package pghold

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// That handlers make their calls without a context is said once, where all of them do.
func TestStrays(t *testing.T) {
	call := func(ctx context.Context) { StartSlowCall(ctx, "GET example.com/").End() }
	without := func(context.Context) { call(context.Background()) }
	for name, c := range map[string]struct {
		calls int
		make  func(context.Context)
		in    func(context.Context, string, func(context.Context))
		want  int
	}{
		"in handlers":               {16, without, Do, 1},
		"in few":                    {15, without, Do, 0},
		"some with a context":       {16, func(ctx context.Context) { without(ctx); call(ctx) }, Do, 0},
		"as parts of another":       {16, func(context.Context) { call(Call{}.Within(context.Background())) }, Do, 0},
		"where there is no handler": {16, without, func(ctx context.Context, _ string, f func(context.Context)) { f(ctx) }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := func() { strays.attributed.Store(false); strays.seen.Store(0) }
			begin()
			defer begin()
			told := make(chan string, 100)
			r := NewRecorder(Config{OnHint: func(text string) { told <- text }})
			stop := make(chan struct{})
			go Do(t.Context(), "GET /", func(context.Context) { <-stop }) // there are handlers
			synctest.Wait()
			for range c.calls {
				c.in(t.Context(), "GET /", c.make)
			}
			for range 5 {
				r.Pool("main").Checkout(t.Context()).Release()
				time.Sleep(7 * time.Second)
			}
			close(stop)
			if len(told) != c.want {
				t.Fatalf("%s: told %d hints, want %d", name, len(told), c.want)
			}
			if c.want > 0 {
				if hint := <-told; !strings.HasPrefix(hint, "none of 16 client calls") || len(r.Snapshot().Hints) != 1 {
					t.Errorf("%s: told %q", name, hint)
				}
			}
		})
	}
}
