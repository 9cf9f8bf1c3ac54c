package main

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// theAnswer has the figures of an answer, and where the truth may be: within twice the interval
// that the answer gives, which it leaves one time in ten thousand, and, of what has none,
// within 0.5 %.
type theAnswer struct {
	t       *testing.T
	command string
	result  *experiment.Result
	of      map[string]float64
}

func answered(t *testing.T, status int, command, kind string) theAnswer {
	t.Helper()
	return theAnswer{t, command, planned(t, status, strings.Fields(command)...), nil}.about(kind)
}

// about is the same answer, and of it what it says about something.
func (f theAnswer) about(kind string) theAnswer {
	f.t.Helper()
	f.of = about(f.t, f.result, kind).Figures
	return f
}

func (f theAnswer) interval(name, unit string) (low, high float64) {
	f.t.Helper()
	v, said := f.of[name+unit]
	if !said {
		f.t.Fatalf("%s: there is no %s in %v", f.command, name+unit, f.of)
	}
	low, high = v, v
	if l, said := f.of[name+"_low"+unit]; said {
		low, high = l, f.of[name+"_high"+unit]
		if !(low <= v && v <= high) {
			f.t.Errorf("%s: %s is %v, and its interval %v to %v", f.command, name+unit, v, low, high)
		}
	}
	return low, high
}

func (f theAnswer) contains(name, unit string, truth float64) {
	f.t.Helper()
	low, high := f.interval(name, unit)
	more := max((high-low)/2, 0.005*truth)
	f.t.Logf("%s: %s %.4g (%.4g to %.4g), in truth %.4g", f.command, name+unit, f.of[name+unit], low, high, truth)
	if math.IsNaN(truth) || truth < low-more || truth > high+more {
		f.t.Errorf("%s: %s is %.4g (%.4g to %.4g), and in truth %.4g", f.command, name+unit, f.of[name+unit], low, high, truth)
	}
}

// is checks a figure in which there is no chance.
func (f theAnswer) is(name string, want float64) {
	f.t.Helper()
	if got, said := f.of[name]; !said || math.Abs(got-want) > 1e-6*math.Abs(want) {
		f.t.Errorf("%s: %s is %v, want %v", f.command, name, got, want)
	}
}

// isLeast checks a number of connections against how many it takes in truth.
func (f theAnswer) isLeast(name string, meets func(n int) bool) {
	f.t.Helper()
	low, high := f.interval(name, "")
	if meets(int(low)-1) || !meets(int(high)) {
		f.t.Errorf("%s: %v to %v are the least; in truth %v meet the target: %v, and %v: %v", f.command, low, high, low-1, meets(int(low)-1), high, meets(int(high)))
	}
}

var questions = flag.Int("questions", 4, "how many of the twelve questions are asked")

