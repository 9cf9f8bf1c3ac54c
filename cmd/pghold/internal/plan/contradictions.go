package plan

import (
	"fmt"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Contradictions says, of each of the pools that FromSnapshot makes questions of, what
// was recorded that a prediction from the same snapshot does not have: callers who wait,
// or have waited, where it has none or much less. For it takes the holds that were
// served for the requests that came, and its rates are means since recording began: a
// pool that is short looks like one that just carries its load.
//
// adjust may change what is assumed beyond the snapshot, before a pool's question (all
// its routes together) is predicted.
func Contradictions(s *pghold.Snapshot, base experiment.Settings, adjust func(*Question)) ([]experiment.Conclusion, error) {
	taken := s.Taken.Sub(s.Began).Seconds()
	var all []experiment.Conclusion
	for _, p := range poolsOf(s) {
		qs, err := p.questions(s, taken, base)
		if err != nil {
			return nil, err
		}
		q := qs[0]
		adjust(&q)
		predicted, err := q.look()
		if err != nil {
			return nil, err
		}
		if c := p.contradicts(predicted); c != nil {
			for _, q := range qs {
				c.Cases = append(c.Cases, q.Name)
			}
			all = append(all, *c)
		}
	}
	return all, nil
}

// waited is how long all waits were that have ended: as the pool itself counts them, or,
// where it does not, as they came before the holds.
func (p *recordedPool) waited() time.Duration {
	sum := time.Duration(0)
	for _, s := range p.routes {
		sum += s.Wait.Sum()
	}
	return max(sum, p.WaitTime)
}

// contradicts compares what was recorded of a pool with a prediction for it.
func (p *recordedPool) contradicts(predicted *experiment.RouteResult) *experiment.Conclusion {
	waiting := p.Waiting
	if p.Max == 0 && waiting <= p.Used() {
		waiting = 0 // these may be being served: the pool does not tell who queues
	}
	// database/sql counts a wait where it begins, and tells neither who waits now nor who
	// gave up. Those that were given no connection did one of the two.
	unserved := 0
	if (waiting == 0 || p.CountsOnly) && p.Waits > p.Checkouts {
		unserved = int(p.Waits - p.Checkouts)
	}
	mean := p.waited() / time.Duration(max(1, p.Checkouts))
	more := mean - predicted.Holds.Wait.Mean
	vain := float64(p.Timeouts) / float64(max(1, p.Checkouts+p.Timeouts))
	switch {
	case max(waiting, unserved) > predicted.Holds.MaxWaiting:
	// What opening connections takes, and the odd wait of a busy moment, are none.
	case more > max(time.Millisecond, predicted.Holds.Held.Mean/10, predicted.Holds.Wait.Mean):
	case vain > 1-served && predicted.SuccessRatio >= served:
	default:
		return nil
	}
	var seen []string
	if waiting > 0 {
		were := "callers were"
		if waiting == 1 {
			were = "caller was"
		}
		seen = append(seen, fmt.Sprintf("%d %s waiting for a connection when the snapshot was taken", waiting, were))
	}
	if unserved > 0 {
		seen = append(seen, fmt.Sprintf("at least %s had got no connection by then", words.Count(unserved, "wait")))
	}
	if waited := p.waited(); waited > 0 {
		waits := "waits"
		if p.Waits > 0 {
			waits = words.Count(int(p.Waits), "wait")
		}
		seen = append(seen, fmt.Sprintf("%s until then took %s in all, %s for each connection taken", waits, words.Short(waited), words.Short(mean)))
	}
	if p.Timeouts > 0 {
		seen = append(seen, words.Count(int(p.Timeouts), "wait")+" ended by a timeout")
	}
	has := "the prediction has nobody waiting"
	if w := predicted.Holds.MaxWaiting; w > 0 {
		has = fmt.Sprintf("the prediction has at most %d waiting, and %s for each connection taken", w, words.Short(predicted.Holds.Wait.Mean))
	}
	return &experiment.Conclusion{
		About: "waiting",
		Sentence: fmt.Sprintf("What was recorded of pool %q contradicts the prediction: %s; %s. The holds that were served are taken for the requests that came, "+
			"and their rate is the mean since recording began, so that a pool that is short looks like one that carries its load. Name the rate at which requests come (--rate).",
			p.Name, inWords(seen), has),
		Figures: map[string]float64{
			"waiting": float64(waiting), "waits": float64(p.Waits), "wait_s": p.waited().Seconds(), "wait_s_per_checkout": mean.Seconds(),
			"timeouts": float64(p.Timeouts), "predicted_max_waiting": float64(predicted.Holds.MaxWaiting),
			"predicted_wait_s_per_checkout": predicted.Holds.Wait.Mean.Seconds(),
		},
	}
}
