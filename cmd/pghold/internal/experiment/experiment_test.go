package experiment_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// They are the published experiment's, and what the further routes ask for beside them.
func TestDefaults(t *testing.T) {
	want := experiment.Settings{Rate: 100, Duration: 5 * time.Second, Slow: 2 * time.Second, SlowShape: "fixed", ClientTimeout: 30 * time.Second,
		Pool: "queuepool", PoolSize: 5, MaxOverflow: 10, PoolTimeout: 30 * time.Second, Threads: 40, Accounts: 100, Speed: 1}
	if diff := cmp.Diff(want, experiment.Defaults()); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

// A tag that nobody reads is misspelt.
func TestSettings_TagsAreKnown(t *testing.T) {
	known := []string{"kong", "name", "help", "default", "key", "omit", "unit", "speed", "least", "server", "words", "off", "of"}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[experiment.Settings]()) {
		for _, m := range regexp.MustCompile(`(\w+):"[^"]*"`).FindAllStringSubmatch(string(f.Tag), -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s has a tag %q, which nobody reads", f.Name, m[1])
			}
		}
	}
}

func TestSettings_Check(t *testing.T) {
	if err := experiment.Defaults().Check(); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	one := experiment.Settings{Rate: 1, Duration: time.Second, ClientTimeout: time.Second, PoolTimeout: time.Second, SlowShape: "fixed", Pool: "sql", PoolSize: 1, Threads: 1, Accounts: 1, Speed: 1}
	if err := one.Check(); err != nil {
		t.Errorf("one of everything is refused: %v", err)
	}
	if one.ServerConnections() != 1 {
		t.Errorf("the server sees %d connections of a pool of one", one.ServerConnections())
	}
	one.PoolSize, one.PgBouncer = 5, 1
	if one.ServerConnections() != 1 {
		t.Errorf("the server sees %d connections of a PgBouncer with one", one.ServerConnections())
	}
	for flag, spoil := range map[string]func(*experiment.Settings){
		"--rate":           func(s *experiment.Settings) { s.Rate = 0 },
		"--duration":       func(s *experiment.Settings) { s.Duration = 0 },
		"--slow":           func(s *experiment.Settings) { s.Slow = -1 },
		"--client-timeout": func(s *experiment.Settings) { s.ClientTimeout = 0 },
		"--pool ":          func(s *experiment.Settings) { s.Pool = "c3p0" },
		"--pool-size":      func(s *experiment.Settings) { s.PoolSize = 0 },
		"--max-overflow":   func(s *experiment.Settings) { s.MaxOverflow = -1 },
		"--pool-timeout":   func(s *experiment.Settings) { s.PoolTimeout = 0 },
		"--threads":        func(s *experiment.Settings) { s.Threads = -1 },
		"--speed":          func(s *experiment.Settings) { s.Speed = 0 },
		"no request":       func(s *experiment.Settings) { s.Rate = 0.01 },
		"--pgbouncer does": func(s *experiment.Settings) { s.PgBouncer, s.IdleInTransactionTimeout = 1, time.Second },
		"--transaction":    func(s *experiment.Settings) { s.PgBouncer, s.TransactionTimeout = 1, time.Second },
		"at least 1 ms":    func(s *experiment.Settings) { s.Speed, s.TransactionTimeout = 2000, time.Second },
	} {
		s := experiment.Defaults()
		spoil(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("got %v, want an error that names %s", err, flag)
		}
	}
}

func TestSettings_Compressed(t *testing.T) {
	s := experiment.Defaults()
	s.Speed = 10
	c := s.Compressed()
	if c.Rate != 1000 || c.Duration != 500*time.Millisecond || c.Slow != 200*time.Millisecond ||
		c.ClientTimeout != 3*time.Second || c.PoolTimeout != 3*time.Second || c.Speed != 1 {
		t.Errorf("got %+v", c)
	}
	if c.Requests() != s.Requests() || c.Connections() != s.Connections() || c.InFlight() != s.InFlight() {
		t.Error("compressing changed how many requests or connections there are")
	}
	if !s.SameQuestion(experiment.Defaults()) {
		t.Error("the speed changed the question")
	}
}

