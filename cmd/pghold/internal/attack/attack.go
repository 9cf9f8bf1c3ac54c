// Package attack sends requests with vegeta and counts how they end, for the lab and for
// prove. It does not know what is attacked, judges nothing and draws nothing.
package attack

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Config says what is sent, and how fast.
type Config struct {
	Name string
	// Targets gives each request. A vegeta.Targeter is called by several goroutines.
	Targets vegeta.Targeter
	// Settings are those of the load: rate, duration, client timeout and speed are used.
	Settings experiment.Settings
	// Dial connects to the server. By default that is the net package's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Attack sends requests and counts how they end. The load is open: a request is sent at
// its time, however many are still under way.
type Attack struct {
	cfg      Config
	settings experiment.Settings // in wall-clock time
	speed    float64
	pacer    *pacer
	attacker *vegeta.Attacker
	// transport is the client's where the caller dials; else vegeta has its own.
	transport *http.Transport

	ok, failed atomic.Int64 // so far

	mu         sync.Mutex // guards what follows
	began      time.Time  // timestamp of the first request
	latest     time.Time  // of the last
	ended      time.Time  // the last answer or time-out
	requests   []request
	late       []time.Duration
	outcomes   experiment.Outcomes
	codes      map[string]int
	errors     map[string]int
	unanswered map[string]int
	bytesIn    int64
}

// New prepares an attack.
func New(cfg Config) *Attack {
	wall := cfg.Settings.Compressed()
	options := []func(*vegeta.Attacker){
		vegeta.Timeout(wall.ClientTimeout),
		vegeta.Connections(wall.InFlight() + 1), // keep as many alive as can be in use
		vegeta.Redirects(vegeta.NoFollow),
	}
	var transport *http.Transport
	if cfg.Dial != nil { // first: the others change the client's settings
		transport = &http.Transport{DialContext: cfg.Dial}
		options = append([]func(*vegeta.Attacker){vegeta.Client(&http.Client{Transport: transport})}, options...)
	}
	return &Attack{
		transport: transport,
		cfg:       cfg, settings: wall, speed: cfg.Settings.Speed,
		pacer:    &pacer{rate: wall.Rate, requests: uint64(wall.Requests())},
		attacker: vegeta.NewAttacker(options...),
		codes:    map[string]int{}, errors: map[string]int{}, unanswered: map[string]int{},
	}
}

// Run attacks until every request has been answered or has timed out, and writes each
// result to w as vegeta does, in the experiment's own time.
func (a *Attack) Run(w io.Writer) error {
	if a.transport != nil {
		defer a.transport.CloseIdleConnections()
	}
	encode := vegeta.NewEncoder(w)
	var failed error
	for res := range a.attacker.Attack(a.cfg.Targets, a.pacer, 0, a.cfg.Name) {
		a.add(res)
		began := a.pacer.start()
		res.Timestamp = began.Add(experiment.Stretch(res.Timestamp.Sub(began), a.speed))
		res.Latency = experiment.Stretch(res.Latency, a.speed)
		if err := encode.Encode(res); err != nil && failed == nil {
			failed = fmt.Errorf("writing the requests of %s: %w", a.cfg.Name, err)
			a.Stop()
		}
	}
	return failed
}

// Stop sends no further requests; those under way run to their end.
func (a *Attack) Stop() { a.attacker.Stop() }

// request is one that has ended, in wall-clock time.
type request struct {
	sent    time.Time
	latency time.Duration
	outcome experiment.Outcome
}

func (a *Attack) add(res *vegeta.Result) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.began.IsZero() || res.Timestamp.Before(a.began) {
		a.began = res.Timestamp
	}
	if res.Timestamp.After(a.latest) {
		a.latest = res.Timestamp
	}
	if end := res.End(); end.After(a.ended) {
		a.ended = end
	}
	a.late = append(a.late, max(0, res.Timestamp.Sub(a.pacer.due(res.Seq))))
	a.codes[strconv.Itoa(int(res.Code))]++
	a.bytesIn += int64(res.BytesIn)
	outcome := a.outcomeOf(res)
	a.requests = append(a.requests, request{res.Timestamp, res.Latency, outcome})
	switch outcome {
	case experiment.OK:
		a.outcomes.OK++
		a.ok.Add(1)
		return
	case experiment.ClientTimeout:
		a.outcomes.ClientTimeout++
	case experiment.PoolTimeout:
		a.outcomes.PoolTimeout++
	case experiment.Rejected:
		a.outcomes.Rejected++
	default:
		a.outcomes.Error++
		a.errors[res.Error]++
		if res.Code == 0 {
			a.unanswered[res.Error]++
		}
	}
	a.failed.Add(1)
}

func (a *Attack) outcomeOf(res *vegeta.Result) experiment.Outcome {
	switch {
	case res.Code >= 200 && res.Code < 400:
		return experiment.OK
	case res.Code == 0 && res.Latency >= a.settings.ClientTimeout:
		return experiment.ClientTimeout
	case res.Code == 503 && res.Headers.Get("Retry-After") == "": // where it is there, the provider sent us away
		return experiment.PoolTimeout
	case res.Code == 429:
		return experiment.Rejected
	}
	return experiment.Failed
}

