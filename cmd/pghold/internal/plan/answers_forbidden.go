package plan

import (
	"fmt"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// limit is something other than the number of connections that may forbid a target.
type limit struct {
	words string
	lift  func(*Question) // takes it away
	here  bool            // the question has it
}

func (q Question) limits() []limit {
	s, d := q.Settings, q.demand()
	plenty := max(q.Settings.Requests()*2, 1000)
	return []limit{
		{"at most " + words.Count(s.Threads, "handler") + " run at once, in as many threads, and each takes " + words.Short(d.handler),
			func(q *Question) { q.Settings.Threads = plenty }, d.thread > 0 || q.Route.AnswersEarly()},
		{"PgBouncer has " + words.Count(s.PgBouncer, "server connection") + ", and " + q.serverHold(d),
			func(q *Question) { q.Settings.PgBouncer = 0 }, s.PgBouncer > 0},
		{"the database has " + words.Count(q.Model.Cores, "core") + ", and a request keeps one busy for " + words.Short(d.statements),
			func(q *Question) { q.Model.Cores = 0 }, q.Model.Cores > 0},
		{"the app takes on at most " + words.Count(s.MaxInFlight, "request") + " at once",
			func(q *Question) { q.Settings.MaxInFlight = 0 }, s.MaxInFlight > 0},
		{"the server ends transactions that are silent for " + words.Short(s.IdleInTransactionTimeout),
			func(q *Question) { q.Settings.IdleInTransactionTimeout = 0 }, s.IdleInTransactionTimeout > 0},
		{"the server ends transactions after " + words.Short(s.TransactionTimeout),
			func(q *Question) { q.Settings.TransactionTimeout = 0 }, s.TransactionTimeout > 0},
		{"the updates meet on " + words.Count(s.Accounts, "row") + ", which a request has for " + words.Short(d.row),
			func(q *Question) { q.Settings.Accounts = plenty }, q.Route.Updates()},
		{"clients leave after " + words.Short(s.ClientTimeout) + ", and a request takes " + words.Short(d.answer),
			func(q *Question) { q.Settings.ClientTimeout = 1000 * time.Hour }, true},
		{"one slow call in twenty is never answered",
			func(q *Question) { q.Each(func(one *Question) { one.Model.Shape = experiment.Fixed }) }, q.shape() == experiment.Stalls},
		{"the slow call alone takes " + words.Short(q.slow()),
			func(q *Question) {
				q.Each(func(one *Question) { one.Settings.Slow, one.Model.Calls, one.Model.Overheads.Call = 0, nil, 0 })
			}, q.slow() > 0},
		{"a round trip to the database alone takes " + words.Short(q.Model.Overheads.Statement+s.Distance),
			func(q *Question) {
				q.Each(func(one *Question) { one.Settings.Distance, one.Model.Overheads = 0, Overheads{} })
			}, true},
	}
}

// forbids says which limit keeps the question from its targets, however many
// connections there are: the one without which they are met, or the first few of them.
func forbids(q Question, targets []Target) (string, error) {
	for _, t := range targets {
		if t.Field == "throughput" && t.Value > q.Settings.Rate && len(q.Model.Times) == 0 {
			return fmt.Sprintf("only %s requests come per second", words.Rounded(q.Settings.Rate)), nil
		}
	}
	without := func(lift ...func(*Question)) (bool, error) {
		other := q
		for _, l := range lift {
			l(&other)
		}
		r, err := other.withConnections(other.unlimited()).look()
		return err == nil && allMet(targets, r), err
	}
	// Throughput counts the time until the last answer, also where nothing is slow.
	if met, err := without(func(q *Question) { q.Settings.Duration *= 100 }); met || err != nil {
		return fmt.Sprintf("a load of %s is too short for it, since the time until the last answer counts", words.Short(q.Settings.Duration)), err
	}
	limits := q.limits()
	for _, l := range limits {
		if !l.here {
			continue
		}
		if met, err := without(l.lift); met || err != nil {
			return l.words, err
		}
	}
	var lifts []func(*Question)
	var all []string
	for _, l := range limits {
		if !l.here {
			continue
		}
		lifts, all = append(lifts, l.lift), append(all, l.words)
		if met, err := without(lifts...); met || err != nil {
			return inWords(all), err
		}
	}
	return nothingElse, nil
}

// nothingElse is what forbids says of targets that no limit alone forbids.
const nothingElse = "nothing that can be changed would reach it"

// serverHold says for how long a server connection of PgBouncer's is kept.
func (q Question) serverHold(d demand) string {
	if q.Model.SessionMode {
		return "in session mode a connection of the app's pool keeps one for as long as it is open"
	}
	return "a transaction has one for " + words.Short(d.transaction)
}
