package plan

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// anyCase draws a case of any route, and a model, with up to a few hundred requests.
func anyCase(t *rapid.T) (experiment.Case, Model) {
	between := func(name string, least, most time.Duration) time.Duration {
		return time.Duration(rapid.Int64Range(int64(least), int64(most)).Draw(t, name))
	}
	// maybe is a limit that is off in half of the cases.
	maybe := func(name string, most int) int {
		return rapid.OneOf(rapid.Just(0), rapid.IntRange(1, most)).Draw(t, name)
	}
	s := experiment.Defaults()
	s.Rate = rapid.Float64Range(1, 300).Draw(t, "rate")
	n := rapid.IntRange(1, 300).Draw(t, "requests")
	s.Duration = time.Duration(float64(n) / s.Rate * 1e9)
	s.Slow = between("slow", 0, 3*time.Second)
	s.SlowShape = rapid.SampledFrom(experiment.Shapes).Draw(t, "slow shape")
	s.ClientTimeout = between("client timeout", 100*time.Millisecond, 10*time.Second)
	s.PoolTimeout = between("pool timeout", 1, 10*time.Second)
	s.Pool = rapid.SampledFrom(experiment.Pools).Draw(t, "pool")
	s.PoolSize = rapid.IntRange(1, 20).Draw(t, "size")
	s.MaxOverflow = rapid.IntRange(0, 10).Draw(t, "overflow")
	s.Threads = rapid.IntRange(1, 30).Draw(t, "threads")
	s.CancelOnDisconnect = rapid.Bool().Draw(t, "cancel")
	s.MaxInFlight = maybe("in flight", 50)
	s.Accounts = rapid.IntRange(1, 10).Draw(t, "accounts")
	s.Distance = between("distance", 0, 20*time.Millisecond)
	if s.PgBouncer = maybe("pgbouncer", 10); s.PgBouncer == 0 {
		s.IdleInTransactionTimeout = time.Duration(maybe("idle timeout ms", 3000)) * time.Millisecond
		s.TransactionTimeout = time.Duration(maybe("transaction timeout ms", 3000)) * time.Millisecond
	}
	m := Model{
		Overheads: Overheads{
			Statement: between("statement", 0, 20*time.Millisecond), Connect: between("connect", 0, 100*time.Millisecond),
			Request: between("request", 0, 10*time.Millisecond), Handover: between("handover", 0, 5*time.Millisecond),
		},
		Arrivals:      rapid.SampledFrom([]Arrivals{Even, Poisson}).Draw(t, "arrivals"),
		Shape:         rapid.SampledFrom([]string{"", Exponential}).Draw(t, "shape"),
		Replicas:      rapid.IntRange(1, 4).Draw(t, "replicas"),
		RandomReplica: rapid.Bool().Draw(t, "at random"),
		Cores:         maybe("cores", 4),
		Seed:          rapid.Uint64().Draw(t, "seed"),
	}
	r := rapid.SampledFrom(experiment.Routes).Draw(t, "route")
	return experiment.Case{Name: r.Name, Route: r, Settings: s}, m
}

// observed is a station, and what a test sees of it and of those who are there.
type observed struct {
	name    string
	station *station
	waitFor waitFor
	mine    func(*request) bool

	inQueue, inUse   float64 // ∫ of how many, by the station
	stays, waits     float64 // of every request, from when it came to when it went
	entered, started map[int32]int64
}

func stationsOf(s *sim) []*observed {
	var all []*observed
	add := func(name string, st *station, w waitFor, mine func(*request) bool) {
		all = append(all, &observed{name: name, station: st, waitFor: w, mine: mine, entered: map[int32]int64{}, started: map[int32]int64{}})
	}
	for i := range s.replicas {
		here := func(q *request) bool { return int(q.replica) == i }
		add("threads", &s.replicas[i].threads, aThread, here)
		add("pool", &s.replicas[i].pool, aConnection, here)
		add("workers", &s.replicas[i].workers, aWorker, here)
	}
	for i := range s.accounts {
		add("row", &s.accounts[i].row, aRow, func(q *request) bool { return int(q.account) == i })
	}
	everybody := func(*request) bool { return true }
	add("servers", &s.servers, aServer, everybody)
	add("cores", &s.cores, aCore, everybody)
	return all
}

