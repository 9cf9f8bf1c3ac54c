package prove_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/prove"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
)

const (
	inside     = "async_session_sleep_inside_session"
	outside    = "async_session_sleep_outside_session"
	autocommit = "autocommit_inside"
)

// closeBy is equal but for some nanoseconds, which is what a message takes in memory.
var closeBy = cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < 10*time.Nanosecond })

// What prove measures on the lab's app as somebody's service is what the lab measures: the
// same requests end in the same way at the same time, and the wire has as much silence as
// the app's recorder.
func TestRun_IsWhatTheLabMeasures(t *testing.T) {
	for _, route := range []string{outside, inside} {
		var want experiment.RouteResult
		synctest.Test(t, func(t *testing.T) {
			network := &memnet.Network{}
			server := pgmem.Start(pgmem.Config{Network: network, RoundTrip: roundTrip})
			defer server.Close()
			db, err := lab.OpenDatabaseIn(t.Context(), network, server.DSN(), untied().ServerConnections())
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			routes, err := experiment.FindRoutes([]string{route})
			if err != nil {
				t.Fatal(err)
			}
			res, err := lab.Run(t.Context(), db, lab.Options{Settings: untied(), Cases: experiment.CasesOf(routes, untied()), Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			want = res.Routes[0]
			time.Sleep(time.Minute) // for timers of net/http
		})
		inBubble(t, func(t *testing.T, st *stage) {
			res, err := prove.Run(t.Context(), st.options(t, route))
			if err != nil {
				t.Fatal(err)
			}
			got := res.Routes[0]
			if got.Name != "GET /"+route || got.NotValid != "" {
				t.Errorf("got %s, not valid: %q", got.Name, got.NotValid)
			}
			if d := cmp.Diff(want.Outcomes, got.Outcomes); d != "" {
				t.Errorf("%s: outcomes of the lab (-) and here (+):\n%s", route, d)
			}
			if d := cmp.Diff(want.Latency, got.Latency, closeBy); d != "" {
				t.Errorf("%s: latencies of the lab (-) and here (+):\n%s", route, d)
			}
			if (got.DrainedAfter - want.DrainedAfter).Abs() > 2*roundTrip {
				t.Errorf("%s: transactions went on for %v, in the lab handlers for %v", route, got.DrainedAfter, want.DrainedAfter)
			}
			if !cmp.Equal(got.Elapsed, want.Elapsed, closeBy) {
				t.Errorf("%s: %v at %v/s, in the lab %v at %v/s", route, got.Elapsed, got.Throughput, want.Elapsed, want.Throughput)
			}
			// A round trip of BEGIN and one of COMMIT are the app's to count.
			if d := (want.Holds.SilentInTransaction - got.Holds.SilentInTransaction).Abs(); d > time.Duration(want.Holds.Count)*roundTrip {
				t.Errorf("%s: silent in transaction %v, by the lab's recorder %v", route, got.Holds.SilentInTransaction, want.Holds.SilentInTransaction)
			}
			if got.Wire.Transactions != want.Holds.Count || got.Connections.Max != want.Connections.Max {
				t.Errorf("%s: %d transactions on %d connections, in the lab %d holds on %d", route, got.Wire.Transactions, got.Connections.Max, want.Holds.Count, want.Connections.Max)
			}
		}, route)
	}
}

func TestConclude_TheExperiment(t *testing.T) {
	inBubble(t, func(t *testing.T, st *stage) {
		o := st.options(t, outside, inside)
		res, err := prove.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		prove.Conclude(res)
		for i, want := range []string{
			"It is in no transaction while it waits: half of its requests take 2 s or more, its transactions 614 µs in the mean, idle for 0 s of that.",
			"240 of 500 requests were answered. It is idle in transaction for 99.9 % of the time that one is open: 2 s after SELECT id, name FROM lab.users WHERE id = $1. " +
				"15 connections carry 7.5 requests/s, and all other requests wait. " +
				"With what fills the gaps outside of the transaction they would carry 24000/s, as far as connections go: its statements take 614 µs of each request, as a mean of 270.",
		} {
			if got := st.hideSchema(res.Conclusions[i].Sentence); got != want {
				t.Errorf("%s: got\n%s, want\n%s", res.Conclusions[i].Cases, got, want)
			}
		}
		traces, err := rundir.Traces(o.Dir, withResult(t, o.Dir, res))
		if err != nil {
			t.Fatal(err)
		}
		in := res.Routes[1]
		tr := traces[in.Name]
		if len(tr.Requests) != in.Requests || len(tr.Checkouts) != in.Wire.Transactions {
			t.Errorf("kept are %d requests and %d transactions, of %d and %d", len(tr.Requests), len(tr.Checkouts), in.Requests, in.Wire.Transactions)
		}
	}, outside, inside)
}

// Four connections whose requests wait for a second one until their clients leave. Those
// behind them get theirs when their own clients are about to leave, so that most gaps are
// short.
func TestConclude_ADeadlock(t *testing.T) {
	s, ratio := experiment.Defaults(), 0.718
	s.ClientTimeout = 10 * time.Second
	seconds := func(d time.Duration) experiment.Seconds { return experiment.Seconds(d) }
	rr := experiment.RouteResult{
		Name: "POST /before", Requests: 160, Outcomes: experiment.Outcomes{OK: 3, ClientTimeout: 157}, Throughput: 0.2, SilentRatio: &ratio,
		Holds:       experiment.Holds{Count: 160, Held: experiment.Quantiles{Mean: 365 * time.Millisecond}, SilentInTransaction: 42 * time.Second},
		Connections: experiment.Connections{Max: 4},
		Wire: &experiment.Wire{
			Transactions: 160, MaxInTransaction: 4, MaxInFlight: 160, Statements: 500, ExhaustedAt: 4,
			Costliest: &experiment.Costliest{
				Transactions: 160, Held: seconds(365 * time.Millisecond), Busy: seconds(103 * time.Millisecond),
				BusyInterval: [2]experiment.Seconds{seconds(103 * time.Millisecond), seconds(103 * time.Millisecond)},
			},
			Gaps: []experiment.GapGroup{{After: "INSERT INTO projects", Count: 160, Silent: seconds(42 * time.Second), P50: seconds(16 * time.Millisecond), Longest: seconds(9900 * time.Millisecond)}},
		},
	}
	conclude := func() string {
		r := &experiment.Result{Settings: s, Routes: []experiment.RouteResult{rr}}
		prove.Conclude(r)
		return r.Conclusions[0].Sentence
	}
	const want = "3 of 160 requests were answered. It is idle in transaction for 71.8 % of the time that one is open: 263 ms in the mean, and up to 9.9 s, after INSERT INTO projects. " +
		"Some of that lasted until the clients left, while all connections were in transactions: a deadlock, if it waits there for a second connection. " +
		"At most 4 connections are in a transaction at once, and all other requests wait. " +
		"With what fills the gaps outside of the transaction they would carry 39/s, as far as connections go: its statements take 103 ms of each request, as a mean of 160."
	if got := conclude(); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	rr.Wire.Gaps[0].Longest = seconds(8 * time.Second)
	if got := conclude(); strings.Contains(got, "deadlock") {
		t.Errorf("the clients did not leave: %s", got)
	}
}

// A route that holds nothing pays for the one beside it.
func TestRun_Together(t *testing.T) {
	inBubble(t, func(t *testing.T, st *stage) {
		o := st.options(t, outside, inside)
		o.Together, o.Settings.Rate = true, 50
		res, err := prove.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		res.Service = &experiment.Service{Together: true}
		prove.Conclude(res)
		var names []string
		for _, rr := range res.Routes {
			names = append(names, rr.Name)
		}
		if want := []string{"GET /" + outside + " alone", "GET /" + outside, "GET /" + inside + " alone", "GET /" + inside, experiment.Together}; !slices.Equal(names, want) {
			t.Fatalf("got the results %q, want %q", names, want)
		}
		if open := st.openConnections(); open != 0 {
			t.Errorf("%d connections to the service are left open", open)
		}
		alone, out, in, all := res.Routes[0], res.Routes[1], res.Routes[3], res.Routes[4]
		if all.Requests != out.Requests+in.Requests || all.Outcomes.OK != out.Outcomes.OK+in.Outcomes.OK || out.Requests != 250 {
			t.Errorf("all together: %d of %d, the routes %d of %d and %d of %d", all.Outcomes.OK, all.Requests, out.Outcomes.OK, out.Requests, in.Outcomes.OK, in.Requests)
		}
		if all.Elapsed != max(out.Elapsed, in.Elapsed) {
			t.Errorf("all took %v, the routes %v and %v", all.Elapsed, out.Elapsed, in.Elapsed)
		}
		if out.Wire != nil || in.Wire != nil || all.Wire == nil || all.Wire.MaxInTransaction != 15 {
			t.Errorf("the wire's figures are those of all: %+v", all.Wire)
		}
		if out.Latency.P99 < 20*time.Second {
			t.Errorf("the route beside waits up to %v for the one that holds", out.Latency.P99)
		}
		if alone.Latency.P99 > 3*time.Second || alone.Wire == nil || alone.Wire.Transactions != 250 {
			t.Errorf("alone it takes %v, in %+v", alone.Latency.P99, alone.Wire)
		}
		for i, want := range map[int]string{
			1: "Beside the others its p99 is 29.2 s, alone it is 2 s; half of its requests take 15.6 s or more, alone 2 s; 250 of 250 requests were answered, alone 250 of 250.",
			4: "The service is idle in transaction for 99.9 % of the time that one is open: 2 s after SELECT id, name FROM lab.users WHERE id = $1. " +
				"Of these routes only GET /" + inside + " has such gaps alone. All connections, 15, are in transactions while requests of whichever route wait.",
		} {
			if got := st.hideSchema(res.Conclusions[i].Sentence); got != want {
				t.Errorf("%s: got\n%s, want\n%s", res.Conclusions[i].Cases, got, want)
			}
		}
		traces, err := rundir.Traces(o.Dir, withResult(t, o.Dir, res))
		if err != nil {
			t.Fatal(err)
		}
		for name, n := range map[string]int{names[0]: 250, names[1]: 250, experiment.Together: 500} {
			if tr := traces[name]; tr == nil || len(tr.Requests) != n {
				t.Errorf("of %s are kept %+v", name, tr)
			}
		}
	}, outside, inside)
}

// A connection that is held outside of a transaction is not seen, and that is said; not so
// where more requests are past their statements than there are connections.
func TestRun_PossiblyHeldOutsideOfATransaction(t *testing.T) {
	for route, want := range map[string]bool{autocommit: true, outside: false, inside: false} {
		inBubble(t, func(t *testing.T, st *stage) {
			res, err := prove.Run(t.Context(), st.options(t, route))
			if err != nil {
				t.Fatal(err)
			}
			prove.Conclude(res)
			got := res.Conclusions[0].Sentence
			if res.Routes[0].Wire.PossiblyHeld != want || strings.Contains(got, "Possibly it holds connections outside of transactions") != want {
				t.Errorf("%s: %v, %s", route, res.Routes[0].Wire.PossiblyHeld, got)
			}
			if strings.Contains(got, "no transaction stayed open after any of them") != (route == autocommit) {
				t.Errorf("%s: %s", route, got)
			}
		}, route)
	}
}

// At a load that needs fewer connections than there are, nothing can be told of that.
func TestConclude_FewerRequestsThanConnections(t *testing.T) {
	inBubble(t, func(t *testing.T, st *stage) {
		o := st.options(t, outside)
		o.Settings.Rate = 100
		if _, err := prove.Run(t.Context(), o); err != nil { // opens connections
			t.Fatal(err)
		}
		res, err := prove.Run(t.Context(), st.options(t, outside))
		if err != nil {
			t.Fatal(err)
		}
		rr := &res.Routes[0]
		rr.Connections.Max, rr.Wire.MaxInFlight = 15, 4
		prove.Conclude(res)
		if got := res.Conclusions[0].Sentence; !strings.Contains(got, "is not seen at this load: there were at most 4 requests at once, and 15 connections") {
			t.Errorf("got %s", got)
		}
	}, outside)
}

func TestRun_Repeats(t *testing.T) {
	inBubble(t, func(t *testing.T, st *stage) {
		o := st.options(t, outside, inside)
		o.Repeat, o.Settings.Duration = 3, time.Second
		res, err := prove.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range res.Routes {
			if len(r.Repeats) != 3 {
				t.Errorf("%s has %d runs", r.Name, len(r.Repeats))
			}
		}
		var files []string
		entries, _ := os.ReadDir(o.Dir)
		for _, e := range entries {
			files = append(files, e.Name())
		}
		want := []string{"GET-" + inside + ".bin", "GET-" + inside + ".checkouts.csv", "GET-" + outside + ".bin", "GET-" + outside + ".checkouts.csv"}
		if !slices.Equal(files, want) {
			t.Errorf("got %q, want %q", files, want)
		}
	}, outside, inside)
}

// What was finished before the end is kept.
func TestRun_Ends(t *testing.T) {
	interrupted := errors.New("interrupted")
	for name, want := range map[string]error{"interrupted": interrupted, "the service has ended": prove.ErrServiceEnded} {
		for _, after := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s after %d routes", name, after), func(t *testing.T) {
				inBubble(t, func(t *testing.T, st *stage) {
					ctx, cancel := context.WithCancelCause(t.Context())
					o := st.options(t, outside, inside)
					gone := make(chan struct{})
					o.Failed = gone
					ended, at := false, time.Time{}
					o.Progress = func(p prove.Progress) {
						if p.Number != after+1 || p.Sent < 100 || ended {
							return
						}
						ended = true
						at = time.Now()
						if want == interrupted {
							cancel(interrupted)
						} else {
							close(gone)
						}
					}
					res, err := prove.Run(ctx, o)
					if !errors.Is(err, want) {
						t.Fatalf("got %v", err)
					}
					if took := time.Since(at); took > time.Second {
						t.Errorf("it took %v to end", took)
					}
					if after == 0 {
						if res != nil {
							t.Errorf("got %+v", res)
						}
						return
					}
					if len(res.Routes) != 1 || !res.Interrupted || res.Failed == "" {
						t.Errorf("got %d routes, interrupted %v, %q", len(res.Routes), res.Interrupted, res.Failed)
					}
				}, outside, inside)
			})
		}
	}
}

