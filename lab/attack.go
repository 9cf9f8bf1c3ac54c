package lab

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/experiment"
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

	began       time.Time // timestamp of the first request
	latest      time.Time // of the last
	ended       time.Time // the last answer or time-out
	latencies   []time.Duration
	okLatencies []time.Duration
	late        []time.Duration
	outcomes    experiment.Outcomes
	codes       map[string]int
	errors      map[string]int
	bytesIn     int64
}

func newAttack(c experiment.Case) *attack {
	wall := c.Settings.Compressed()
	return &attack{
		of: c, settings: wall, speed: c.Settings.Speed,
		pacer: &pacer{rate: wall.Rate, requests: uint64(wall.Requests())},
		attacker: vegeta.NewAttacker(
			vegeta.Timeout(wall.ClientTimeout),
			vegeta.Connections(wall.InFlight()+1), // keep as many alive as can be in use
			vegeta.Redirects(vegeta.NoFollow),
		),
		codes: map[string]int{}, errors: map[string]int{},
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
		res.Timestamp = a.pacer.began.Add(stretch(res.Timestamp.Sub(a.pacer.began), a.speed))
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

func (a *attack) add(res *vegeta.Result) {
	if a.began.IsZero() || res.Timestamp.Before(a.began) {
		a.began = res.Timestamp
	}
	if res.Timestamp.After(a.latest) {
		a.latest = res.Timestamp
	}
	if end := res.End(); end.After(a.ended) {
		a.ended = end
	}
	a.latencies = append(a.latencies, res.Latency)
	a.late = append(a.late, max(0, res.Timestamp.Sub(a.pacer.due(res.Seq))))
	a.codes[strconv.Itoa(int(res.Code))]++
	a.bytesIn += int64(res.BytesIn)

	switch {
	case res.Code >= 200 && res.Code < 400:
		a.outcomes.OK++
		a.okLatencies = append(a.okLatencies, res.Latency)
		a.ok.Add(1)
		return
	case res.Code == 0 && res.Latency >= a.settings.ClientTimeout:
		a.outcomes.ClientTimeout++
	case res.Code == 503 && res.Headers.Get("Retry-After") == "": // where it is there, the provider sent us away
		a.outcomes.PoolTimeout++
	case res.Code == 429:
		a.outcomes.Rejected++
	default:
		a.outcomes.Error++
		a.errors[res.Error]++
	}
	a.failed.Add(1)
}

// maxErrors is how many error texts a result keeps. vegeta's texts can hold the
// number of a port, so there may be as many as requests.
const maxErrors = 5

// result returns the attack's share of a route's result, in the experiment's
// own time.
func (a *attack) result() experiment.RouteResult {
	n := len(a.latencies)
	sending := stretch(a.latest.Sub(a.began), a.speed)
	r := experiment.RouteResult{
		Name:           a.of.Name,
		Requests:       n,
		Elapsed:        stretch(a.ended.Sub(a.began), a.speed),
		Latency:        experiment.NewQuantiles(stretchAll(a.latencies, a.speed)),
		SuccessLatency: experiment.NewQuantiles(stretchAll(a.okLatencies, a.speed)),
		SentLate:       experiment.NewQuantiles(stretchAll(a.late, a.speed)),
		Outcomes:       a.outcomes,
		StatusCodes:    a.codes,
		BytesIn:        a.bytesIn,
	}
	if n > 0 {
		r.SuccessRatio = float64(a.outcomes.OK) / float64(n)
	}
	if sending > 0 {
		r.Rate = float64(n) / sending.Seconds()
	}
	if r.Elapsed > 0 {
		r.Throughput = float64(a.outcomes.OK) / r.Elapsed.Seconds()
		r.Goodput = r.Throughput
	}
	texts := make([]string, 0, len(a.errors))
	for text := range a.errors {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(x, y string) int { return a.errors[y] - a.errors[x] })
	for i, text := range texts {
		if i == maxErrors {
			break
		}
		if r.Errors == nil {
			r.Errors = map[string]int{}
		}
		r.Errors[text] = a.errors[text]
	}
	return r
}

// pacer sends an exact number of requests evenly, the first at once. One that is
// late does not delay the next: vegeta's own ConstantPacer catches up only after
// a whole second, and ends by time instead of number.
type pacer struct {
	rate     float64 // per second
	requests uint64
	began    time.Time
	sent     atomic.Int64
}

var _ vegeta.Pacer = (*pacer)(nil)

// Pace returns how long to wait before the next request.
func (p *pacer) Pace(elapsed time.Duration, sent uint64) (time.Duration, bool) {
	if sent == 0 {
		p.began = time.Now().Add(-elapsed)
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
func (p *pacer) due(seq uint64) time.Time { return p.began.Add(p.offset(seq)) }

func (p *pacer) offset(seq uint64) time.Duration {
	return time.Duration(math.Round(float64(seq) / p.rate * float64(time.Second)))
}