// Twelve questions, each in one line, as somebody would ask them of his service; the truth
// is a formula, or a simulation that is written apart (queue). The first four ask of the
// most: -questions 12, as .ci/run has it.
func TestPlan_TwelveQuestionsInOnesOwnWords(t *testing.T) {
	t.Parallel() // beside those that wait
	asked := 0
	ask := func(name string, question func(t *testing.T)) {
		if asked++; asked <= *questions {
			t.Run(name, question)
		}
	}
	never := math.Inf(1)
	const four = "--rate 120 --held 300ms --sql 5ms --connections 10 --replicas 4"
	ofFour := func(rate float64, n int) seen { // one of four replicas: what comes at random is sent at random
		return queue{rate: rate / 4, places: n, hold: always(0.3), patience: never, deadline: 30}.run(1_000_000)
	}
	p99 := func(s seen) float64 { return quantile(s.latencies, 0.99) }

	ask("four replicas of ten, even, in turn", func(t *testing.T) {
		const command = four + " --arrivals even --in-turn"
		f := answered(t, exitDone, command, "load")
		f.is("capacity_per_s", 40/0.3)
		f.is("wait_p99_s", 0) // D/D/c below its capacity: nobody waits
		f.is("latency_p99_s", 0.3)
		f.is("success_ratio", 1)
		f.about("connections").is("connections", 9) // 30/s of 0.3 s each
	})
	ask("with Poisson and a random balancer", func(t *testing.T) {
		truth := ofFour(120, 10)
		f := answered(t, exitDone, four, "load")
		f.contains("wait_mean", "_s", 0.3*fixedHoldsWait(9, 10))
		f.contains("wait_p95", "_s", quantile(truth.waits, 0.95))
		f.contains("latency_p50", "_s", quantile(truth.latencies, 0.50))
		f.contains("latency_p99", "_s", p99(truth))
		f = f.about("connections")
		f.isLeast("connections", func(n int) bool { return n > 9 && p99(ofFour(120, n)) <= 1 })
		n := f.of["connections"]
		f.is("total_connections", 4*n)
		f.is("surging_connections", 5*n)
		f.is("room_connections", 97)
	})
	ask("12 pods of 10 against max_connections 100", func(t *testing.T) {
		f := answered(t, exitFound, "--rate 400 --held 40ms --sql 10ms --connections 10 --replicas 12 --max-connections 100", "room")
		f.is("total_connections", 120)
		f.is("surging_connections", 150)
		f.is("room_connections", 97)
	})
	ask("FastAPI with 5 + 10 at 20/s", func(t *testing.T) {
		truth := queue{rate: 20, places: 15, hold: always(2), patience: 30, deadline: 30, goesOn: true}.run(500_000)
		f := answered(t, exitDone, "--rate 20 --held 2s --pool queuepool", "load")
		f.is("capacity_per_s", 7.5)
		f.is("queue_grows_per_s", 12.5)
		f.is("fails_after_s", (30.0-2)/(20/7.5-1))
		f.is("carrying_connections", 41) // 40 are busy, and chance needs room
		f.contains("success", "_ratio", truth.success)
	})
	ask("when does it break", func(t *testing.T) {
		f := answered(t, exitDone, four+" --breaks --breaks-when p99<=600ms", "breaks")
		low, high := f.interval("breaks", "_per_s")
		more := max((high-low)/2, 0.005*high) // to half a per cent it is looked for
		if before, after := p99(ofFour(low-more, 10)), p99(ofFour(high+more, 10)); before > 0.6 || after < 0.6 {
			t.Errorf("breaks between %.4g and %.4g; in truth the p99 is %.4g s there and %.4g s", low-more, high+more, before, after)
		}
		answered(t, exitDone, four+" --breaks", "breaks").contains("breaks", "_per_s", 40/0.3) // clients wait for 30 s
	})
	ask("four workers with an 8 s call", func(t *testing.T) {
		truth := queue{rate: 0.3, places: 3, hold: always(8), patience: never, deadline: 60}.run(600_000)
		f := answered(t, exitDone, "--rate 1.2 --held 8s --workers 4 --connections 3 --client-timeout 60s", "load")
		f.is("capacity_per_s", 1.5)
		f.contains("wait_p95", "_s", quantile(truth.waits, 0.95))
		f.contains("latency_p99", "_s", p99(truth))
	})
	ask("PgBouncer with 20", func(t *testing.T) {
		truth := queue{rate: 60, places: 20, hold: always(0.3), patience: never, deadline: 30}.run(1_000_000)
		f := answered(t, exitDone, "--rate 60 --held 300ms --connections 50 --replicas 4 --pgbouncer-size 20", "load")
		f.is("capacity_per_s", 20/0.3)
		f.contains("wait_mean", "_s", 0.3*fixedHoldsWait(18, 20))
		f.contains("wait_p95", "_s", quantile(truth.latencies, 0.95)-0.3)
		f.contains("latency_p99", "_s", p99(truth))
	})
	ask("clients of 10 s and the pool timeout", func(t *testing.T) {
		const command = "--rate 20 --held 2s --pool queuepool --client-timeout 10s"
		q := queue{rate: 20, places: 15, hold: always(2), patience: 30, deadline: 10, goesOn: true}
		f := answered(t, exitDone, command, "load")
		f.contains("success", "_ratio", q.run(500_000).success)
		f.about("timeouts").is("sound_pool_timeout_s", 7.9) // 10 s, less 2 s, less a twentieth of these
		q.patience = 7.9
		answered(t, exitDone, command+" --pool-timeout 7.9s", "load").contains("success", "_ratio", q.run(500_000).success)
	})
	ask("SQL only, 12 ms, 1,500/s", func(t *testing.T) {
		truth := queue{rate: 1500, places: 20, hold: always(0.012), patience: never, deadline: 30}.run(1_000_000)
		f := answered(t, exitDone, "--rate 1500 --sql 12ms --connections 20", "load")
		f.contains("wait_mean", "_s", 0.012*fixedHoldsWait(18, 20))
		f.contains("wait_p95", "_s", quantile(truth.waits, 0.95))
		f.contains("latency_p99", "_s", p99(truth))
	})
	ask("200 lambdas", func(t *testing.T) {
		const command = "--rate 30 --held 6s --lambdas 200 --max-connections 300"
		f := answered(t, exitDone, command, "load")
		f.contains("refused", "_ratio", erlangB(180, 200))
		f.about("connections").isLeast("connections", func(n int) bool { return erlangB(180, n) <= 0.001 })
	})
	ask("sync with 40 threads", func(t *testing.T) {
		truth := queue{rate: 18, places: 40, hold: always(2), patience: never, deadline: 30}.run(1_000_000)
		f := answered(t, exitDone, "--rate 18 --held 2s --threads 40 --connections 60 --max-connections 200", "load")
		f.is("capacity_per_s", 20)
		f.contains("wait_p95", "_s", quantile(truth.latencies, 0.95)-2)
		f.contains("latency_p99", "_s", p99(truth))
	})
	ask("an LLM with lognormal calls", func(t *testing.T) {
		truth := queue{rate: 3, places: 30, hold: lognormal(6, 40), patience: never, deadline: 60}.run(1_000_000)
		f := answered(t, exitDone, "--rate 3 --held-p50 6s --held-p99 40s --connections 30 --client-timeout 60s", "load")
		f.contains("success", "_ratio", truth.success)
		f.contains("wait_p95", "_s", quantile(truth.waits, 0.95))
		f.contains("latency_p50", "_s", quantile(truth.latencies, 0.50))
		f.contains("latency_p99", "_s", p99(truth))
	})
}