// broken is a service that does something else than it should.
func broken(handle http.HandlerFunc) func(http.Handler) http.Handler {
	return func(app http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if handle != nil {
				handle(w, r)
			} else {
				app.ServeHTTP(w, r)
			}
		})
	}
}

func TestRun_NotValid(t *testing.T) {
	var n atomic.Int64
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		want   string
	}{
		"no database": {func(http.ResponseWriter, *http.Request) {}, "No connection came over the tap"},
		"errors": {func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1)%50 == 0 {
				http.Error(w, "boom", http.StatusInternalServerError)
			}
		}, "10 of 500 requests failed, and as far as can be told not for the lack of a connection; most often: 500 Internal Server Error."},
	} {
		t.Run(name, func(t *testing.T) {
			inBubbleOf(t, broken(c.handle), func(t *testing.T, st *stage) {
				if name == "errors" { // the service has a connection
					st.use(t)
				}
				n.Store(0)
				o := st.options(t, outside)
				o.WarmUp = 0
				res, err := prove.Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				prove.Conclude(res)
				if got := res.NotValid(); !strings.Contains(got, c.want) || len(res.Conclusions) > 0 {
					t.Errorf("got %q, and %d conclusions", got, len(res.Conclusions))
				}
			}, outside)
		})
	}
}

