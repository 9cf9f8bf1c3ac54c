package promhold_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/promhold"
)

// made is a snapshot that has something of everything.
func made() *pghold.Snapshot {
	held := func(durations ...time.Duration) (s pghold.Sketch) {
		for _, d := range durations {
			s.Add(d)
		}
		return s
	}
	return &pghold.Snapshot{
		Began: time.Unix(1_700_000_000, 0), Taken: time.Unix(1_700_000_600, 0), FoldedHolds: 3,
		Pools: []pghold.PoolSnapshot{
			{Name: "main", Checkouts: 6, Releases: 4, Waiting: 3, Timeouts: 2, Open: 7, Max: 10, Waits: 5, WaitTime: 2500 * time.Millisecond},
			{Name: "quiet"},
		},
		Series: []*pghold.Series{
			{
				Pool: "main", Route: "GET /", Site: pghold.Site{File: "app.go", Line: 1},
				Held: held(2*time.Second, 30*time.Second), Silent: held(time.Second, 29*time.Second), Wait: held(time.Millisecond, 4*time.Second),
				Busy: 2 * time.Second, SilentInTransaction: 28 * time.Second, Panics: 1,
				SlowCalls: []pghold.SlowCalls{{What: "POST charge/", Count: 1, Duration: 27 * time.Second}},
			},
			{Pool: "main", Route: "GET /", Site: pghold.Site{File: "app.go", Line: 2}, Held: held(420 * time.Second), Silent: held(0), Busy: 420 * time.Second},
			{Pool: "main", Held: held(3 * time.Millisecond)},
		},
		Open: []pghold.Hold{
			{Pool: "main", Route: "GET /", Held: 90 * time.Second, SilentInTransaction: 10 * time.Second},
			{Pool: "main", Route: "GET /", Held: 60 * time.Second, SilentInTransaction: 50 * time.Second},
		},
	}
}