// A load above capacity of a pool whose waits end with the request's context.
func TestPlan_ServiceBeyondItsCapacity(t *testing.T) {
	const command = "--rate 200 --held 300ms --sql 5ms --connections 10 --replicas 4"
	q := queue{rate: 50, places: 10, hold: always(0.3), patience: math.Inf(1), deadline: 30}
	f := answered(t, exitDone, command, "load")
	f.contains("success", "_ratio", q.run(1_000_000).success)
	r := f.result
	for _, part := range []string{"carry 133 requests/s, and 200 come", "16 in each replica, 64 in all, carry 200", "From then on"} {
		if s := about(t, r, "load").Sentence; !strings.Contains(s, part) {
			t.Errorf("want %q in %q", part, s)
		}
	}
	if s := about(t, r, "timeouts").Sentence; !strings.Contains(s, "pgxpool has no pool timeout: the request's context has to end the wait") {
		t.Errorf("got %q", s)
	}
	if r.Kind != experiment.Predicted || len(r.Routes) != 1 || r.Settings.Pool != experiment.PgxPool || len(r.Routes[0].Interval) == 0 {
		t.Errorf("got a %s result, pool %s, intervals %v", r.Kind, r.Settings.Pool, r.Routes[0].Interval)
	}
}

func TestPlan_ServiceMistakesAreOneSentence(t *testing.T) {
	const well = "--rate 120 --held 300ms --connections 10"
	for _, c := range []struct{ args, want string }{
		{"--held 300ms --connections 10", "--rate is missing"},
		{"--rate 0 --held 300ms --connections 10", "--rate must be above zero"},
		{"--rate 120 --held=-1s --connections 10", "--held must be above zero"},
		{"--rate 120 --sql 0s --connections 10", "--sql must be above zero"},
		{"--rate 120 --held 300ms --connections 0", "--connections must be above zero"},
		{well + " --workers 0", "--workers must be above zero"},
		{well + " --replicas 0", "--replicas must be above zero"},
		{well + " --pgbouncer-size 0", "--pgbouncer-size must be above zero"},
		{well + " --pool-size 5", "--connections is the size of a pool without overflow"},
		{well + " --max-overflow 5", "--connections is the size of a pool without overflow"},
		{"--rate 120 --held 300ms --pool-size 5 --max-overflow 5", "pgxpool has no overflow"},
		{"--rate 120 --held 300ms --pool sql --pool-size 5 --max-overflow 5", "database/sql has no overflow"},
		{well + " --sql 1s", "--sql must not be longer than --held"},
		{well + " --held-p50 1s --held-p99 2s", "name one of the two"},
		{"--rate 120 --held-p50 1s --connections 10", "--held-p50 and --held-p99 go together"},
		{"--rate 120 --held-p99 1s --connections 10", "--held-p50 and --held-p99 go together"},
		{"--rate 120 --held-p50 2s --held-p99 1s --connections 10", "--held-p99 must be longer than --held-p50"},
		{"--rate 120 --held-p50 1s --held-p99 2s --sql 1s --connections 10", "--sql must be shorter than --held-p50"},
		{"--rate 120 --held-p50 1s --held-p99 2s --connections 10 --shape fixed", "make holds lognormal"},
		{"--rate 120 --sql 5ms --connections 10 --shape exponential", "say --held, and no --sql"},
		{well + " --in-turn --random-replica", "are opposites"},
		{well + " --what-if", "say with --sql"},
		{well + " --lambdas 5", "--lambdas does not go with --connections"},
		{"--rate 120 --held 300ms --lambdas 5 --replicas 2", "--lambdas does not go with --replicas"},
		{well + " --slow 2s", "--slow does not go with --held"},
		{"--rate 120 --sql 3ms --connections 10 --duration 5s", "--duration does not go with --sql"},
		{well + " --from holds.json", "--from does not go with --held"},
		{well + " --group seed", "--group does not go with --held"},
		{well + " --shape round", "--shape must be one of"},
		{well + " " + inside, "has no route"},
		{well + " --breaks-when soon", "--breaks-when: \"soon\" is no target"},
		{"--connections 10", "--connections is for a question about a service"},
		{"--workers 2", "--workers is for a question about a service"},
		{"--validate 1 --held 300ms", "--validate does not go with --held"},
	} {
		status, out, stderr := pghold(t.Context(), append([]string{"plan"}, strings.Fields(c.args)...)...)
		if status != exitUsage || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 || out != "" {
			t.Errorf("%q: status %d, %q, want %q", c.args, status, stderr, c.want)
		}
	}
}