// A service may answer 500 where it got no connection in time. That is what it does under
// this load, and not a fault of the run.
func TestRun_APoolTimeoutIsNoFault(t *testing.T) {
	s := untied()
	s.PoolTimeout = 5 * time.Second
	inBubbleWith(t, s, func(app http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			app.ServeHTTP(internalError{w}, r)
		})
	}, func(t *testing.T, st *stage) {
		res, err := prove.Run(t.Context(), st.options(t, inside))
		if err != nil {
			t.Fatal(err)
		}
		r := res.Routes[0]
		if r.Outcomes.Error < 300 || r.NotValid != "" {
			t.Errorf("%d errors, not valid: %q", r.Outcomes.Error, r.NotValid)
		}
	}, inside)
}

// internalError answers 500 in place of 503.
type internalError struct{ http.ResponseWriter }

func (w internalError) WriteHeader(status int) {
	if status == http.StatusServiceUnavailable {
		status = http.StatusInternalServerError
	}
	w.ResponseWriter.WriteHeader(status)
}

// A route that uses no database is none that uses another one, where the service has used
// the one that it was given.
func TestRun_WithoutADatabase(t *testing.T) {
	inBubbleOf(t, broken(func(http.ResponseWriter, *http.Request) {}), func(t *testing.T, st *stage) {
		st.use(t).Close(t.Context())
		res, err := prove.Run(t.Context(), st.options(t, outside))
		if err != nil {
			t.Fatal(err)
		}
		prove.Conclude(res)
		if why := res.NotValid(); why != "" || res.Conclusions[0].Sentence != "It did not use the database: 500 of 500 requests were answered." {
			t.Errorf("not valid: %q, and it is said %+v", why, res.Conclusions)
		}
	}, outside)
}

