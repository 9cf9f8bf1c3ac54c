package experiment

import (
	"fmt"
	"strings"
	"time"
)

// Case is a route under settings of its own: one line of a result.
type Case struct {
	// Name is the route's, or "route@variant" where a group asks the same of a route
	// under different settings. It is different from the others' in a run.
	Name     string
	Route    Route
	Settings Settings
}

// Group is routes, or variations of the settings, that are worth comparing.
type Group struct {
	Name    string
	Summary string
	cases   func(Settings) []Case
}

// Cases are what a group runs where these are the settings.
func (g Group) Cases(s Settings) []Case { return g.cases(s) }

// Groups are all the groups there are.
var Groups = []Group{
	{"seed", "the experiment as it was published", routesOf("seed")},
	{"remedies", "ways to give the connection back before the slow call, and two traps", routesOf("remedies")},
	{"streaming", "a chat model over HTTP, its answer in one piece or passed on as it comes", routesOf("streaming")},
	{"price", "read, call, write on one row: what splitting the transaction costs, and what repairs it", routesOf("price")},
	{"trips", "round trips of a read with and without BEGIN, with the database 0, 1, 5 and 20 ms away", trips},
	{"guards", "time-outs and limits around a route that holds, under the load given and under one six times as long", guards},
	{"pools", "queuepool, pgxpool and database/sql under the load given and under one six times as long", pools},
	{"pgbouncer", "500 clients of a PgBouncer with 5 server connections: what transaction pooling repairs", bouncers},
}

// FindGroup returns the group of that name.
func FindGroup(name string) (Group, error) {
	var names []string
	for _, g := range Groups {
		if g.Name == name {
			return g, nil
		}
		names = append(names, g.Name)
	}
	return Group{}, fmt.Errorf("there is no group %q: it is one of %s", name, strings.Join(names, ", "))
}

// CasesOf are routes under the same settings.
func CasesOf(routes []Route, s Settings) []Case {
	cases := make([]Case, len(routes))
	for i, r := range routes {
		cases[i] = Case{r.Name, r, s}
	}
	return cases
}

// RoutesOf are the routes of a group.
func RoutesOf(group string) (routes []Route) {
	for _, r := range Routes {
		if r.Group == group {
			routes = append(routes, r)
		}
	}
	return routes
}

func routesOf(group string) func(Settings) []Case {
	return func(s Settings) []Case { return CasesOf(RoutesOf(group), s) }
}

// holding is the route that the groups below are about: it is the seed's that
// fails.
func holding() Route { return mustFind("async_session_sleep_inside_session") }

func mustFind(name string) Route {
	r, err := findRoute(name)
	if err != nil {
		panic(err)
	}
	return r
}

// variant is a route under changed settings.
func variant(r Route, label string, s Settings, change func(*Settings)) Case {
	change(&s)
	return Case{r.Name + "@" + label, r, s}
}

// lasting is how many times as long the longer load of a group lasts. The seed's
// 5 s become 30 s, as long as a client waits.
const lasting = 6

// underBothLoads adds each variant under the load given and under a longer one.
func underBothLoads(s Settings, variants func(s Settings, suffix string) []Case) []Case {
	long := s
	long.Duration *= lasting
	return append(variants(s, ""), variants(long, "_lasting")...)
}

// trips runs on one connection, so that its rate is what a connection can do: the
// load is more than it can serve where the database is far away.
func trips(s Settings) (cases []Case) {
	s.PoolSize, s.MaxOverflow, s.Rate = 1, 0, 300
	for _, distance := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
		for _, r := range RoutesOf("trips") {
			cases = append(cases, variant(r, fmt.Sprintf("%dms", distance.Milliseconds()), s, func(s *Settings) { s.Distance = distance }))
		}
	}
	return cases
}

func guards(s Settings) []Case {
	r, update := holding(), mustFind("update_in_one_transaction")
	half, margin := s.Slow/2, s.ClientTimeout-s.Slow-s.Slow/4
	return underBothLoads(s, func(s Settings, suffix string) []Case {
		return []Case{
			variant(r, "none"+suffix, s, func(*Settings) {}),
			variant(r, "idle_in_transaction_timeout"+suffix, s, func(s *Settings) { s.IdleInTransactionTimeout = half }),
			variant(update, "idle_in_transaction_timeout"+suffix, s, func(s *Settings) { s.IdleInTransactionTimeout = half }),
			variant(r, "transaction_timeout"+suffix, s, func(s *Settings) { s.TransactionTimeout = half }),
			variant(r, "pool_timeout_below_client"+suffix, s, func(s *Settings) { s.PoolTimeout = margin }),
			variant(r, "pool_timeout_short"+suffix, s, func(s *Settings) { s.PoolTimeout = s.ClientTimeout / 6 }),
			variant(r, "cancel_on_disconnect"+suffix, s, func(s *Settings) { s.CancelOnDisconnect = true }),
			variant(r, "max_in_flight"+suffix, s, func(s *Settings) { s.MaxInFlight = 2 * s.Connections() }),
		}
	})
}

func pools(s Settings) []Case {
	return underBothLoads(s, func(s Settings, suffix string) (cases []Case) {
		for _, pool := range Pools {
			cases = append(cases, variant(holding(), pool+suffix, s, func(s *Settings) { s.Pool = pool }))
		}
		return cases
	})
}

func bouncers(s Settings) (cases []Case) {
	s.PgBouncer, s.PoolSize, s.MaxOverflow = 5, 500, 0
	for _, name := range []string{
		"async_session_sleep_inside_session", "commit_then_touch", "autocommit_inside", "commit_before_call", "async_session_sleep_outside_session",
	} {
		cases = append(cases, Case{name, mustFind(name), s})
	}
	return cases
}