// The status says that something cannot be reached, or has no room.
func TestPlan_ServiceExitStatus(t *testing.T) {
	const quick = "--rate 20 --held 100ms --arrivals even --connections 5 "
	for args, want := range map[string]int{
		quick:                           exitDone,
		quick + "--target p99<=200ms":   exitDone,
		quick + "--target p99<=50ms":    exitFound, // a hold alone takes longer
		quick + "--max-connections 5":   exitFound,
		quick + "--max-connections 0":   exitDone,
		quick + "--client-timeout 50ms": exitFound,
		"--rate 90 --held 100ms --arrivals even --connections 5": exitDone, // more than is carried, which is an answer
	} {
		planned(t, want, strings.Fields(args)...)
	}
}

// What is named is said otherwise than by default.
func TestPlan_ServiceDefaultsAreSaid(t *testing.T) {
	const quick = "--rate 20 --held 100ms --connections 5 --replications 2 "
	const even = "--arrivals even " // in which there is no chance, and which takes no time
	for _, c := range []struct {
		args  string
		want  []string
		other func(experiment.Settings) bool
	}{
		{"--replicas 2", []string{"come at random (Poisson)", "to any of the 2 replicas, at random", "pgxpool serves who has waited longest, has no overflow and no pool timeout: a wait ends when the client leaves, after 30 s, by the request's context", "ends when its client has left", "is not known, and limits nothing; --sql"},
			func(s experiment.Settings) bool {
				return s.Pool == experiment.PgxPool && s.PoolSize == 5 && s.MaxOverflow == 0 && s.CancelOnDisconnect
			}},
		{even + "--replicas 2 --workers 3 --in-turn", []string{"Requests come evenly", "to the 2 replicas × 3 workers in turn"}, nil},
		{even + "--replicas 2 --random-replica=false", []string{"to the 2 replicas in turn"}, nil},
		{"--pool sql", []string{"database/sql serves any of those who wait"}, func(s experiment.Settings) bool { return s.Pool == experiment.SQLPool }},
		{even + "--pool queuepool", []string{"A wait for a connection ends after 30 s (--pool-timeout)", "goes on when its client has left"}, func(s experiment.Settings) bool {
			return !s.CancelOnDisconnect && s.PoolSize == 5 && s.MaxOverflow == 0
		}},
		{even + "--pool-timeout 2s", []string{"A wait for a connection ends after 2 s"}, func(s experiment.Settings) bool { return s.PoolTimeout == 2e9 }},
		{even + "--pgbouncer-size 3", []string{"A transaction is open for the whole of a hold"}, func(s experiment.Settings) bool { return s.PgBouncer == 3 }},
	} {
		r := planned(t, exitDone, strings.Fields(quick+c.args)...)
		all := strings.Join(r.Warnings, "\n")
		for _, want := range c.want {
			if !strings.Contains(all, want) {
				t.Errorf("%q: want %q in\n%s", c.args, want, all)
			}
		}
		if c.other != nil && !c.other(r.Settings) {
			t.Errorf("%q: %+v", c.args, r.Settings)
		}
	}
	r := planned(t, exitDone, strings.Fields(even+"--rate 20 --held 100ms --pool queuepool")...)
	if s := r.Settings; s.PoolSize != 5 || s.MaxOverflow != 10 || s.PoolTimeout != 30e9 {
		t.Errorf("SQLAlchemy's pool has 5 + 10 and 30 s, not %+v", s)
	}
}

