package attack_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/cmd/pghold/internal/attack"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/internal/memnet"
)

// load is a load of so many requests per second, for a time.
func load(rate float64, d time.Duration) experiment.Settings {
	s := experiment.Defaults()
	s.Rate, s.Duration = rate, d
	return s
}

// attacked runs f in virtual time beside an attack on a server in memory. The n-th request, from
// 0, is for /n.
func attacked(t *testing.T, s experiment.Settings, handle http.HandlerFunc, f func(*testing.T, *attack.Attack)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := &memnet.Network{}
		l, err := network.Listen()
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: handle}
		go server.Serve(l)
		var n atomic.Int64
		f(t, attack.New(attack.Config{
			Name: "a route", Settings: s, Dial: network.Dial,
			Targets: func(target *vegeta.Target) error {
				*target = vegeta.Target{Method: "GET", URL: "http://" + l.Addr().String() + "/" + strconv.Itoa(int(n.Add(1)-1))}
				return nil
			},
		}))
		server.Close()
		time.Sleep(time.Hour) // for timers of net/http
	})
}

// A request counts by how it ended, once.
func TestAttack_Outcomes(t *testing.T) {
	answers := []func(http.ResponseWriter){
		func(w http.ResponseWriter) { io.WriteString(w, "hello") },
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusFound) },
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		func(w http.ResponseWriter) { // a provider that sends away
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) },
		func(w http.ResponseWriter) { http.Error(w, "boom", http.StatusInternalServerError) },
		func(http.ResponseWriter) { time.Sleep(40 * time.Second) },
		func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	}
	attacked(t, load(float64(len(answers)), time.Second), func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Path[1:])
		answers[n](w)
	}, func(t *testing.T, a *attack.Attack) {
		var written bytes.Buffer
		if err := a.Run(&written); err != nil {
			t.Fatal(err)
		}
		r := a.Result()
		if want := (experiment.Outcomes{OK: 2, ClientTimeout: 1, PoolTimeout: 1, Rejected: 1, Error: 3}); r.Outcomes != want || r.Requests != len(answers) {
			t.Errorf("got %+v of %d, want %+v of %d", r.Outcomes, r.Requests, want, len(answers))
		}
		if want := map[string]int{"200": 1, "302": 1, "503": 2, "429": 1, "500": 1, "0": 2}; !maps.Equal(r.StatusCodes, want) {
			t.Errorf("got the codes %v, want %v", r.StatusCodes, want)
		}
		if r.BytesIn != int64(len("hello")+len("boom\n")) || r.SuccessRatio != 0.25 || r.Name != "a route" {
			t.Errorf("got %d bytes, success %v, of %s", r.BytesIn, r.SuccessRatio, r.Name)
		}
		unanswered := a.Unanswered()
		if len(unanswered) != 1 { // who left is not among them
			t.Errorf("without an answer: %v", unanswered)
		}
		if sent, ok, failed := a.Counts(); sent != len(answers) || ok != 2 || failed != 6 {
			t.Errorf("counted are %d sent, %d answered, %d failed", sent, ok, failed)
		}
		// The client that left was the last but one, and nobody was waited for longer.
		if want := 6*time.Second/8 + 30*time.Second; (r.Elapsed-want).Abs() > time.Microsecond || (a.Ended().Sub(a.Began())-want).Abs() > time.Microsecond {
			t.Errorf("it took %v, want %v", r.Elapsed, want)
		}
		decode, n := vegeta.NewDecoder(&written), 0
		for {
			var hit vegeta.Result
			if err := decode(&hit); err != nil {
				break
			}
			n++
		}
		if n != len(answers) {
			t.Errorf("%d requests were written, want %d", n, len(answers))
		}
	})
}

// Requests are sent evenly, however long answers take, and as many as were asked for: also
// where their number is odd and the rate no whole number.
func TestAttack_IsOpen(t *testing.T) {
	s := load(2.5, 2*time.Second)
	attacked(t, s, func(http.ResponseWriter, *http.Request) { time.Sleep(7 * time.Second) }, func(t *testing.T, a *attack.Attack) {
		if err := a.Run(io.Discard); err != nil {
			t.Fatal(err)
		}
		requests := a.Requests()
		if len(requests) != 5 {
			t.Fatalf("%d were sent, want 5", len(requests))
		}
		for i, r := range requests {
			if want := time.Duration(i) * 400 * time.Millisecond; (r.Sent-want).Abs() > time.Microsecond || (r.Latency-7*time.Second).Abs() > time.Microsecond {
				t.Errorf("request %d was sent after %v, and took %v", i, r.Sent, r.Latency)
			}
		}
		r := a.Result()
		if r.Rate < 3.1 || r.Rate > 3.2 { // 5 in 1.6 s
			t.Errorf("%v were sent per second", r.Rate)
		}
		if want := 5 / 8.6; (r.Throughput-want)/want > 1e-6 || r.Goodput != r.Throughput {
			t.Errorf("throughput %v, want %v", r.Throughput, want)
		}
	})
}

