package lab

import (
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// attack sends a route's requests with vegeta and counts how they end. The load
// is open: a request is sent at its time, however many are still under way.
type attack struct {
	of       experiment.Case
	settings experiment.Settings // in wall-clock time
	speed    float64
	pacer    *pacer
	attacker *vegeta.Attacker

	ok, failed atomic.Int64 // so far
	unanswered faults       // of requests without an answer, where it is not the client that left

	mu       sync.Mutex // guards what follows
	began    time.Time  // timestamp of the first request
	latest   time.Time  // of the last
	ended    time.Time  // the last answer or time-out
	requests []request
	late     []time.Duration
	outcomes experiment.Outcomes
	codes    map[string]int
	errors   map[string]int
	bytesIn  int64
}

func newAttack(c experiment.Case, n Network) *attack {
	wall := c.Settings.Compressed()
	options := []func(*vegeta.Attacker){
		vegeta.Timeout(wall.ClientTimeout),
		vegeta.Connections(wall.InFlight() + 1), // keep as many alive as can be in use
		vegeta.Redirects(vegeta.NoFollow),
	}
	if n != nil { // first: the others change the client's settings
		client := &http.Client{Transport: &http.Transport{DialContext: n.Dial}}
		options = append([]func(*vegeta.Attacker){vegeta.Client(client)}, options...)
	}
	return &attack{
		of: c, settings: wall, speed: c.Settings.Speed,
		pacer:    &pacer{rate: wall.Rate, requests: uint64(wall.Requests())},
		attacker: vegeta.NewAttacker(options...),
		codes:    map[string]int{}, errors: map[string]int{},
	}
}

// run attacks the server at base, an http://host:port, until every request has
// been answered or has timed out, and writes each result to w as vegeta does,
// in the experiment's own time.
func (a *attack) run(base string, w io.Writer) error {
	targeter := vegeta.NewStaticTargeter(vegeta.Target{Method: a.of.Route.Method(), URL: base + a.of.Route.Path()})
	encode := vegeta.NewEncoder(w)
	var failed error
	for res := range a.attacker.Attack(targeter, a.pacer, 0, a.of.Name) {
		a.add(res)
		began := a.pacer.start()
		res.Timestamp = began.Add(stretch(res.Timestamp.Sub(began), a.speed))
		res.Latency = stretch(res.Latency, a.speed)
		if err := encode.Encode(res); err != nil && failed == nil {
			failed = fmt.Errorf("writing the requests of %s: %w", a.of.Name, err)
			a.stop()
		}
	}
	return failed
}

// stop sends no further requests; those under way run to their end.
func (a *attack) stop() { a.attacker.Stop() }

// request is one that has ended, in wall-clock time.
type request struct {
	sent    time.Time
	latency time.Duration
	outcome experiment.Outcome
}

func (a *attack) add(res *vegeta.Result) {
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
			a.unanswered.add("the app gave no answer: " + res.Error)
		}
	}
	a.failed.Add(1)
}

func (a *attack) outcomeOf(res *vegeta.Result) experiment.Outcome {
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

// result returns the attack's share of a route's result, in the experiment's
// own time. It holds the lock, for which add waits, no longer than copying takes.
func (a *attack) result() experiment.RouteResult {
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
	sending := stretch(a.latest.Sub(a.began), a.speed)
	r := experiment.RouteResult{
		Name:        a.of.Name,
		Requests:    n,
		Elapsed:     stretch(a.ended.Sub(a.began), a.speed),
		Outcomes:    a.outcomes,
		StatusCodes: maps.Clone(a.codes),
		BytesIn:     a.bytesIn,
	}
	a.mu.Unlock()

	r.Latency = experiment.NewQuantiles(stretchAll(all, a.speed))
	r.SuccessLatency = experiment.NewQuantiles(stretchAll(answered, a.speed))
	r.SentLate = experiment.NewQuantiles(stretchAll(late, a.speed))
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
