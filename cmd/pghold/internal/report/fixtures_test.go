package report

import (
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// measured is a run of the seed's question with figures as the lab has them.
// Every call makes a new one, for a test to change.
func measured() *experiment.Result {
	at := time.Date(2026, 8, 30, 12, 0, 5, 0, time.UTC)
	s := experiment.Defaults()
	s.Postgres = "15.18"
	const clientGone = `context deadline exceeded (Client.Timeout exceeded while awaiting headers)`
	return &experiment.Result{
		Kind: experiment.Measured, Version: "0.1.0", StartedAt: &at, Settings: s,
		Routes: []experiment.RouteResult{
			{
				Name: "sync_session_sleep_outside_session", Requests: 500, Rate: 100.2, Throughput: 19.052, Goodput: 19.052,
				Elapsed: ms(26244), SuccessRatio: 1,
				Latency:        quantiles(2003, 11255, 11238, 19268, 20251, 21254, 21261),
				SuccessLatency: quantiles(2003, 11255, 11238, 19268, 20251, 21254, 21261),
				Outcomes:       experiment.Outcomes{OK: 500}, StatusCodes: map[string]int{"200": 500}, BytesIn: 13000,
				Time: experiment.TimeSplit{ThreadWait: ms(9251), PoolWait: us(412), Busy: us(655), Slow: us(2000700)},
				Holds: experiment.Holds{Count: 500, Held: quantiles(1, 1, 1, 2, 2, 3, 6), BusyRatio: 0.612,
					SilentInTransaction: ms(207), MaxWaiting: 12},
				Connections: experiment.Connections{Max: 15, MaxSilentInTransaction: 1, Left: 5},
			},
			{
				Name: "sync_session_sleep_inside_session", Requests: 500, Rate: 100.2, Throughput: 6.859, Goodput: 6.859,
				Elapsed: ms(34991), SuccessRatio: 0.48,
				Latency:        quantiles(2004, 23262, 30000, 30001, 30001, 30001, 30002),
				SuccessLatency: quantiles(2004, 15964, 15977, 27231, 28561, 29630, 29871),
				Outcomes:       experiment.Outcomes{OK: 240, ClientTimeout: 260}, StatusCodes: map[string]int{"0": 260, "200": 240}, BytesIn: 6240,
				Errors: map[string]int{clientGone: 260},
				Time:   experiment.TimeSplit{ThreadWait: ms(25230), PoolWait: us(3311000), Busy: us(891), Slow: us(2000900)},
				Holds: experiment.Holds{Count: 500, Held: quantiles(2002, 2003, 2003, 2004, 2004, 2007, 2012), BusyRatio: 0.000445,
					SilentInTransaction: ms(1001100), MaxWaiting: 25},
				Connections: experiment.Connections{Max: 15, MaxSilentInTransaction: 15, Left: 5},
			},
			{
				Name: "async_session_sleep_outside_session", Requests: 500, Rate: 100.2, Throughput: 71.489, Goodput: 71.489,
				Elapsed: ms(6994), SuccessRatio: 1,
				Latency:        quantiles(2002, 2004, 2003, 2005, 2006, 2014, 2031),
				SuccessLatency: quantiles(2002, 2004, 2003, 2005, 2006, 2014, 2031),
				Outcomes:       experiment.Outcomes{OK: 500}, StatusCodes: map[string]int{"200": 500}, BytesIn: 13000,
				Time: experiment.TimeSplit{PoolWait: us(38), Busy: us(561), Slow: us(2000800)},
				Holds: experiment.Holds{Count: 500, Held: quantiles(1, 1, 1, 1, 1, 2, 4), BusyRatio: 0.634,
					SilentInTransaction: ms(162), MaxWaiting: 3},
				Connections: experiment.Connections{Max: 6, MaxSilentInTransaction: 1, Left: 5},
			},
			{
				Name: "async_session_sleep_inside_session", Requests: 500, Rate: 100.2, Throughput: 6.859, Goodput: 6.859,
				Elapsed: ms(34991), SuccessRatio: 0.48,
				Latency:        quantiles(2005, 23268, 30000, 30001, 30001, 30001, 30004),
				SuccessLatency: quantiles(2005, 15977, 15982, 27240, 28570, 29641, 29880),
				Outcomes:       experiment.Outcomes{OK: 240, ClientTimeout: 260}, StatusCodes: map[string]int{"0": 260, "200": 240}, BytesIn: 6240,
				Errors: map[string]int{clientGone: 260},
				Time:   experiment.TimeSplit{PoolWait: ms(28540), Busy: us(870), Slow: us(2000900)},
				Holds: experiment.Holds{Count: 500, Held: quantiles(2002, 2003, 2003, 2004, 2004, 2006, 2010), BusyRatio: 0.000434,
					SilentInTransaction: ms(1001000), MaxWaiting: 485},
				Connections: experiment.Connections{Max: 15, MaxSilentInTransaction: 15, Left: 5},
			},
		},
		Warnings: []string{
			"A longer attack would not do better but worse: a request may wait 30 s for its connection, and its client leaves after 30 s, so that with lasting load the inside routes answer nobody in time.",
		},
	}
}

// interrupted is a run of another question, ended after its second route.
func interrupted() *experiment.Result {
	r := measured()
	r.Interrupted = true
	r.Routes = r.Routes[:2]
	r.Settings.Rate, r.Settings.Duration = 50, 90*time.Second
	r.Settings.Slow = 500 * time.Millisecond
	r.Settings.Pool, r.Settings.PoolSize, r.Settings.MaxOverflow = experiment.PgxPool, 20, 0
	r.Settings.PoolTimeout = 27500 * time.Millisecond
	r.Settings.Speed, r.Settings.CancelOnDisconnect = 10, true
	return r
}

// partial is a run in which two routes were asked for: one was sent nothing, the
// other met every kind of failure.
func partial() *experiment.Result {
	r := measured()
	in := r.Routes[3]
	in.SuccessRatio, in.Outcomes = 0.998, experiment.Outcomes{OK: 496, ClientTimeout: 1, PoolTimeout: 2, Error: 1}
	in.StatusCodes = map[string]int{"0": 1, "200": 496, "500": 1, "503": 2}
	in.Errors = map[string]int{"503 Service Unavailable": 2, "500 Internal Server Error": 1, "context deadline exceeded": 1}
	r.Routes = []experiment.RouteResult{{Name: "async_session_sleep_outside_session"}, in}
	r.Warnings = nil
	return r
}

// groups is a run of routes of several groups, with settings of their own, in which
// every figure occurs that the seed has not.
func groups() *experiment.Result {
	r := measured()
	r.Warnings = []string{}
	own := func(change func(*experiment.Settings)) *experiment.Settings {
		s := r.Settings
		s.Distance = 5 * time.Millisecond
		change(&s)
		return &s
	}
	held, read, update := r.Routes[3], r.Routes[2], r.Routes[2]
	held.Name, held.Route = "async_session_sleep_inside_session@idle_in_transaction_timeout_lasting", "async_session_sleep_inside_session"
	held.Settings = own(func(s *experiment.Settings) {
		s.Duration, s.IdleInTransactionTimeout, s.TransactionTimeout = 30*time.Second, time.Second, 1500*time.Millisecond
		s.MaxInFlight, s.CancelOnDisconnect, s.PoolTimeout = 30, true, 27500*time.Millisecond
	})
	held.Outcomes = experiment.Outcomes{OK: 240, ClientTimeout: 200, PoolTimeout: 33, Rejected: 20, Error: 7}
	held.PerRequest = experiment.PerRequest{Checkouts: 0.984, Statements: 1.968, RoundTrips: 2.001}

	read.Name, read.Route = "read_autobegin@20ms", "read_autobegin"
	read.Settings = own(func(s *experiment.Settings) {
		s.Distance = 20 * time.Millisecond
		s.Rate, s.PoolSize, s.MaxOverflow = 300, 1, 0
		s.SlowShape, s.PgBouncer, s.Slow = experiment.Lognormal, 5, time.Second
	})
	read.PerRequest = experiment.PerRequest{Checkouts: 1, Statements: 2, RoundTrips: 2.02}
	read.Connections.SilentInTransaction = 3 * time.Second
	r.Routes = []experiment.RouteResult{held, read}

	for _, name := range []string{"update_split_naive", "update_outbox"} {
		rr := update
		rr.Name = name
		rr.Settings = own(func(s *experiment.Settings) { s.Distance, s.Accounts = 20*time.Millisecond, 1 })
		rr.PerRequest = experiment.PerRequest{Checkouts: 2, Statements: 5, RoundTrips: 5.07}
		rr.Updates = &experiment.Updates{Recorded: 500, Lost: 304, Retries: 11, Calls: 512, CallsRepeated: 12}
		r.Routes = append(r.Routes, rr)
	}
	// Nobody killed the first's process, and the other's round trips were not counted.
	r.Routes[3].PerRequest.RoundTrips = 0
	r.Routes[3].DrainedAfter = 3 * time.Second
	r.Routes[3].Updates = &experiment.Updates{Recorded: 500, Calls: 500, Killed: &experiment.Killed{
		Kills: 5, Begun: 171, Recorded: 168, Calls: 203, CallsAgain: 36, PaidNotRecorded: 7, PaidTwice: 8, Lost: 9,
	}}
	return r
}

// predicted is a run with predictions beside: of the first route a good one, of the second
// one that is off, of the third one without latencies, of the fourth none, and of the last
// one of its updates.
func predicted() *experiment.Result {
	r := measured()
	update := groups().Routes[2]
	update.Settings = nil
	r.Routes = append(r.Routes, update)
	r.Overheads = &experiment.Overheads{Statement: us(176), Connect: us(2820), Call: us(553), Handover: us(140)}
	says := func(i int, change func(*experiment.RouteResult)) {
		p := r.Routes[i]
		change(&p)
		r.Routes[i].Predicted = experiment.NewPrediction(&r.Routes[i], &p)
	}
	says(0, func(p *experiment.RouteResult) {})
	says(1, func(p *experiment.RouteResult) {
		p.SuccessRatio, p.Throughput, p.Latency.P50, p.Latency.P99 = 0.45, 6.43, ms(29000), ms(30301)
		p.Connections = experiment.Connections{Max: 14, MaxSilentInTransaction: 16}
	})
	r.Routes[1].Predicted.Note = "success hangs on milliseconds: with up to 10 ms more or less in each request, 42 % to 48 % is predicted"
	says(2, func(*experiment.RouteResult) {})
	for _, name := range []string{"min", "mean", "p50", "p90", "p95", "p99", "max"} {
		r.Routes[2].Predicted.Unsay(name)
	}
	r.Routes[2].Predicted.Note = "no latency is predicted, because it is what the machine takes"
	r.Routes[3].NotPredicted = "pghold was interrupted before it was predicted"
	says(4, func(p *experiment.RouteResult) {
		p.Updates = &experiment.Updates{Recorded: 500, Lost: 300, Retries: 12, Calls: 512, CallsRepeated: 12}
	})
	return r
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
func us(n int) time.Duration { return time.Duration(n) * time.Microsecond }

func quantiles(min, mean, p50, p90, p95, p99, max int) experiment.Quantiles {
	return experiment.Quantiles{Min: ms(min), Mean: ms(mean), P50: ms(p50), P90: ms(p90), P95: ms(p95), P99: ms(p99), Max: ms(max)}
}

// aService is a run of somebody's service: one route that holds, one that does not use the
// database, and one of which nothing follows.
func aService() *experiment.Result {
	at := time.Date(2026, 11, 28, 12, 0, 5, 0, time.UTC)
	s := experiment.Defaults()
	s.Rate, s.Postgres = 20, "15.18"
	ratio, counted := 0.9995, experiment.Seconds(ms(200100))
	return &experiment.Result{
		Kind: experiment.Measured, Version: "0.1.0", StartedAt: &at, Settings: s,
		Service: &experiment.Service{
			Command: []string{"uvicorn", "app:app", "--port", "8000"}, Database: "a throwaway Postgres 15.18",
			Attacks: []experiment.Attacked{
				{Name: "GET /checkout/{n}", Method: "GET", URL: "http://127.0.0.1:8000/checkout/1"}, {Name: "GET /health", Method: "GET", URL: "http://127.0.0.1:8000/health"},
			},
			SilentInTransaction: experiment.Seconds(ms(200050)), CountedByServer: &counted,
		},
		Routes: []experiment.RouteResult{
			{
				Name: "GET /checkout/{n}", File: "GET-checkout-n", Requests: 100, Rate: 20.2, Throughput: 6.9, Goodput: 6.9, Elapsed: ms(14490), SuccessRatio: 1,
				Latency: quantiles(2005, 5770, 5769, 9500, 9540, 9548, 9548), SuccessLatency: quantiles(2005, 5770, 5769, 9500, 9540, 9548, 9548),
				Outcomes: experiment.Outcomes{OK: 100}, StatusCodes: map[string]int{"200": 100}, BytesIn: 1500,
				Holds:       experiment.Holds{Count: 100, Held: quantiles(2002, 2003, 2003, 2004, 2004, 2005, 2005), BusyRatio: 0.0005, SilentInTransaction: ms(200200)},
				Connections: experiment.Connections{Max: 16, MaxSilentInTransaction: 15, Left: 6, SilentInTransaction: ms(200200)}, SilentRatio: &ratio,
				Wire: &experiment.Wire{
					Transactions: 100, MaxInTransaction: 15, MaxInFlight: 70, Statements: 300, Busy: experiment.Seconds(us(904)), ExhaustedAt: 15,
					Gaps: []experiment.GapGroup{
						{Route: "/checkout", After: "SELECT id, user_id, total, currency FROM carts | WHERE carts.id = $1", Count: 100, Silent: experiment.Seconds(ms(200200)), P50: experiment.Seconds(ms(2002)), Longest: experiment.Seconds(ms(2005))},
						{After: "BEGIN", Count: 12, Silent: experiment.Seconds(ms(20)), P50: experiment.Seconds(ms(1)), Longest: experiment.Seconds(ms(3))},
					},
				},
			},
			{
				Name: "GET /health", File: "GET-health", Requests: 100, Rate: 20.2, Throughput: 20.1, Goodput: 20.1, Elapsed: ms(4953), SuccessRatio: 1,
				Latency: quantiles(1, 2, 2, 3, 3, 4, 5), SuccessLatency: quantiles(1, 2, 2, 3, 3, 4, 5),
				Outcomes: experiment.Outcomes{OK: 100}, StatusCodes: map[string]int{"200": 100}, Connections: experiment.Connections{Max: 6, Left: 6},
				Wire: &experiment.Wire{MaxInFlight: 1, Gaps: []experiment.GapGroup{}},
			},
		},
		Conclusions: []experiment.Conclusion{
			{About: "service", Cases: []string{"GET /checkout/{n}"}, Sentence: "It is idle in transaction for 99.9 % of the time that one is open: 2 s after SELECT … FROM carts."},
			{About: "service", Cases: []string{"GET /health"}, Sentence: "It did not use the database: 100 of 100 requests were answered."},
		},
		Warnings: []string{},
	}
}

// atOnce is a run of the same service with both routes at once.
func atOnce() *experiment.Result {
	r := aService()
	r.Service.Together = true
	all := r.Routes[0]
	all.Name, all.File = experiment.Together, "all-together"
	r.Routes[0].Wire, r.Routes[0].SilentRatio, r.Routes[0].Holds, r.Routes[0].Connections = nil, nil, experiment.Holds{}, experiment.Connections{}
	r.Routes[1].Wire, r.Routes[1].Connections = nil, experiment.Connections{}
	r.Routes = append(r.Routes, all)
	return r
}