// Run ten times as fast, an attack has the same figures.
func TestAttack_Speed(t *testing.T) {
	s := load(10, time.Second)
	s.Speed = 10
	attacked(t, s, func(http.ResponseWriter, *http.Request) { time.Sleep(200 * time.Millisecond) }, func(t *testing.T, a *attack.Attack) {
		began := time.Now()
		if err := a.Run(io.Discard); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 300*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		r := a.Result()
		near := func(d, want time.Duration) bool { return (d - want).Abs() < 100*time.Microsecond }
		if !near(r.Latency.P50, 2*time.Second) || !near(r.Elapsed, 2900*time.Millisecond) || !near(a.Requests()[9].Sent, 900*time.Millisecond) {
			t.Errorf("half of the requests took %v, all %v, the last was sent after %v", r.Latency.P50, r.Elapsed, a.Requests()[9].Sent)
		}
	})
}

// After Stop no request is sent, and those under way end.
func TestAttack_Stop(t *testing.T) {
	var asked atomic.Int64
	attacked(t, load(10, 10*time.Second), func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		time.Sleep(3 * time.Second)
	}, func(t *testing.T, a *attack.Attack) {
		time.AfterFunc(950*time.Millisecond, a.Stop)
		if err := a.Run(io.Discard); err != nil {
			t.Fatal(err)
		}
		// Where vegeta may send or stop, it does either by chance: some are sent after it.
		if r := a.Result(); r.Outcomes.OK != r.Requests || r.Requests < 10 || r.Requests > 60 || int(asked.Load()) != r.Requests {
			t.Errorf("%d of %d were answered, and %d asked for", r.Outcomes.OK, r.Requests, asked.Load())
		}
	})
}

// Where requests cannot be written down, the attack ends.
func TestAttack_CannotWrite(t *testing.T) {
	attacked(t, load(10, 10*time.Second), func(http.ResponseWriter, *http.Request) {}, func(t *testing.T, a *attack.Attack) {
		full := errors.New("the disk is full")
		err := a.Run(failing{full})
		if r := a.Result(); !errors.Is(err, full) || !strings.HasPrefix(err.Error(), "writing the requests of a route: ") || r.Requests > 60 { // of 100, as above
			t.Errorf("got %v after %d requests", err, r.Requests)
		}
	})
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Of many texts of errors the commonest are kept.
func TestAttack_Errors(t *testing.T) {
	attacked(t, load(20, time.Second), func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(500 + min(n, 12)) // eight times 512
	}, func(t *testing.T, a *attack.Attack) {
		if err := a.Run(io.Discard); err != nil {
			t.Fatal(err)
		}
		r, most := a.Result(), 0
		for _, n := range r.Errors {
			most = max(most, n)
		}
		if len(r.Errors) != 5 || most != 8 || r.Outcomes.Error != 19 || r.Outcomes.PoolTimeout != 1 {
			t.Errorf("kept are %v, of %+v", r.Errors, r.Outcomes)
		}
	})
}

func TestLate(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		p99, max, p50, nothing time.Duration
		want                   string
	}{
		"in time":                      {5 * ms, 9 * ms, 100 * ms, 0, ""},
		"later than a share":           {6 * ms, 9 * ms, 100 * ms, 0, "requests were sent up to 9 ms late (p99 6 ms)"},
		"of what disturbs nothing":     {6 * ms, 9 * ms, 100 * ms, 6 * ms, ""},
		"more than disturbs nothing":   {7 * ms, 9 * ms, 100 * ms, 6 * ms, "requests were sent up to 9 ms late (p99 7 ms)"},
		"of long answers, little":      {90 * ms, 900 * ms, 2000 * ms, 10 * ms, ""},
		"nothing was answered at once": {90 * ms, 900 * ms, 0, 0, ""},
	} {
		if got := attack.Late(&experiment.Quantiles{P99: c.p99, Max: c.max}, c.p50, c.nothing); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
