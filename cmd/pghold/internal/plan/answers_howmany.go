package plan

import (
	"fmt"
	"math"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Database is what there is room for.
type Database struct {
	// MaxConnections is the server's max_connections. Default 0: not asked about.
	MaxConnections int
	// Surge is how many replicas more there are during a rolling deploy, as a ratio.
	// Default 0.
	Surge float64
}

// reserved is Postgres's superuser_reserved_connections, which nobody changes.
const reserved = 3

// Sizing is how many connections it takes to meet targets.
type Sizing struct {
	Case    string
	Targets []Target
	// Connections is how many each replica needs: its pool's size and overflow
	// together. 0 where no number is enough.
	Connections int
	// Lasting is how many it needs where the load lasts; 0 where no number is enough,
	// and then LastingLimit says why.
	Lasting      int
	LastingLimit string
	// Have is how many it has, and Suffice whether they are enough.
	Have    int
	Suffice bool
	// PoolTimeout is the longest pool timeout with which those that it has are enough,
	// where with the one that it has they are not. 0: none is.
	PoolTimeout time.Duration
	// Limit is what forbids the targets whatever the number, in words.
	Limit string

	Replicas int
	// Total is how many connections all replicas have then, and Surging during a
	// rolling deploy. Of these the server sees AtServer: with a PgBouncer, its own.
	Total, Surging, AtServer int
	// LastingTotal, LastingSurging and LastingAtServer are the same where the load
	// lasts.
	LastingTotal, LastingSurging, LastingAtServer int
	// Room is how many the server leaves for them; 0 where nobody asked.
	Room int

	load     time.Duration
	timeouts experiment.Timeouts // as they are
}

// Fits reports whether the server has room for all that this load takes, during a deploy
// too.
func (s Sizing) Fits() bool { return s.Room == 0 || s.AtServer <= s.Room }

// FitsLasting is Fits where the load lasts.
func (s Sizing) FitsLasting() bool { return s.Room == 0 || s.LastingAtServer <= s.Room }

// Reached reports whether the targets can be met for this load: with more connections
// for which there is room, or with another pool timeout.
func (s Sizing) Reached() bool {
	return s.Suffice || s.PoolTimeout > 0 || s.Connections > 0 && s.Fits()
}

// HowMany finds the smallest number of connections with which the targets are met. The
// pool has no overflow then: connections that are closed when they are given back help
// nobody in a queue.
func HowMany(q Question, targets []Target, db Database) (Sizing, error) {
	if q.Model.Service {
		q = q.lasting() // there is no other load
	}
	s := Sizing{
		Case: q.Name, Targets: targets, Have: q.Settings.Connections(), Replicas: q.replicas(),
		load: q.Settings.Duration, timeouts: q.timeouts(),
	}
	var err error
	if s.Connections, err = fewest(q, targets); err != nil {
		return s, err
	}
	if s.Connections == 0 {
		s.Limit, err = forbids(q, targets)
		return s, err
	}
	if q.Model.Service {
		s.Connections = max(s.Connections, carrying(q, targets))
	}
	s.Lasting = s.Connections
	if long := q.lasting(); long.Settings.Duration > q.Settings.Duration {
		if s.Lasting, err = fewest(long, targets); err != nil {
			return s, err
		}
		if s.Lasting == 0 {
			if s.LastingLimit, err = forbids(long, targets); err != nil {
				return s, err
			}
		}
	}
	if s.Lasting > 0 {
		s.Lasting = max(s.Lasting, carrying(q, targets))
	}
	s.add(q, db)
	now, err := q.look()
	if err != nil {
		return s, err
	}
	if s.Suffice = allMet(targets, now); !s.Suffice {
		s.PoolTimeout, err = patience(q, func(r *experiment.RouteResult) bool { return allMet(targets, r) })
	}
	return s, err
}

// add adds up the connections of all replicas, for the database.
func (s *Sizing) add(q Question, db Database) {
	surging := s.Replicas + int(math.Ceil(float64(s.Replicas)*db.Surge-1e-9))
	s.Total, s.Surging = s.Replicas*s.Connections, surging*s.Connections
	s.LastingTotal, s.LastingSurging = s.Replicas*s.Lasting, surging*s.Lasting
	s.AtServer, s.LastingAtServer = s.Surging, s.LastingSurging
	if q.Settings.PgBouncer > 0 {
		s.AtServer, s.LastingAtServer = q.Settings.PgBouncer, q.Settings.PgBouncer
	}
	if db.MaxConnections > 0 {
		s.Room = max(1, db.MaxConnections-reserved)
	}
}

// Room says whether the database has room for the connections that there are, during a
// deploy too.
func Room(q Question, db Database) experiment.Conclusion {
	have := q.Settings.Connections()
	s := Sizing{Case: q.Name, Connections: have, Lasting: have, Replicas: q.replicas()}
	s.add(q, db)
	c := experiment.Conclusion{About: "room", Cases: []string{q.Name}, Unreached: !s.Fits(), Figures: map[string]float64{"connections": float64(have)}}
	c.Sentence = fmt.Sprintf("A pool has up to %s.", words.Count(have, "connection")) + s.room(c.Figures)
	return c
}

// fewest finds the smallest number of connections with which the targets are met, or 0.
// More connections never serve fewer, in the mean, so that it can be searched by halves.
func fewest(q Question, targets []Target) (int, error) {
	var failed error
	meets := func(n int) bool {
		if failed != nil {
			return false
		}
		r, err := q.withConnections(n).look()
		if err != nil {
			failed = err
			return false
		}
		return allMet(targets, r)
	}
	most := q.unlimited()
	if !meets(most) {
		return 0, failed
	}
	// From a first guess in growing steps, until the number is between two.
	used := q.used()
	guess := 1
	if used > 0 {
		var err error
		if guess, err = SquareRootStaffing(used, 2); err != nil {
			return 0, err
		}
		guess = min(guess, most)
	}
	low, high := 0, most // low does not meet the targets, high does
	for step := 1; low < guess && guess < high; step *= 2 {
		if meets(guess) {
			high, guess = guess, guess-step
		} else {
			low, guess = guess, guess+step
		}
	}
	for high-low > 1 {
		if n := (low + high) / 2; meets(n) {
			high = n
		} else {
			low = n
		}
	}
	return high, failed
}

// carrying is the number of connections that carry as much of the load as targets ask
// for, however long it lasts. No simulation lasts for ever: just below that number
// queues grow so slowly that one does not see their end.
func carrying(q Question, targets []Target) int {
	return int(math.Ceil(carriedPart(q, targets)*q.used() - 1e-9))
}

// carriedPart is how much of the load has to be carried for the targets, as a ratio.
// Where the timeouts are not sound and those who wait are served in turn, less than all
// of it is nothing in the end.
func carriedPart(q Question, targets []Target) float64 {
	if q.Settings.PoolTimeout > q.timeouts().Most() && q.Settings.Pool != experiment.SQLPool {
		return 1
	}
	part := 0.0
	for _, t := range targets {
		switch t.Field {
		case "success":
			part = max(part, t.Value)
		case "throughput":
			part = max(part, min(1, t.Value/q.Settings.Rate))
		default:
			part = max(part, share[t.Field])
		}
	}
	return part
}

// used is how many connections of each replica are in use on average, while they suffice.
func (q Question) used() float64 {
	own := q.Settings.Rate * q.demand().checkout.Seconds()
	return (own + q.others().checkout.Seconds()) / float64(q.replicas())
}

// unlimited is a number of connections for each replica with which no request waits
// for one.
func (q Question) unlimited() int {
	n, sync := 0, true
	for _, c := range q.classes() {
		n += max(1, c.Settings.Requests(), len(c.Model.Times))
		sync = sync && c.Route.Sync
	}
	if q.Model.Arrivals == Poisson {
		n += 10 * int(math.Ceil(math.Sqrt(float64(n)))) // more may come than in the mean
	}
	if sync {
		n = min(n, q.Settings.Threads)
	}
	return n
}

// Conclusion is the answer in words.
func (s Sizing) Conclusion() experiment.Conclusion {
	c := experiment.Conclusion{About: "connections", Cases: []string{s.Case}, Unreached: !s.Reached(), Figures: map[string]float64{}}
	if s.Connections == 0 {
		c.Sentence = fmt.Sprintf("No number of connections reaches %s: %s.", namesOf(s.Targets), s.Limit)
		return c
	}
	c.Figures["connections"] = float64(s.Connections)
	each := ""
	if s.Replicas > 1 {
		each = " in each replica"
	}
	text := fmt.Sprintf("%s takes %s%s", namesOf(s.Targets), words.Count(s.Connections, "connection"), each)
	switch {
	case s.Lasting == 0:
		text += fmt.Sprintf(" for this load of %s; where it lasts, no number is enough: %s.", words.Short(s.load), s.LastingLimit)
	case s.Lasting != s.Connections:
		text += fmt.Sprintf(" for this load of %s, and %d where it lasts.", words.Short(s.load), s.Lasting)
	default:
		text += "."
	}
	if s.Lasting > 0 {
		c.Figures["connections_lasting"] = float64(s.Lasting)
	}
	switch {
	case s.Suffice && s.Lasting > 0 && s.Lasting <= s.Have:
		text += fmt.Sprintf(" The %d that there are suffice.", s.Have)
	case s.Suffice:
		text += fmt.Sprintf(" The %d that there are suffice for this load.", s.Have)
	case s.PoolTimeout > 0:
		text += fmt.Sprintf(" Or none more than the %d that there are, and %s%s in place of %s.", s.Have, s.timeouts.Limit(), words.Short(s.PoolTimeout), words.Short(s.timeouts.PoolTimeout))
		c.Figures["pool_timeout_s"] = s.PoolTimeout.Seconds()
	}
	c.Sentence = text + s.room(c.Figures)
	return c
}

// room says what the server makes of so many connections.
func (s Sizing) room(figures map[string]float64) string {
	text := ""
	more := s.Lasting > s.Connections
	if s.Replicas > 1 || s.Surging > s.Total {
		text = fmt.Sprintf(" All in all %s", words.Count(s.Total, "connection"))
		if s.Surging > s.Total {
			text += fmt.Sprintf(", %d during a rolling deploy", s.Surging)
		}
		if more {
			text += fmt.Sprintf("; where the load lasts, %d", s.LastingTotal)
			if s.LastingSurging > s.LastingTotal {
				text += fmt.Sprintf(" and %d", s.LastingSurging)
			}
		}
		text += "."
	}
	figures["total_connections"], figures["surging_connections"] = float64(s.Total), float64(s.Surging)
	if s.Lasting > 0 {
		figures["total_connections_lasting"], figures["surging_connections_lasting"] = float64(s.LastingTotal), float64(s.LastingSurging)
	}
	if s.Room == 0 {
		return text
	}
	figures["room_connections"] = float64(s.Room)
	seen := "they"
	if s.AtServer != s.Surging {
		seen = fmt.Sprintf("the %d of PgBouncer", s.AtServer)
	}
	more = more && s.LastingAtServer != s.AtServer // not where the server sees a PgBouncer's
	room, exact := fmt.Sprintf(" The server has room for %d", s.Room), fmt.Sprintf(" (max_connections less %d reserved)", reserved)
	switch {
	case !s.Fits():
		return text + room + exact + ": " + seen + " do not fit."
	case more && !s.FitsLasting():
		return text + room + exact + fmt.Sprintf(": they fit for this load, but the %d do not where it lasts.", s.LastingAtServer)
	case more:
		return text + room + fmt.Sprintf(": they fit, and so do the %d.", s.LastingAtServer)
	}
	if s.Lasting == 0 && s.AtServer == s.Surging {
		return text + room + ": " + seen + " fit for this load."
	}
	return text + room + ": " + seen + " fit."
}
