package prove_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/prove"
	"github.com/pghold/pghold/httphold"
)

// Where a service has the recorder, it says what fills the gaps: while the route is
// attacked, and not before.
func TestRun_Filled(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{})
	pool := recorder.Pool("shop")
	hold := func(ctx context.Context, what string, d time.Duration) {
		ctx = pghold.WithRoute(ctx, "GET /checkout")
		held := pool.Checkout(ctx)
		call := pghold.StartSlowCall(ctx, what)
		time.Sleep(d)
		call.End()
		held.Release()
	}
	holds := httphold.Handler(recorder)
	inBubbleOf(t, func(app http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/debug/holds":
				holds.ServeHTTP(w, r)
			case "/none":
				http.NotFound(w, r)
			default:
				hold(r.Context(), "POST pay.example.com/charges", 300*time.Millisecond)
				hold(r.Context(), "sleep", 100*time.Millisecond)
				app.ServeHTTP(w, r)
			}
		})
	}, func(t *testing.T, st *stage) {
		hold(t.Context(), "sleep", time.Hour) // before
		if err := prove.CheckHolds(t.Context(), st.base+"debug/holds", st.network.Dial); err != nil {
			t.Error(err)
		}
		if err := prove.CheckHolds(t.Context(), st.base+"none", st.network.Dial); err == nil || err.Error() != prove.ErrNoSnapshot.Error()+" (it answers 404)" {
			t.Errorf("got %v", err)
		}
		o := st.options(t, inside)
		o.Settings.Rate, o.Holds = 2, st.base+"debug/holds"
		res, err := prove.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		got := res.Routes[0].Wire.Filled
		for i := range got {
			got[i].Where = ""
		}
		want := []experiment.Filled{
			{What: "POST pay.example.com/charges", Count: 10, S: experiment.Seconds(3 * time.Second)},
			{What: "sleep", Count: 10, S: experiment.Seconds(time.Second)},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("want (-), got (+):\n%s", d)
		}
		synctest.Wait()
	}, inside)
}