// A machine may have one request in a hundred fail.
func TestRun_AFewErrors(t *testing.T) {
	var n atomic.Int64
	inBubbleOf(t, broken(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%100 == 0 {
			http.Error(w, "boom", http.StatusInternalServerError)
		}
	}), func(t *testing.T, st *stage) {
		st.use(t)
		res, err := prove.Run(t.Context(), st.options(t, outside))
		if err != nil {
			t.Fatal(err)
		}
		if r := res.Routes[0]; r.Outcomes.Error != 5 || r.NotValid != "" {
			t.Errorf("%d errors, not valid: %q", r.Outcomes.Error, r.NotValid)
		}
	}, outside)
}

// Errors are for a lack of connections only where all were in use, and had been for a while.
func TestRun_OtherErrors(t *testing.T) {
	for name, c := range map[string]struct {
		rate  float64
		after time.Duration
	}{
		"at once, all in use":      {100, time.Millisecond},
		"after a while, some free": {3, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			inBubbleOf(t, func(app http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if n := n.Add(1); n > 10 && n%3 == 0 {
						time.Sleep(c.after)
						http.Error(w, "boom", http.StatusInternalServerError)
						return
					}
					app.ServeHTTP(w, r)
				})
			}, func(t *testing.T, st *stage) {
				o := st.options(t, inside)
				o.Settings.Rate, o.Settings.Duration = c.rate, 10*time.Second
				res, err := prove.Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if got := res.NotValid(); !strings.Contains(got, "failed, and as far as can be told not for the lack of a connection") {
					t.Errorf("got %q of %+v", got, res.Routes[0].Outcomes)
				}
			}, inside)
		})
	}
}