const wantMade = `
# HELP db_client_connection_count The number of connections that are currently in the state.
# TYPE db_client_connection_count gauge
db_client_connection_count{db_client_connection_pool_name="main",db_client_connection_state="idle"} 5
db_client_connection_count{db_client_connection_pool_name="main",db_client_connection_state="used"} 2
db_client_connection_count{db_client_connection_pool_name="quiet",db_client_connection_state="used"} 0
# HELP db_client_connection_max The maximum number of open connections allowed.
# TYPE db_client_connection_max gauge
db_client_connection_max{db_client_connection_pool_name="main"} 10
# HELP db_client_connection_pending_requests The number of current pending requests for an open connection.
# TYPE db_client_connection_pending_requests gauge
db_client_connection_pending_requests{db_client_connection_pool_name="main"} 3
db_client_connection_pending_requests{db_client_connection_pool_name="quiet"} 0
# HELP db_client_connection_timeouts_total The number of connection timeouts that have occurred trying to obtain a connection from the pool.
# TYPE db_client_connection_timeouts_total counter
db_client_connection_timeouts_total{db_client_connection_pool_name="main"} 2
db_client_connection_timeouts_total{db_client_connection_pool_name="quiet"} 0
# HELP db_client_connection_use_time_seconds The time between borrowing a connection and returning it to the pool.
# TYPE db_client_connection_use_time_seconds histogram
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="0.001"} 0
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="0.005"} 1
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="0.01"} 1
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="0.05"} 1
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="0.1"} 1
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="0.5"} 1
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="1"} 1
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="5"} 2
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="10"} 2
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="30"} 3
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="60"} 3
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="300"} 3
db_client_connection_use_time_seconds_bucket{db_client_connection_pool_name="main",le="+Inf"} 4
db_client_connection_use_time_seconds_sum{db_client_connection_pool_name="main"} 452.003
db_client_connection_use_time_seconds_count{db_client_connection_pool_name="main"} 4
# HELP db_client_connection_wait_time_seconds The time it took to obtain an open connection from the pool.
# TYPE db_client_connection_wait_time_seconds histogram
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="0.001"} 1
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="0.005"} 1
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="0.01"} 1
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="0.05"} 1
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="0.1"} 1
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="0.5"} 1
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="1"} 1
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="5"} 2
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="10"} 2
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="30"} 2
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="60"} 2
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="300"} 2
db_client_connection_wait_time_seconds_bucket{db_client_connection_pool_name="main",le="+Inf"} 2
db_client_connection_wait_time_seconds_sum{db_client_connection_pool_name="main"} 4.001
db_client_connection_wait_time_seconds_count{db_client_connection_pool_name="main"} 2
# HELP pghold_busy_seconds_total How long connections were held with a statement running, in holds that ended.
# TYPE pghold_busy_seconds_total counter
pghold_busy_seconds_total{db_client_connection_pool_name="main",pghold_route="(no route)"} 0
pghold_busy_seconds_total{db_client_connection_pool_name="main",pghold_route="GET /"} 422
# HELP pghold_folded_holds_total Holds that were counted under the route "(other)", because there are more series than the recorder keeps apart.
# TYPE pghold_folded_holds_total counter
pghold_folded_holds_total 3
# HELP pghold_holds_total Holds that ended.
# TYPE pghold_holds_total counter
pghold_holds_total{db_client_connection_pool_name="main",pghold_route="(no route)"} 1
pghold_holds_total{db_client_connection_pool_name="main",pghold_route="GET /"} 3
# HELP pghold_longest_silent_in_transaction_seconds The longest that an open hold has had a transaction open and no statement running, its gaps added up.
# TYPE pghold_longest_silent_in_transaction_seconds gauge
pghold_longest_silent_in_transaction_seconds{db_client_connection_pool_name="main",pghold_route="GET /"} 50
# HELP pghold_oldest_hold_seconds How long the oldest open hold has lasted.
# TYPE pghold_oldest_hold_seconds gauge
pghold_oldest_hold_seconds{db_client_connection_pool_name="main",pghold_route="GET /"} 90
# HELP pghold_open_holds Holds that are open.
# TYPE pghold_open_holds gauge
pghold_open_holds{db_client_connection_pool_name="main",pghold_route="GET /"} 2
# HELP pghold_panics_total Holds whose handler panicked.
# TYPE pghold_panics_total counter
pghold_panics_total{db_client_connection_pool_name="main",pghold_route="(no route)"} 0
pghold_panics_total{db_client_connection_pool_name="main",pghold_route="GET /"} 1
# HELP pghold_silent_in_transaction_seconds_total How long connections were held with no statement running and a transaction open, in holds that ended.
# TYPE pghold_silent_in_transaction_seconds_total counter
pghold_silent_in_transaction_seconds_total{db_client_connection_pool_name="main",pghold_route="(no route)"} 0
pghold_silent_in_transaction_seconds_total{db_client_connection_pool_name="main",pghold_route="GET /"} 28
# HELP pghold_silent_seconds_total How long connections were held with no statement running, in holds that ended.
# TYPE pghold_silent_seconds_total counter
pghold_silent_seconds_total{db_client_connection_pool_name="main",pghold_route="(no route)"} 0
pghold_silent_seconds_total{db_client_connection_pool_name="main",pghold_route="GET /"} 30
# HELP pghold_slow_call_seconds_total How long slow calls took inside holds that ended.
# TYPE pghold_slow_call_seconds_total counter
pghold_slow_call_seconds_total{db_client_connection_pool_name="main",pghold_route="GET /",pghold_slow_call="POST charge/"} 27
# HELP pghold_slow_calls_total Slow calls inside holds that ended.
# TYPE pghold_slow_calls_total counter
pghold_slow_calls_total{db_client_connection_pool_name="main",pghold_route="GET /",pghold_slow_call="POST charge/"} 1
# HELP pghold_wait_seconds_total How long callers queued for a connection, by the pool's own count.
# TYPE pghold_wait_seconds_total counter
pghold_wait_seconds_total{db_client_connection_pool_name="main"} 2.5
# HELP pghold_waits_total Callers who had to queue for a connection, by the pool's own count.
# TYPE pghold_waits_total counter
pghold_waits_total{db_client_connection_pool_name="main"} 5
`

func TestCollector_SaysWhatTheSnapshotSays(t *testing.T) {
	if err := testutil.CollectAndCompare(promhold.CollectorOf(made), strings.NewReader(wantMade)); err != nil {
		t.Error(err)
	}
}

// What a pool says of itself is told from its first connection and its first wait on.
func TestCollector_APoolOfOneConnection(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 4} {
		s := &pghold.Snapshot{Pools: []pghold.PoolSnapshot{{Name: "small", Open: n, Max: n, Waits: uint64(n), WaitTime: time.Duration(n)}}}
		families := gather(t, promhold.CollectorOf(func() *pghold.Snapshot { return s }))
		got := 0
		for _, f := range families {
			for _, m := range f.Metric {
				switch name := f.GetName(); {
				case name == "db_client_connection_max", name == "pghold_waits_total", name == "pghold_wait_seconds_total", name == "db_client_connection_count" && strings.Contains(m.String(), "idle"):
					got++
				}
			}
		}
		if got != want {
			t.Errorf("%d connections: %d of its own figures, want %d: %v", n, got, want, slices.Sorted(maps.Keys(families)))
		}
	}
}

