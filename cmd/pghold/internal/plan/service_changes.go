package plan

import (
	"fmt"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// change is something that may be different tomorrow.
type change struct {
	name    string // of its figures
	label   string
	service Service
}

// changes are what an answer is said of again: the slow call twice as slow, the rate
// doubled, and a replica less, where there is another.
func (s Service) changes() []change {
	slow, fast := s, s
	slow.Held = s.Held.slower()
	what := "The hold twice as long, %s"
	switch {
	case s.Held.Mean == s.Held.SQL && s.Held.P50 == 0:
		what = "SQL twice as slow, %s"
	case s.Held.SQL > 0:
		what = "The slow call twice as slow, a hold of %s"
	}
	if s.Held.shape() != experiment.Fixed {
		what += " in the mean"
	}
	fast.Settings.Rate *= 2
	all := []change{
		{"slow_call_doubled", fmt.Sprintf(what, words.Short(slow.Held.mean())), slow},
		{"rate_doubled", fmt.Sprintf("The rate doubled, %s requests/s", words.Rounded(fast.Settings.Rate)), fast},
	}
	less := s
	switch {
	case s.Lambdas > 0:
	case s.Replicas > 1:
		less.Replicas--
		all = append(all, change{"replica_less", fmt.Sprintf("A replica less, %d", less.Replicas), less})
	case s.Workers > 1:
		less.Workers--
		all = append(all, change{"replica_less", fmt.Sprintf("A worker less, %d", less.Workers), less})
	}
	return all
}

// changed says what becomes of the service then, and what it takes.
func (s Service) changed(of change, targets []Target, db Database) (experiment.Conclusion, error) {
	c := experiment.Conclusion{About: "sensitivity", Cases: []string{ServiceName}, Figures: map[string]float64{}}
	q := of.service.Question()
	runs, err := q.lastingFor(toLook).replicateOwn(fewestRuns)
	if err != nil {
		return c, err
	}
	r, put := meanOf(runs), func(name string, v float64) { c.Figures[of.name+"."+name] = v }
	put("success_ratio", r.SuccessRatio)
	put("latency_p99_s", r.Latency.P99.Seconds())
	put("capacity_per_s", q.capacity())
	text := of.label + ": "
	switch {
	case of.service.Lambdas > 0:
		text += refused(runs[:1], map[string]float64{})
	case q.overloaded():
		text += fmt.Sprintf("too much, %s %s %s requests/s", of.service.total(q.stations()[0]), plural(q.stations()[0].Places, "carries", "carry"), words.Rounded(q.capacity()))
	default:
		text += fmt.Sprintf("p99 %s", words.Short(r.Latency.P99))
		if r.SuccessRatio < served {
			text += ", and " + failures(r.Outcomes)
		}
	}
	n, err := of.service.needs(targets, false)
	if err != nil {
		return c, err
	}
	if n.number == 0 && of.service.Settings.PgBouncer > 0 {
		if n, err = of.service.needsOfPgBouncer(targets, false); err != nil {
			return c, err
		}
		if n.number > 0 {
			put("pgbouncer_connections", float64(n.number))
			c.Sentence = text + fmt.Sprintf("; %s takes a PgBouncer with %s.", namesOf(targets), words.Count(n.number, "server connection"))
			return c, nil
		}
	}
	if n.number == 0 {
		c.Sentence = text + fmt.Sprintf("; no number of connections reaches %s.", namesOf(targets))
		return c, nil
	}
	all, surging := of.service.places(n.number, db.Surge)
	put("connections", float64(n.number))
	put("total_connections", float64(all))
	put("surging_connections", float64(surging))
	need := words.Count(n.number, "connection")
	if of.service.Lambdas > 0 {
		need = words.Count(n.number, "lambda")
	} else if of.service.processes() > 1 {
		need = fmt.Sprintf("%d in each %s, %d in all", n.number, of.service.process(), all)
	}
	if n.threads {
		need += ", with as many threads"
	}
	text += fmt.Sprintf("; %s takes %s", namesOf(targets), need)
	if room := db.room(); room > 0 && surging > room && q.Settings.PgBouncer == 0 {
		text += fmt.Sprintf(", and for %d", surging)
		if surging > all {
			text += " during a rolling deploy"
		}
		text += " there is no room"
	}
	c.Sentence = text + "."
	return c, nil
}