func TestSettings_Collapses(t *testing.T) {
	s := experiment.Defaults()
	if !s.Collapses() {
		t.Error("the seed's settings collapse under a load that lasts, and are said not to")
	}
	s.PoolTimeout = 27500 * time.Millisecond
	if s.Collapses() {
		t.Error("a pool timeout below client timeout - slow call is said to collapse")
	}
	if s.PoolTimeout = 27950 * time.Millisecond; !s.Collapses() { // 50 ms are no margin
		t.Error("a pool timeout that is not sound is said not to collapse")
	}
	s = experiment.Defaults()
	s.Rate = 5
	if s.Collapses() {
		t.Error("a load that the pool carries is said to collapse")
	}
}

// fullResult has a value in every field.
func fullResult() *experiment.Result {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	q := experiment.Quantiles{Min: 1e6, Mean: 2e6, P50: 3e6, P90: 4e6, P95: 5e6, P99: 6e6, Max: 7e6}
	s := experiment.Defaults()
	s.CancelOnDisconnect, s.Postgres, s.Speed = true, "15.18", 2.5
	s.SlowShape, s.MaxInFlight, s.IdleInTransactionTimeout, s.TransactionTimeout = experiment.Lognormal, 30, 1e9, 2e9
	s.Distance, s.PgBouncer, s.Accounts = 5e6, 6, 7
	own := s
	own.Rate = 300
	full := &experiment.Result{
		Kind: experiment.Measured, Version: "v1", StartedAt: &at, Settings: s, Repeat: 3, Interrupted: true, Warnings: []string{"a sentence"},
		Overheads: &experiment.Overheads{Statement: 1e6, Connect: 2e6, Request: 3e6, Call: 4e6, Handover: 5e6},
		Conclusions: []experiment.Conclusion{{
			About: "breaks", Cases: []string{"r@1"}, Sentence: "It breaks.", Figures: map[string]float64{"breaks_per_s": 7.5}, Unreached: true,
		}},
		Routes: []experiment.RouteResult{{
			Name: "r@1", Route: "r", Settings: &own, Requests: 500, Rate: 100.2, Throughput: 6.86, Elapsed: 35 * time.Second, SuccessRatio: 0.48, Goodput: 6.8,
			Latency: q, SuccessLatency: q, SentLate: q, DrainedAfter: time.Second, BytesIn: 12,
			Outcomes: experiment.Outcomes{OK: 1, ClientTimeout: 2, PoolTimeout: 3, Rejected: 5, Error: 4},
			Interval: map[string][2]float64{"success_ratio": {0.47, 0.49}}, StatusCodes: map[string]int{"200": 1}, Errors: map[string]int{"reset": 4},
			Time:        experiment.TimeSplit{ThreadWait: 1e9, PoolWait: 2e9, Busy: 3e9, Slow: 4e9},
			Holds:       experiment.Holds{Count: 5, Held: q, BusyRatio: 0.5, SilentInTransaction: 6e9, Wait: q, Handover: q, Opening: q, MaxWaiting: 7},
			Connections: experiment.Connections{Max: 15, MaxSilentInTransaction: 14, Left: 5, SilentInTransaction: 8e9},
			PerRequest:  experiment.PerRequest{Checkouts: 1.5, Statements: 2.5, RoundTrips: 3.5},
			Updates: &experiment.Updates{Recorded: 1, Lost: 2, Retries: 3, Calls: 4, CallsRepeated: 5, Killed: &experiment.Killed{
				Kills: 6, Begun: 7, Recorded: 8, Calls: 9, CallsAgain: 10, PaidNotRecorded: 11, PaidTwice: 12, Lost: 13,
			}},
		}},
	}
	full.Routes[0].Sides = &experiment.Sides{Recorder: 1e9, Tap: 2e9, Sampled: 3e9, SampledAtMost: 4e9, Counted: 5e9}
	full.Routes[0].Repeats = []experiment.Figures{full.Routes[0].Figures()}
	full.Routes[0].Predicted = &experiment.Prediction{
		SuccessRatio: 0.5, Throughput: 7, Latency: experiment.Latencies{"p99": 6e6}, Connections: experiment.PredictedConnections{Max: 13, MaxSilentInTransaction: 12},
		Updates: full.Routes[0].Updates, Error: map[string]float64{"latency_s.p99": 0.25}, Note: "It hangs on milliseconds.",
	}
	full.Routes[0].NotPredicted = "a sentence"
	full.Routes[0].NotValid = "a sentence"
	ratio, counted := 0.97, experiment.Seconds(9e9)
	full.Routes[0].File, full.Routes[0].SilentRatio, full.Routes[0].Repeats[0].SilentRatio = "r-1", &ratio, &ratio
	full.Routes[0].Wire = &experiment.Wire{
		Transactions: 1, SilentPerRequest: 1e9, MaxInTransaction: 2, MaxInFlight: 3, Statements: 4, Busy: 1e6, Costliest: &experiment.Costliest{Transactions: 1, Held: 2e9, Busy: 1e6, BusyInterval: [2]experiment.Seconds{1e6, 2e6}, Others: 3e6}, PossiblyHeld: true, ExhaustedAt: 5, Refused: 6, Stuck: &experiment.Stuck{Transactions: 2, For: 61e9},
		Filled: []experiment.Filled{{What: "sleep", Where: "a.go:1", Count: 1, S: 2e9}},
		Gaps:   []experiment.GapGroup{{Route: "/x", After: "SELECT …", Count: 6, Silent: 7e9, P50: 8e9, Longest: 9e9}},
	}
	full.Service = &experiment.Service{
		Command: []string{"uvicorn", "app:app"}, Attacks: []experiment.Attacked{{Name: "GET /x", Method: "GET", URL: "http://127.0.0.1:8000/x", Body: 12}},
		Together: true, Flags: []string{"--upstream"}, Database: "a throwaway Postgres", Sampled: true, Upstream: true, SilentInTransaction: 8e9, CountedByServer: &counted,
	}
	full.Failed = "a sentence"
	full.ContradictedBy = []experiment.Conclusion{{
		About: "waiting", Cases: []string{"r@1"}, Sentence: "49 wait.", Figures: map[string]float64{"waiting": 49}, Unreached: true,
	}}
	return full
}