// The package's documentation lists what there is.
func TestCollector_IsDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for name := range gather(t, promhold.CollectorOf(made)) {
		if !strings.Contains(string(doc), "//	"+name+"\n") && !strings.Contains(string(doc), "//	"+name+" ") {
			t.Errorf("doc.go does not list %s", name)
		}
	}
}

func TestCollector_HasOneUnusualName(t *testing.T) {
	problems, err := testutil.CollectAndLint(promhold.CollectorOf(made))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Metric != "db_client_connection_count" { // which is OpenTelemetry's name
			t.Errorf("%s: got %q, want no problem", p.Metric, p.Text)
		}
	}
	if len(problems) != 1 {
		t.Errorf("got %d problems, want the one of db_client_connection_count", len(problems))
	}
}

func TestCollector_CountersBeginWithTheRecorder(t *testing.T) {
	for name, family := range gather(t, promhold.CollectorOf(made)) {
		for _, m := range family.Metric {
			created := m.GetCounter().GetCreatedTimestamp()
			switch family.GetType() {
			case dto.MetricType_GAUGE:
				continue
			case dto.MetricType_HISTOGRAM:
				created = m.GetHistogram().GetCreatedTimestamp()
			}
			if got, want := created.AsTime(), made().Began; !got.Equal(want) {
				t.Errorf("%s began at %v, want %v", name, got, want)
			}
		}
	}
}

func TestCollector_IsScraped(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{})
	pool := recorder.Pool("main")
	ctx := pghold.WithRoute(t.Context(), "GET /")
	for range 5 {
		c := pool.Wait(ctx).Checkout()
		c.BeginStatement()
		c.EndStatement(true)
		pghold.StartSlowCall(ctx, "sleep").End()
		c.Release()
	}
	open := pool.Checkout(ctx)
	defer open.Release()
	registry := prometheus.NewRegistry()
	registry.MustRegister(promhold.Collector(recorder))
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	families := map[string]*dto.MetricFamily{}
	for decoder := expfmt.NewDecoder(res.Body, expfmt.ResponseFormat(res.Header)); ; {
		var f dto.MetricFamily
		if err := decoder.Decode(&f); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		families[f.GetName()] = &f
	}
	got := values(families)
	series := recorder.Snapshot().Series[0]
	const labels = "{main,GET /}"
	for name, want := range map[string]float64{
		"pghold_holds_total" + labels:                         5,
		"pghold_busy_seconds_total" + labels:                  series.Busy.Seconds(),
		"pghold_silent_seconds_total" + labels:                series.Silent.Sum().Seconds(),
		"pghold_silent_in_transaction_seconds_total" + labels: series.SilentInTransaction.Seconds(),
		"pghold_slow_calls_total{main,GET /,sleep}":           5,
		"pghold_slow_call_seconds_total{main,GET /,sleep}":    series.SlowCalls[0].Duration.Seconds(),
		"db_client_connection_use_time_seconds{main}":         5,
		"db_client_connection_wait_time_seconds{main}":        5,
		"db_client_connection_count{main,used}":               1,
		"pghold_open_holds" + labels:                          1,
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	if age := got["pghold_oldest_hold_seconds"+labels]; age <= 0 {
		t.Errorf("the oldest hold is %v s old, want more than 0", age)
	}
}

func TestCollector_TakesHostileNames(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{})
	for _, name := range []string{"\xff", "\xfe\x00\"\n\\{}", strings.Repeat("é", 1<<16)[1:]} {
		ctx := pghold.WithRoute(t.Context(), name)
		open := recorder.Pool(name).Checkout(ctx)
		defer open.Release()
		c := recorder.Pool(name).Checkout(ctx)
		pghold.StartSlowCall(ctx, name).End()
		c.Release()
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(promhold.Collector(recorder))
	for _, accept := range []string{"", "application/openmetrics-text; version=1.0.0", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("%q is answered %d: %.200s", accept, w.Code, w.Body)
		}
		if accept == "" && !utf8.Valid(w.Body.Bytes()) {
			t.Error("the page is not UTF-8")
		}
	}
}

func TestCollector_IsBounded(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{MaxSeries: 20})
	collector := promhold.Collector(recorder)
	// most is how many a pool can have of each: routes, names, and their products. The
	// recorder keeps 20 routes apart, and the reader the first 512 of which it has seen.
	const routes, names = 513, 101
	for i := range 2000 {
		ctx := pghold.WithRoute(t.Context(), fmt.Sprint("GET /", i))
		c := recorder.Pool("main").Checkout(ctx)
		for k := range 10 {
			pghold.StartSlowCall(ctx, fmt.Sprint("host ", i, k)).End()
		}
		if i%10 == 0 {
			gather(t, collector)
		}
		c.Release()
	}
	for name, family := range gather(t, collector) {
		most := routes
		if strings.Contains(name, "slow_call") {
			most = routes * names
		}
		if len(family.Metric) > most {
			t.Errorf("%s: got %d metrics, want at most %d", name, len(family.Metric), most)
		}
		calls := map[string]bool{}
		for _, m := range family.Metric {
			for _, l := range m.Label {
				if l.GetName() == "pghold_slow_call" {
					calls[l.GetValue()] = true
				}
			}
		}
		if len(calls) > names {
			t.Errorf("%s: got %d names of slow calls, want at most %d", name, len(calls), names)
		}
	}
}