// maxErrors is how many error texts a result keeps. vegeta's texts can hold the
// number of a port, so there may be as many as requests.
const maxErrors = 5

// Counts are how many requests were sent, answered and failed so far.
func (a *Attack) Counts() (sent, ok, failed int) {
	return int(a.pacer.sent.Load()), int(a.ok.Load()), int(a.failed.Load())
}

// Unanswered counts the requests that had no answer, by the error's text: those whose
// client did not leave.
func (a *Attack) Unanswered() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.unanswered)
}

// Began is when the first request was due, or now where none was sent yet.
func (a *Attack) Began() time.Time { return a.pacer.start() }

// Ended is when the last answer or time-out so far was.
func (a *Attack) Ended() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ended
}

// Requests are those that have ended, in the experiment's own time, in that order.
func (a *Attack) Requests() []experiment.Request {
	began := a.Began()
	a.mu.Lock()
	defer a.mu.Unlock()
	rs := make([]experiment.Request, 0, len(a.requests))
	for _, r := range a.requests {
		rs = append(rs, experiment.Request{Sent: experiment.Stretch(r.sent.Sub(began), a.speed), Latency: experiment.Stretch(r.latency, a.speed), Outcome: r.outcome})
	}
	return rs
}

// Result is the attack's share of a route's result, in the experiment's own time. It
// holds the lock, for which add waits, no longer than copying takes.
func (a *Attack) Result() experiment.RouteResult {
	a.mu.Lock()
	n := len(a.requests)
	all, answered := make([]time.Duration, 0, n), make([]time.Duration, 0, n)
	for _, r := range a.requests {
		all = append(all, r.latency)
		if r.outcome == experiment.OK {
			answered = append(answered, r.latency)
		}
	}
	late, errors := slices.Clone(a.late), maps.Clone(a.errors)
	sending := experiment.Stretch(a.latest.Sub(a.began), a.speed)
	r := experiment.RouteResult{
		Name:        a.cfg.Name,
		Requests:    n,
		Elapsed:     experiment.Stretch(a.ended.Sub(a.began), a.speed),
		Outcomes:    a.outcomes,
		StatusCodes: maps.Clone(a.codes),
		BytesIn:     a.bytesIn,
	}
	a.mu.Unlock()

	r.Latency = experiment.NewQuantiles(experiment.StretchAll(all, a.speed))
	r.SuccessLatency = experiment.NewQuantiles(experiment.StretchAll(answered, a.speed))
	r.SentLate = experiment.NewQuantiles(experiment.StretchAll(late, a.speed))
	if n > 0 {
		r.SuccessRatio = float64(r.Outcomes.OK) / float64(n)
	}
	if sending > 0 {
		r.Rate = float64(n) / sending.Seconds()
	}
	if r.Elapsed > 0 {
		r.Throughput = float64(r.Outcomes.OK) / r.Elapsed.Seconds()
		r.Goodput = r.Throughput
	}
	texts := make([]string, 0, len(errors))
	for text := range errors {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(x, y string) int { return errors[y] - errors[x] })
	for i, text := range texts {
		if i == maxErrors {
			break
		}
		if r.Errors == nil {
			r.Errors = map[string]int{}
		}
		r.Errors[text] = errors[text]
	}
	return r
}

// pacer sends an exact number of requests evenly, the first at once. One that is
// late does not delay the next: vegeta's own ConstantPacer catches up only after
// a whole second, and ends by time instead of number.
type pacer struct {
	rate     float64 // per second
	requests uint64
	began    atomic.Pointer[time.Time]
	sent     atomic.Int64
}

var _ vegeta.Pacer = (*pacer)(nil)

// Pace returns how long to wait before the next request.
func (p *pacer) Pace(elapsed time.Duration, sent uint64) (time.Duration, bool) {
	if sent == 0 {
		began := time.Now().Add(-elapsed)
		p.began.Store(&began)
	}
	p.sent.Store(int64(sent))
	if sent >= p.requests {
		return 0, true
	}
	return max(0, p.offset(sent)-elapsed), false
}

// Rate returns the requests per second.
func (p *pacer) Rate(time.Duration) float64 { return p.rate }

// due returns when the request with this number should be sent.
func (p *pacer) due(seq uint64) time.Time { return p.start().Add(p.offset(seq)) }

// start is when the first request was sent, or now where none was yet.
func (p *pacer) start() time.Time {
	if began := p.began.Load(); began != nil {
		return *began
	}
	return time.Now()
}

func (p *pacer) offset(seq uint64) time.Duration {
	return time.Duration(math.Round(float64(seq) / p.rate * float64(time.Second)))
}

// lateShare is the share of the median latency by which the latest hundredth of the requests
// may be sent late before a run is called invalid: this machine disturbed it.
const lateShare = 0.05

// Late says how late requests were sent, of a median latency, where that is too late for
// their figures to count, and later than disturbs nothing; else nothing.
func Late(sent *experiment.Quantiles, p50, disturbsNothing time.Duration) string {
	if limit := time.Duration(lateShare * float64(p50)); limit == 0 || sent.P99 <= max(limit, disturbsNothing) {
		return ""
	}
	return fmt.Sprintf("requests were sent up to %s late (p99 %s)",
		words.Plain(sent.Max.Round(time.Millisecond)), words.Plain(sent.P99.Round(time.Millisecond)))
}