// Handlers whose clients have left may come back to the database: what they do counts.
func TestRun_WaitsForHandlers(t *testing.T) {
	inBubbleOf(t, func(app http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(untied().ClientTimeout + 600*time.Millisecond)
			app.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
		})
	}, func(t *testing.T, st *stage) {
		o := st.options(t, outside)
		o.Settings.Rate = 2
		res, err := prove.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if r := res.Routes[0]; r.Outcomes.ClientTimeout != 10 || r.Wire.Transactions != 10 || r.NotValid != "" {
			t.Errorf("%d clients left, and there were %d transactions (not valid: %q)", r.Outcomes.ClientTimeout, r.Wire.Transactions, r.NotValid)
		}
	}, outside)
}

// What a service does by itself does not keep a run from its end, and does not water down
// what its connections carry.
func TestRun_AServiceWithAJob(t *testing.T) {
	inBubble(t, func(t *testing.T, st *stage) {
		conn := st.use(t)
		over := make(chan struct{})
		var job sync.WaitGroup
		job.Go(func() {
			for {
				for _, sql := range []string{"begin", "set a = 1", "commit"} {
					if _, err := conn.Exec(context.Background(), sql); err != nil {
						t.Error(err)
						return
					}
				}
				select {
				case <-time.After(100 * time.Millisecond):
				case <-over:
					return
				}
			}
		})
		res, err := prove.Run(t.Context(), st.options(t, inside))
		close(over)
		job.Wait()
		if err != nil {
			t.Fatal(err)
		}
		prove.Conclude(res)
		r := res.Routes[0]
		if r.NotValid != "" || r.Wire.Costliest.Transactions != 270 || r.Wire.Transactions < 500 {
			t.Fatalf("not valid: %q, %+v of %d transactions", r.NotValid, r.Wire.Costliest, r.Wire.Transactions)
		}
		if got := res.Conclusions[0].Sentence; !strings.Contains(got, " 15 connections carry 7.5 requests/s, and all other requests wait.") {
			t.Errorf("got %s", got)
		}
	}, inside)
}