// Scrapes go on while holds are recorded, some with more slow calls than a series
// keeps apart, and no counter goes down or is gone.
func TestCollector_CountersNeverGoDown(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{MaxSeries: 4})
	registry := prometheus.NewRegistry()
	registry.MustRegister(promhold.Collector(recorder))
	var work, scrapes sync.WaitGroup
	done := make(chan struct{})
	for w := range 4 {
		work.Go(func() {
			pool := recorder.Pool(fmt.Sprint("pool ", w%2))
			for i := range 2000 {
				ctx := pghold.WithRoute(context.Background(), fmt.Sprint("GET /", i%3))
				c := pool.Wait(ctx).Checkout()
				c.BeginStatement()
				c.EndStatement(true)
				pghold.StartSlowCall(ctx, fmt.Sprint("host ", i%150)).End()
				c.Release()
			}
		})
	}
	scrape := func(last map[string]float64) map[string]float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Error(err)
		}
		now := values(counters(families))
		for name, was := range last {
			if is, there := now[name]; is < was {
				t.Errorf("%s: got %v (there: %t) after %v, want no less", name, is, there, was)
			}
		}
		return now
	}
	for range 2 {
		scrapes.Go(func() {
			last := scrape(nil)
			for {
				select {
				case <-done:
					return
				default:
					last = scrape(last)
				}
			}
		})
	}
	work.Wait()
	close(done)
	scrapes.Wait()
	var holds, calls float64
	for name, value := range scrape(nil) {
		if strings.HasPrefix(name, "pghold_holds_total") {
			holds += value
		} else if strings.HasPrefix(name, "pghold_slow_calls_total") {
			calls += value
		}
	}
	if holds != 8000 || calls != 8000 {
		t.Errorf("got %v holds with %v slow calls, want 8000 and 8000", holds, calls)
	}
}

func TestCollector_PanicsWithoutARecorder(t *testing.T) {
	defer func() {
		if got, want := fmt.Sprint(recover()), "promhold: Collector needs a recorder, and got nil"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}()
	promhold.Collector(nil)
}

func TestCollector_TwoRecordersNeedALabel(t *testing.T) {
	a, b := pghold.NewRecorder(pghold.Config{}), pghold.NewRecorder(pghold.Config{})
	a.Pool("main").Checkout(t.Context()).Release()
	b.Pool("main").Checkout(t.Context()).Release()
	registry := prometheus.NewRegistry()
	if err := registry.Register(promhold.Collector(a)); err != nil {
		t.Fatal(err)
	}
	var twice prometheus.AlreadyRegisteredError
	if err := registry.Register(promhold.Collector(b)); !errors.As(err, &twice) {
		t.Errorf("got %v, want an AlreadyRegisteredError", err)
	}
	registry = prometheus.NewRegistry()
	for tenant, recorder := range map[string]*pghold.Recorder{"a": a, "b": b} {
		if err := prometheus.WrapRegistererWith(prometheus.Labels{"tenant": tenant}, registry).Register(promhold.Collector(recorder)); err != nil {
			t.Errorf("with the label %q: %v", tenant, err)
		}
	}
	if n, err := testutil.GatherAndCount(registry, "pghold_holds_total"); n != 2 || err != nil {
		t.Errorf("got %d metrics (%v), want 2", n, err)
	}
}

func gather(t *testing.T, c prometheus.Collector) map[string]*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

// counters are the families that must not go down.
func counters(families []*dto.MetricFamily) map[string]*dto.MetricFamily {
	byName := map[string]*dto.MetricFamily{}
	for _, f := range families {
		if f.GetType() != dto.MetricType_GAUGE {
			byName[f.GetName()] = f
		}
	}
	return byName
}

// values returns numbers by name and labels' values; of histograms the counts.
func values(families map[string]*dto.MetricFamily) map[string]float64 {
	all := map[string]float64{}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		for _, m := range families[name].Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetValue())
			}
			key := name + "{" + strings.Join(labels, ",") + "}"
			all[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			for _, b := range m.GetHistogram().GetBucket() {
				all[fmt.Sprint(key, " le ", b.GetUpperBound())] = float64(b.GetCumulativeCount())
			}
		}
	}
	return all
}