// The answer is for a screen of 80 columns; tables come with -v.
func TestPlan_ServiceTextIsForAScreen(t *testing.T) {
	args := strings.Fields("plan --rate 20 --held 100ms --connections 5 --replicas 3 --replications 2")
	_, brief, _ := pghold(t.Context(), args...)
	for i, line := range strings.Split(brief, "\n") {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("line %d has %d columns: %q", i+1, n, line)
		}
	}
	if !strings.HasPrefix(brief, "15 connections (3 replicas of 5) carry 150 requests/s; at 20 (random arrivals),") || strings.Contains(brief, "Assumed") || strings.Contains(brief, "Predicted") {
		t.Errorf("got\n%s", brief)
	}
	before, after := strings.Index(brief, "If something changes"), strings.Index(brief, "What it depends on")
	if before < 0 || after < before {
		t.Errorf("the order is another:\n%s", brief)
	}
	_, long, _ := pghold(t.Context(), append(args, "-v")...)
	if !strings.HasPrefix(long, brief) || !strings.Contains(long, "Predicted: 20 requests/s") {
		t.Errorf("with -v there are no tables below it:\n%s", long)
	}
	_, help, _ := pghold(t.Context(), "plan", "--help")
	if own, lab := strings.Index(help, "pghold plan --rate 120 --held 300ms"), strings.Index(help, inside); own < 0 || lab < own {
		t.Errorf("the help does not begin with it:\n%s", help)
	}
}

// What docs/plan.md shows of a question in one's own words is what is printed; "…" stands
// for the rest.
func TestPlan_DocumentedAnswersAreWhatIsPrinted(t *testing.T) {
	t.Parallel() // beside those that wait
	b, err := os.ReadFile("../../docs/plan.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n## In one's own words\n")
	section, _, _ = strings.Cut(section, "\n## ")
	shown := 0
	for i, block := range strings.Split(section, "```") {
		command, want, found := strings.Cut(strings.TrimPrefix(block, "\n$ pghold "), "\n")
		if i%2 == 0 || !found || !strings.HasPrefix(block, "\n$ pghold ") {
			continue
		}
		shown++
		_, out, _ := pghold(t.Context(), strings.Fields(command)...)
		if head, cut := strings.CutSuffix(want, "…\n"); cut && strings.HasPrefix(out, head) {
			continue
		}
		if out != want {
			t.Errorf("pghold %s prints\n%s\nand documented is\n%s", command, out, want)
		}
	}
	if shown < 3 {
		t.Errorf("%d answers are documented", shown)
	}
}

// Where nobody says how many connections there are, that is what is asked.
func TestPlan_ServiceWithoutConnections(t *testing.T) {
	r := planned(t, exitDone, strings.Fields("--rate 20 --held 100ms --arrivals even")...)
	if c := about(t, r, "connections"); r.Settings.PoolSize != 2 || c.Figures["connections"] != 2 || strings.Contains(c.Sentence, "that there") {
		t.Errorf("%d connections, %v, %q; want the 2 that are in use", r.Settings.PoolSize, c.Figures, c.Sentence)
	}
	if says := strings.Join(r.Warnings, " "); !strings.Contains(says, "was not said (--connections)") || !strings.Contains(says, "On average 2 are in use") {
		t.Errorf("got %q", says)
	}
	r = planned(t, exitFound, strings.Fields("--rate 20 --held 40s --arrivals even")...)
	if r.Settings.PoolSize != 1 {
		t.Errorf("%d connections, where no number is enough", r.Settings.PoolSize)
	}
}
