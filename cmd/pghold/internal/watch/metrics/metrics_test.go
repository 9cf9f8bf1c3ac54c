package metrics_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/metrics"
)

func TestHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := watch.New(time.Now())
		handler := metrics.Handler(ledger)
		scrape := func() string {
			page := httptest.NewRecorder()
			handler.ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
			return page.Body.String()
		}
		s := ledger.Open(watch.Client{Application: "shop \xff", User: "u", Database: "d"})
		for _, gap := range []time.Duration{500 * time.Microsecond, 4 * time.Millisecond, time.Hour} {
			s.Text([]byte("select 1"))
			s.Sent(time.Now())
			time.Sleep(time.Second)
			s.Ready(time.Now(), 'T', false)
			time.Sleep(gap)
		}
		open := scrape()
		s.Sent(time.Now())
		s.Ready(time.Now(), 'E', false)
		time.Sleep(time.Minute)
		s.End(time.Now())
		ended := scrape()
		for page, wants := range map[*string][]string{
			&open: {
				"pghold_watch_sessions 1\n", "pghold_watch_idle_in_transaction 1\n", "pghold_watch_oldest_gap_seconds 3600\n", "pghold_watch_transactions_total 0\n",
				"pghold_watch_statements_total 3\n", `pghold_watch_seconds_total{class="busy"} 3` + "\n", `pghold_watch_seconds_total{class="idle_in_transaction"} 3600.0045` + "\n",
				`pghold_watch_gap_seconds_count{application_name="shop ` + "\uFFFD" + `",database="d",user="u"} 2` + "\n",
			},
			&ended: {
				"pghold_watch_sessions 0\n", "pghold_watch_idle_in_transaction 0\n", "pghold_watch_transactions_total 1\n", `pghold_watch_seconds_total{class="aborted"} 60` + "\n",
				`database="d",user="u",le="0.001"} 1` + "\n", `database="d",user="u",le="0.005"} 2` + "\n", `database="d",user="u",le="60"} 3` + "\n", `database="d",user="u",le="+Inf"} 4` + "\n",
				`database="d",user="u"} 3660.0045` + "\n",
			},
		} {
			for _, want := range wants {
				if !strings.Contains(*page, want) {
					t.Errorf("there is no %q in\n%s", want, *page)
				}
			}
		}
	})
}