func TestFullResult_IsFull(t *testing.T) {
	var look func(path string, v reflect.Value)
	look = func(path string, v reflect.Value) {
		switch {
		case v.IsZero():
			t.Errorf("%s has no value", path)
		case v.Kind() == reflect.Pointer:
			look(path, v.Elem())
		case v.Type() == reflect.TypeFor[time.Time](): // is what it says
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				look(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case v.Kind() == reflect.Slice:
			look(path, v.Index(0))
		}
	}
	look("result", reflect.ValueOf(fullResult()))
}

func TestResult_SurvivesJSON(t *testing.T) {
	want := fullResult()
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := experiment.ReadResult(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("written and read (-want +got):\n%s", diff)
	}
}

// The names are a contract: other programs read them.
func TestResult_JSONNames(t *testing.T) {
	b, err := json.Marshal(fullResult())
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	at := func(path string) any {
		var v any = m
		for _, key := range strings.Split(path, ".") {
			if list, ok := v.([]any); ok {
				v = list[0]
			}
			v = v.(map[string]any)[key]
		}
		return v
	}
	for path, want := range map[string]any{
		"kind": "measured", "version": "v1", "started_at": "2026-11-23T12:00:00Z",
		"settings.rate_per_s": 100.0, "settings.duration_s": 5.0, "settings.slow_s": 2.0, "settings.client_timeout_s": 30.0,
		"settings.pool": "queuepool", "settings.pool_size": 5.0, "settings.max_overflow": 10.0, "settings.pool_timeout_s": 30.0,
		"settings.threads": 40.0, "settings.cancel_on_disconnect": true, "settings.speed": 2.5, "settings.postgres": "15.18",
		"settings.slow_shape": "lognormal", "settings.max_in_flight": 30.0, "settings.idle_in_transaction_session_timeout_s": 1.0,
		"settings.transaction_timeout_s": 2.0, "settings.distance_s": 0.005, "settings.pgbouncer_connections": 6.0, "settings.accounts": 7.0,
		"routes.name": "r@1", "routes.route": "r", "routes.settings.rate_per_s": 300.0, "routes.requests": 500.0, "routes.rate_per_s": 100.2, "routes.throughput_per_s": 6.86,
		"routes.elapsed_s": 35.0, "routes.success_ratio": 0.48, "routes.goodput_per_s": 6.8,
		"routes.latency_s.min": 0.001, "routes.latency_s.mean": 0.002, "routes.latency_s.p50": 0.003, "routes.latency_s.p90": 0.004,
		"routes.latency_s.p95": 0.005, "routes.latency_s.p99": 0.006, "routes.latency_s.max": 0.007, "routes.success_latency_s.p99": 0.006,
		"routes.outcomes.ok": 1.0, "routes.outcomes.client_timeout": 2.0, "routes.outcomes.pool_timeout": 3.0, "routes.outcomes.error": 4.0, "routes.outcomes.rejected": 5.0,
		"routes.status_codes.200":   1.0,
		"routes.time_s.thread_wait": 1.0, "routes.time_s.pool_wait": 2.0, "routes.time_s.busy": 3.0, "routes.time_s.slow": 4.0,
		"routes.holds.count": 5.0, "routes.holds.held_s.mean": 0.002, "routes.holds.busy_ratio": 0.5,
		"routes.holds.silent_in_transaction_s": 6.0, "routes.holds.wait_s.p99": 0.006, "routes.holds.handover_s.p99": 0.006, "routes.holds.max_waiting": 7.0,
		"routes.connections.max": 15.0, "routes.connections.max_silent_in_transaction": 14.0,
		"routes.connections.silent_in_transaction_s": 8.0,
		"routes.per_request.checkouts":               1.5, "routes.per_request.statements": 2.5, "routes.per_request.round_trips": 3.5,
		"routes.updates.recorded": 1.0, "routes.updates.lost": 2.0, "routes.updates.retries": 3.0, "routes.updates.calls": 4.0,
		"routes.updates.calls_repeated": 5.0, "routes.updates.killed.kills": 6.0, "routes.updates.killed.begun": 7.0,
		"routes.updates.killed.recorded": 8.0, "routes.updates.killed.calls": 9.0, "routes.updates.killed.calls_repeated": 10.0,
		"repeat": 3.0, "routes.repeats.elapsed_s": 35.0, "routes.repeats.success_ratio": 0.48, "routes.repeats.throughput_per_s": 6.86,
		"routes.repeats.goodput_per_s": 6.8, "routes.repeats.latency_s.p99": 0.006, "routes.repeats.outcomes.ok": 1.0, "routes.repeats.time_s.pool_wait": 2.0,
		"routes.repeats.holds.silent_in_transaction_s": 6.0, "routes.repeats.connections.max": 15.0, "routes.repeats.per_request.checkouts": 1.5,
		"routes.repeats.updates.lost": 2.0,
		"overheads_s.statement":       0.001, "overheads_s.connect": 0.002, "overheads_s.request": 0.003, "overheads_s.call": 0.004, "overheads_s.handover": 0.005,
		"routes.predicted.success_ratio": 0.5, "routes.predicted.throughput_per_s": 7.0, "routes.predicted.latency_s.p99": 0.006,
		"routes.predicted.connections.max": 13.0, "routes.predicted.connections.max_silent_in_transaction": 12.0,
		"routes.predicted.updates.recorded": 1.0, "routes.predicted.note": "It hangs on milliseconds.", "routes.not_predicted": "a sentence",
		"routes.updates.killed.paid_not_recorded": 11.0, "routes.updates.killed.paid_twice": 12.0, "routes.updates.killed.lost": 13.0,
	} {
		if got := at(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
}

func TestReadResult_Refuses(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": "GET /", "another document": `{"a": 1}`, "a duration that is none": `{"kind": "measured", "settings": {"slow_s": 1e300}}`,
	} {
		if _, err := experiment.ReadResult([]byte(text)); err == nil || !strings.Contains(err.Error(), "not a pghold result") {
			t.Errorf("%s: got %v, want an error that says what it is not", name, err)
		}
	}
}

func TestNewQuantiles(t *testing.T) {
	if got := experiment.NewQuantiles(nil); got != (experiment.Quantiles{}) {
		t.Errorf("of nothing: %+v", got)
	}
	var ds []time.Duration
	for i := 100; i >= 1; i-- {
		ds = append(ds, time.Duration(i))
	}
	want := experiment.Quantiles{Min: 1, Mean: 50, P50: 50, P90: 90, P95: 95, P99: 99, Max: 100}
	if got := experiment.NewQuantiles(ds); got != want {
		t.Errorf("of 1 to 100: got %+v, want %+v", got, want)
	}
	if got := experiment.NewQuantiles([]time.Duration{7}); got != (experiment.Quantiles{7, 7, 7, 7, 7, 7, 7}) {
		t.Errorf("of one: %+v", got)
	}
	if got := experiment.NewQuantiles([]time.Duration{20, 10}); got != (experiment.Quantiles{10, 15, 10, 20, 20, 20, 20}) {
		t.Errorf("of two: %+v", got)
	}
}

func TestFindRoutes(t *testing.T) {
	all := experiment.RoutesOf("seed")
	if _, err := experiment.FindRoutes(nil); err == nil || len(all) != 4 {
		t.Errorf("%d routes of the seed, and naming none is no error", len(all))
	}
	two, err := experiment.FindRoutes([]string{"async_session_sleep_inside_session", "/sync_session_sleep_inside_session"})
	if err != nil || len(two) != 2 || two[0].Sync || !two[1].Sync {
		t.Errorf("got %+v, %v; want the two in the order named", two, err)
	}
	_, err = experiment.FindRoutes([]string{"async_session_sleep_insid"})
	if err == nil || !strings.Contains(err.Error(), "did you mean async_session_sleep_inside_session?") {
		t.Errorf("got %v, want the nearest name", err)
	}
	if _, err := experiment.FindRoutes([]string{all[0].Name, all[0].Name}); err == nil {
		t.Error("a route named twice was taken")
	}
}

func TestSeed(t *testing.T) {
	seed := experiment.Seed()
	if !seed.Settings.SameQuestion(experiment.Defaults()) {
		t.Error("the seed's settings are not the defaults")
	}
	for _, r := range experiment.RoutesOf("seed") {
		if seed.Route(r.Name) == nil {
			t.Errorf("the seed has no route %s", r.Name)
		}
	}
	if got := seed.Route("async_session_sleep_inside_session").Outcomes.OK; got != 240 {
		t.Errorf("async inside: %d successes, want the published 240", got)
	}
}

func TestTimeouts_Sound(t *testing.T) {
	s := experiment.Timeouts{ClientTimeout: 30 * time.Second, Rest: 2 * time.Second}
	if s.Most() != 27900*time.Millisecond {
		t.Errorf("the longest wait is %v", s.Most())
	}
	for wait, want := range map[time.Duration]bool{s.Most(): true, s.Most() + 1: false} {
		s.PoolTimeout = wait
		if s.Sound() != want {
			t.Errorf("a wait of %v is sound: %v", wait, s.Sound())
		}
	}
}