// It does not wait for ever.
func TestRun_ATransactionThatStays(t *testing.T) {
	inBubble(t, func(t *testing.T, st *stage) {
		conn := st.use(t)
		o := st.options(t, outside)
		o.Settings.Rate = 2
		o.Progress = func(p prove.Progress) {
			if p.Sent == 5 {
				conn.Exec(t.Context(), "begin")
			}
		}
		res, err := prove.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		prove.Conclude(res)
		const want = "A transaction stays open: 61.000636 s after the last client had its answer or had left it is idle, and no statement runs. Its COMMIT or ROLLBACK is missing, or it waits for what never comes."
		if got := res.Conclusions[0].Sentence; res.NotValid() != "" || !strings.Contains(got, want) {
			t.Errorf("got %q (not valid: %q), want %s", got, res.NotValid(), want)
		}
	}, outside)
}

// What goes on for ever and runs statements may count for the next route.
func TestRun_StillAtWork(t *testing.T) {
	inBubble(t, func(t *testing.T, st *stage) {
		conn := st.use(t)
		over := make(chan struct{})
		var job sync.WaitGroup
		defer job.Wait()
		defer close(over)
		o := st.options(t, outside)
		o.Settings.Rate = 2
		begun := false
		o.Progress = func(p prove.Progress) {
			if p.Sent < 5 || begun {
				return
			}
			begun = true
			conn.Exec(t.Context(), "begin")
			job.Go(func() {
				for {
					select {
					case <-time.After(time.Second):
						conn.Exec(context.Background(), "set a = 1")
					case <-over:
						return
					}
				}
			})
		}
		res, err := prove.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := res.NotValid(), "The service was still at work 61.000636 s after the last client"; !strings.Contains(got, want) {
			t.Errorf("got %q, want %s", got, want)
		}
	}, outside)
}

// Where all connections are in use some pools let nobody wait, as psycopg2's: that is no fault
// of the run, and what it is is said.
func TestRun_APoolThatRefuses(t *testing.T) {
	var pool chan *pgx.Conn
	inBubbleOf(t, broken(func(w http.ResponseWriter, r *http.Request) {
		var conn *pgx.Conn
		select {
		case conn = <-pool:
		default:
			http.Error(w, "connection pool exhausted", http.StatusInternalServerError)
			return
		}
		defer func() { pool <- conn }()
		for _, sql := range []string{"begin", "set a = 1", "commit"} {
			if sql == "commit" {
				time.Sleep(time.Second)
			}
			if _, err := conn.Exec(context.Background(), sql); err != nil {
				t.Error(err)
			}
		}
	}), func(t *testing.T, st *stage) {
		pool = make(chan *pgx.Conn, 4)
		for range cap(pool) {
			pool <- st.use(t)
		}
		o := st.options(t, outside)
		o.Settings.Rate = 50
		res, err := prove.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		prove.Conclude(res)
		r := res.Routes[0]
		if r.NotValid != "" || r.Outcomes.OK != 20 || r.Wire.Refused != 230 || r.Wire.ExhaustedAt != 4 {
			t.Fatalf("not valid: %q, %+v, %d refused at %d", r.NotValid, r.Outcomes, r.Wire.Refused, r.Wire.ExhaustedAt)
		}
		const want = "20 of 250 requests were answered. It is idle in transaction for 99.9 % of the time that one is open: 1 s after SET a = ?. 4 connections carry 4 requests/s, and all other requests are refused. "
		if got := res.Conclusions[0].Sentence; !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}, outside)
}