// look compares what the station counts with what the requests have and wait for.
func (o *observed) look(t *rapid.T, s *sim) {
	waiting, used := 0, 0
	for i := range s.reqs {
		q, r := &s.reqs[i], int32(i)
		mine := o.mine(q)
		waits, has := mine && q.in == o.waitFor, mine && q.has&places[o.waitFor] != 0
		waiting += count(waits, o.entered, r, s.now, &o.waits)
		used += count(has, o.started, r, s.now, &o.stays)
	}
	st := o.station
	if st.waiting != waiting || st.used != used {
		t.Fatalf("%s at %v: %d wait and %d are in use; of the requests, %d wait and %d have a place", o.name, time.Duration(s.now), st.waiting, st.used, waiting, used)
	}
	if st.places > 0 && st.used > st.places || st.used < 0 {
		t.Fatalf("%s: %d of %d places are in use", o.name, st.used, st.places)
	}
	if st.waiting > 0 && st.used < st.places {
		t.Fatalf("%s: %d wait while %d of %d places are free", o.name, st.waiting, st.places-st.used, st.places)
	}
}

// count keeps since when a request is somewhere, and adds up its time there when it has
// gone.
func count(is bool, since map[int32]int64, r int32, now int64, sum *float64) int {
	from, was := since[r]
	switch {
	case is && !was:
		since[r] = now
	case !is && was:
		*sum += float64(now - from)
		delete(since, r)
	}
	if is {
		return 1
	}
	return 0
}

// watched runs a case, and looks at every station after every event.
func watched(t *rapid.T, c experiment.Case, m Model) (*sim, []*observed) {
	s, err := newSim(Question{Case: c, Model: m}, m.Replicas)
	if err != nil {
		t.Fatal(err)
	}
	stations := stationsOf(s)
	s.begin(m.arrivals(c.Settings, m.chance(forArrivals)))
	for before := int64(0); ; before = s.now {
		queues, uses := make([]int, len(stations)), make([]int, len(stations))
		for i, o := range stations {
			queues[i], uses[i] = o.station.waiting, o.station.used
		}
		if !s.step() {
			break
		}
		if s.now < before {
			t.Fatalf("time went back from %v to %v", time.Duration(before), time.Duration(s.now))
		}
		for i, o := range stations {
			o.inQueue += float64(queues[i]) * float64(s.now-before)
			o.inUse += float64(uses[i]) * float64(s.now-before)
			o.look(t, s)
		}
	}
	s.end()
	return s, stations
}

func TestSimulation_keepsItsBooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, m := anyCase(t)
		s, stations := watched(t, c, m)

		// Little's law, with as many requests as there were: how many are at a station, over
		// time, is how long each of them was there.
		var poolQueue, poolUse float64
		for _, o := range stations {
			same(t, o.name+": waiting", o.inQueue, o.waits)
			same(t, o.name+": in use", o.inUse, o.stays)
			if o.station.used != 0 || o.station.waiting != 0 {
				t.Fatalf("%s: %d places are in use and %d wait at the end", o.name, o.station.used, o.station.waiting)
			}
			if o.name == "pool" {
				poolQueue, poolUse = poolQueue+o.inQueue, poolUse+o.inUse
			}
		}
		st := s.seen().of(0)
		if !c.Settings.CancelOnDisconnect { // who leaves has waited for nothing
			connecting := poolUse - st.held.sum
			same(t, "waits for a connection, with the opening", st.waits.sum, poolQueue+connecting)
		}

		if len(s.free) != len(s.reqs) {
			t.Fatalf("%d of %d requests have not ended", len(s.reqs)-len(s.free), len(s.reqs))
		}
		if s.pool.silentNow != 0 {
			t.Fatalf("%d are silent at the end", s.pool.silentNow)
		}
		left := 0
		for _, r := range s.replicas {
			if r.running != 0 {
				t.Fatalf("%d requests are in flight at the end", r.running)
			}
			if r.open < 0 || r.open > s.keep {
				t.Fatalf("%d connections are open at the end; the pool keeps %d", r.open, s.keep)
			}
			left += r.open
		}
		if s.pool.openNow != left {
			t.Fatalf("%d connections are open at the end, counted as %d", left, s.pool.openNow)
		}

		r := st.result(c)
		o := r.Outcomes
		if sum := o.OK + o.ClientTimeout + o.PoolTimeout + o.Rejected + o.Error; sum != r.Requests {
			t.Fatalf("%d requests, but %d outcomes: %+v", r.Requests, sum, o)
		}
		if m.Arrivals == Even && r.Requests != c.Settings.Requests() {
			t.Fatalf("%d requests, want %d", r.Requests, c.Settings.Requests())
		}
		if r.Latency.Max > c.Settings.ClientTimeout && o.Rejected == 0 {
			t.Fatalf("a latency of %v with clients that leave after %v", r.Latency.Max, c.Settings.ClientTimeout)
		}
		if r.Updates != nil && r.Updates.Lost > 0 && c.Route.Conflict != experiment.Overwrite {
			t.Fatalf("%d updates are lost by a route that loses none", r.Updates.Lost)
		}
		if c.Route.Conflict == "" && r.Updates != nil && r.Updates.Retries > 0 {
			t.Fatalf("%d retries of a route that makes none", r.Updates.Retries)
		}
	})
}

