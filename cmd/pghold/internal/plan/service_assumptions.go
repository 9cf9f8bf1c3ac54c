package plan

import (
	"fmt"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// assumptions are what the answer depends on, and with which flag it is said otherwise.
func (s Service) assumptions(q Question, runs int, db Database) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if s.Arrivals == Poisson {
		add("Requests come at random (Poisson), as those of many users do; --arrivals even has them come evenly.")
	} else {
		add("Requests come evenly, which those of users do not.")
	}
	switch many := s.many(); {
	case s.Lambdas > 0:
		add("A request goes to any lambda that is free; one that finds none is refused, and does not come back.")
	case many != "" && s.InTurn:
		add("The balancer sends requests to the %s in turn.", many)
	case many != "":
		add("A balancer sends each request to any of the %s, at random; --in-turn has them take turns.", many)
	}
	if s.Unsized {
		add("How many connections there are was not said (--connections): the figures are those of the fewest that suffice. On average %s are in use.", words.Rounded(s.inUse()))
	}
	s.assumeHold(add)
	if s.Settings.PgBouncer > 0 && !s.SessionMode {
		add("A transaction is open for the whole of a hold, and keeps its server connection of PgBouncer for as long.")
	}
	switch {
	case s.Lambdas > 0:
		add("A lambda keeps its connection for as long as it is warm, so that there may be as many as lambdas.")
	case s.NoTimeout:
		add("%s serves who has waited longest, has no overflow and no pool timeout: a wait ends when the client leaves, after %s, by the request's context (--client-timeout; --pool-timeout, where the context ends before).", PoolName(s.Settings.Pool), words.Plain(s.Settings.ClientTimeout))
		if s.Settings.Pool == experiment.SQLPool {
			all[len(all)-1] = fmt.Sprintf("database/sql serves any of those who wait, has no overflow and no pool timeout: a wait ends when the client leaves, after %s, by the request's context (--client-timeout; --pool-timeout, where the context ends before).", words.Plain(s.Settings.ClientTimeout))
		}
	default:
		add("A wait for a connection ends after %s (--pool-timeout); clients leave after %s (--client-timeout).", words.Plain(s.Settings.PoolTimeout), words.Plain(s.Settings.ClientTimeout))
	}
	if s.Settings.CancelOnDisconnect {
		add("What a request does ends when its client has left (--cancel-on-disconnect=false: it goes on).")
	} else {
		add("What a request does goes on when its client has left (--cancel-on-disconnect: it ends).")
	}
	if db.MaxConnections > 0 {
		add("Of the server's max_connections, %d (--max-connections), %d are reserved for superusers, and nobody else uses any.", db.MaxConnections, reserved)
	}
	if n := q.Settings.Requests(); q.chance() {
		add("The load lasts: figures are means of %d simulations of %d requests, and in brackets is where each mean is with a probability of 95 %%.", runs, n)
	} else {
		add("The load lasts: figures are those of %d requests, in which nothing happens by chance.", n)
	}
	if q.unsettled() && q.chance() {
		add("It is so near to what is carried that waits have no end in sight: the figures are those of the first %s.", words.Short(q.Settings.Duration))
	}
	return all
}

func (s Service) assumeHold(add func(string, ...any)) {
	h := s.Held
	switch {
	case h.P50 > 0:
		add("Holds are lognormal: half last for %s or less, 99 %% for %s or less, and %s in the mean.", words.Plain(h.P50), words.Plain(h.P99), words.Short(h.mean()))
	case h.shape() != experiment.Fixed:
		add("A hold lasts for %s in the mean, and its silence varies (%s).", words.Plain(h.Mean), h.shape())
	case h.Mean == h.SQL:
		add("A request holds its connection for its SQL, %s each time, and for nothing else.", words.Plain(h.Mean))
	default:
		add("Each hold lasts for %s; where they differ, --held-p50 and --held-p99 say how.", words.Plain(h.Mean))
	}
	switch {
	case h.SQL == 0:
		add("How much of a hold is SQL is not known, and limits nothing; --sql 5ms --what-if says what it buys to make the slow call outside the hold.")
	case h.Mean != h.SQL || h.P50 > 0:
		add("The database works for %s of it (--sql), and does not become slower under load%s.", words.Plain(h.SQL), s.cores())
	default:
		add("The database does not become slower under load%s.", s.cores())
	}
	add("A request waits for its connection and holds it: what else it takes is not in its latency.")
}

func (s Service) cores() string {
	if s.Cores > 0 {
		return fmt.Sprintf(" but for its %s", words.Count(s.Cores, "core"))
	}
	return " (--cores N has it run N statements at once)"
}

// PoolName is the name of one of experiment.Pools, as its users know it.
func PoolName(pool string) string {
	switch pool {
	case experiment.SQLPool:
		return "database/sql"
	case experiment.QueuePool:
		return "QueuePool"
	}
	return pool
}