// Requests that each wait for a second connection wait for ever, where nothing ends that.
func TestRun_ADeadlock(t *testing.T) {
	for _, warmUp := range []time.Duration{0, time.Second} {
		over := make(chan struct{})
		var pool chan *pgx.Conn // of 4
		inBubbleOf(t, broken(func(w http.ResponseWriter, r *http.Request) {
			take := func() *pgx.Conn {
				select {
				case c := <-pool:
					return c
				case <-over:
					return nil
				}
			}
			first := take()
			if first == nil {
				return
			}
			for _, sql := range []string{"begin", "set a = 1"} {
				if _, err := first.Exec(context.Background(), sql); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(100 * time.Millisecond)
			if second := take(); second != nil {
				pool <- second
				first.Exec(context.Background(), "commit")
				pool <- first
			}
		}), func(t *testing.T, st *stage) {
			over, pool = make(chan struct{}), make(chan *pgx.Conn, 4)
			for range cap(pool) {
				pool <- st.use(t)
			}
			defer synctest.Wait()
			defer close(over)
			o := st.options(t, outside, inside)
			o.Settings.Rate, o.WarmUp = 50, warmUp
			res, err := prove.Run(t.Context(), o)
			if warmUp > 0 {
				const want = "GET /" + outside + ": after the warm-up 4 connections stay idle in transaction for 61.000636 s, and no statement runs: as nothing goes on, nothing can be measured. --warm-up 0s shows how it comes to that"
				if res != nil || err == nil || err.Error() != want {
					t.Errorf("after the warm-up: got %v and\n%v, want\n%s", res, err, want)
				}
				return
			}
			const stuck = "after GET /" + outside + " the service is stuck: 4 connections stay idle in transaction, and no statement runs. What was to come was not attacked"
			if err == nil || err.Error() != stuck || res == nil || len(res.Routes) != 1 || res.Failed != stuck {
				t.Fatalf("got\n%v, want\n%s, and the result %+v", err, stuck, res)
			}
			prove.Conclude(res)
			got := res.Conclusions[0].Sentence
			for _, want := range []string{
				"0 of 250 requests were answered. It is idle in transaction for 99.9 % of the time that one is open: ",
				" At most 4 connections are in a transaction at once, and all other requests wait. ",
				" 4 transactions stay open: 61.000636 s after the last client had its answer or had left all are idle, and no statement runs. That is a deadlock, if each waits there for a second connection, and no timeout ends it.",
			} {
				if !strings.Contains(got, want) {
					t.Errorf("got\n%s, want\n%s", got, want)
				}
			}
		}, outside)
	}
}

// Requests before the load are sent, and do not count.
func TestRun_WarmsUp(t *testing.T) {
	var n atomic.Int64
	inBubbleOf(t, func(app http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			app.ServeHTTP(w, r)
		})
	}, func(t *testing.T, st *stage) {
		o := st.options(t, outside)
		o.Settings.Rate, o.WarmUp = 10, 2*time.Second
		res, err := prove.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if r := res.Routes[0]; n.Load() != 70 || r.Requests != 50 || r.Wire.Transactions != 50 || r.Latency.Max != r.Latency.Min {
			t.Errorf("%d were sent, %d count, %d transactions, %v to %v", n.Load(), r.Requests, r.Wire.Transactions, r.Latency.Min, r.Latency.Max)
		}
	}, outside)
}

// Two routes whose names come to the same name of a file have files of their own.
func TestRun_NamesOfFiles(t *testing.T) {
	inBubble(t, func(t *testing.T, st *stage) {
		o := st.options(t, outside, inside, outside)
		o.Settings.Rate, o.Settings.Duration = 10, time.Second
		o.Targets[0].Name, o.Targets[1].Name, o.Targets[2].Name = "a/b", "a b", "../.."
		res, err := prove.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for _, r := range res.Routes {
			files = append(files, r.File)
		}
		if want := []string{"a-b", "a-b-2", "route"}; !slices.Equal(files, want) {
			t.Errorf("got %q, want %q", files, want)
		}
	}, outside, inside)
}

// withResult puts the result into the folder of its files.
func withResult(t *testing.T, dir string, r *experiment.Result) *experiment.Result {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, rundir.ResultFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := experiment.WriteResult(f, r); err != nil {
		t.Fatal(err)
	}
	return r
}