func same(t *rapid.T, what string, a, b float64) {
	if math.Abs(a-b) > 1e-9*max(a, b)+1 {
		t.Fatalf("%s: %v and %v ns", what, a, b)
	}
}

func TestPredict_isTheSameForTheSameSeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, m := anyCase(t)
		one, err := predictCase(c, m)
		if err != nil {
			t.Fatal(err)
		}
		two, err := predictCase(c, m)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(one, two) {
			t.Fatalf("one seed, two answers:\n%+v\n%+v", one, two)
		}
	})
}

// Replicas that share nothing are simulated one by one. Where nothing happens by chance
// that must not show.
func TestSimulate_apartIsTheSameAsTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, m := anyCase(t)
		m.Arrivals, m.RandomReplica, m.Shape, m.Cores = Even, false, experiment.Fixed, 0
		m.Replicas = rapid.IntRange(2, 70).Draw(t, "many replicas")
		c.Settings.PgBouncer, c.Settings.Pool = 0, experiment.QueuePool
		c.Route = rapid.SampledFrom(slices.DeleteFunc(slices.Clone(experiment.Routes), experiment.Route.Updates)).Draw(t, "route without accounts")
		q := Question{Case: c, Model: m}
		if !q.apart() {
			t.Fatalf("the replicas of %+v share something", c)
		}
		apart, err := simulate(q)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newSim(q, m.Replicas)
		if err != nil {
			t.Fatal(err)
		}
		s.run(m.arrivals(c.Settings, m.chance(forArrivals)))
		a, b := apart.of(0).result(c), s.seen().of(0).result(c)
		if a.Connections.Max < b.Connections.Max || a.Connections.MaxSilentInTransaction < b.Connections.MaxSilentInTransaction {
			t.Fatalf("fewer connections at once apart than together:\n%+v\n%+v", a.Connections, b.Connections)
		}
		a.Connections, b.Connections = experiment.Connections{}, experiment.Connections{}
		// Sums of floats depend on their order in the last digit.
		for _, q := range []*experiment.RouteResult{&a, &b} {
			for _, d := range []*time.Duration{&q.Time.ThreadWait, &q.Time.PoolWait, &q.Time.Busy, &q.Time.Slow,
				&q.Latency.Mean, &q.SuccessLatency.Mean, &q.Holds.Held.Mean, &q.Holds.Wait.Mean, &q.Holds.SilentInTransaction} {
				*d = d.Round(10)
			}
			q.Holds.BusyRatio = math.Round(q.Holds.BusyRatio*1e9) / 1e9
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("apart and together:\n%+v\n%+v", a, b)
		}
	})
}

// One connection more may be bad luck for one run, but not in the mean. It is where those
// who get it only queue elsewhere, for longer than they would have waited for the pool:
// for a PgBouncer or a core; or keep a thread from others, whose clients leave
// meanwhile, where without it they had been told at once that there is none; or where to
// open it takes longer than to wait for another.
func TestPredict_moreConnectionsNeverServeFewer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, m := anyCase(t)
		c.Route = rapid.SampledFrom(experiment.RoutesOf("remedies")).Draw(t, "remedy")
		c.Settings.PgBouncer, m.Cores, m.Overheads.Connect = 0, 0, 0
		m.Arrivals, m.Shape = Poisson, Exponential
		more := c
		more.Settings.PoolSize += rapid.IntRange(1, 10).Draw(t, "more")
		const runs = 16
		var sum, squares float64
		for seed := range uint64(runs) {
			m.Seed = seed
			few, err := predictCase(c, m)
			if err != nil {
				t.Fatal(err)
			}
			many, err := predictCase(more, m)
			if err != nil {
				t.Fatal(err)
			}
			d := float64(many.Outcomes.OK - few.Outcomes.OK)
			sum += d
			squares += d * d
		}
		mean := sum / runs
		deviation := math.Sqrt(max(0, squares/runs-mean*mean) / (runs - 1))
		if mean+5*deviation < 0 {
			t.Fatalf("with %d connections more, %.2f ± %.2f fewer are served", more.Settings.PoolSize-c.Settings.PoolSize, -mean, deviation)
		}
	})
}
