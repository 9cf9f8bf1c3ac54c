package plan

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// measure is a machine without noise: what it measures is what the model says, with overheads
// that the validation has to find out.
func measure(t *testing.T, v *Validation, o Overheads, change func(c experiment.Case, r *experiment.RouteResult)) *experiment.Result {
	t.Helper()
	res := &experiment.Result{Kind: experiment.Measured, Settings: v.Cases[0].Settings}
	for _, c := range v.Cases {
		r, err := predictCase(c, Model{Overheads: o})
		if err != nil {
			t.Fatal(err)
		}
		own := c.Settings
		r.Settings = &own
		if change != nil {
			change(c, r)
		}
		res.Routes = append(res.Routes, *r)
	}
	return res
}

var machine = Overheads{Statement: time.Millisecond, Connect: 8 * time.Millisecond, Request: 2 * time.Millisecond, Call: time.Millisecond}

func TestValidation_FindsTheOverheadsAndHits(t *testing.T) {
	v, err := NewValidation(12, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Cases) != 12+9 {
		t.Fatalf("%d cases, want 12 and 9 that calibrate", len(v.Cases))
	}
	done, err := v.Compare(measure(t, v, machine, nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Cases) != 12 || done.Figures != 48 || done.Share() < Enough || len(done.Busy) > 0 {
		t.Errorf("%d cases, %d of %d figures, busy: %q", len(done.Cases), done.Hits, done.Figures, done.Busy)
	}
	for _, pool := range experiment.Pools {
		o := done.Overheads[pool]
		if (o.Statement-machine.Statement).Abs() > 10*time.Microsecond || (o.Call-machine.Call).Abs() > 10*time.Microsecond ||
			(o.Request-machine.Request).Abs() > 300*time.Microsecond {
			t.Errorf("%s: got %+v, want %+v", pool, o, machine)
		}
	}
}

// A machine that has other things to do must not be taken for a bad model.
func TestValidation_SaysThatTheMachineWasBusy(t *testing.T) {
	v, err := NewValidation(2, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	disturbed := v.Cases[len(v.Cases)-1].Name
	for _, c := range []struct {
		want   string
		change func(c experiment.Case, r *experiment.RouteResult)
	}{
		{"calibrations with sql disagree", func(c experiment.Case, r *experiment.RouteResult) {
			if c.Name == disturbed {
				r.Latency.Mean += 30 * time.Millisecond
			}
		}},
		{"was sent 4 ms late or more", func(c experiment.Case, r *experiment.RouteResult) {
			if c.Name == disturbed {
				r.SentLate.P99, r.SentLate.Max = 20*time.Millisecond, 30*time.Millisecond // in the experiment's time, which is 5 times as long
			}
		}},
	} {
		done, err := v.Compare(measure(t, v, machine, c.change))
		if err != nil {
			t.Fatal(err)
		}
		if len(done.Busy) != 1 || !strings.Contains(done.Busy[0], c.want) {
			t.Errorf("busy: %q, want %q", done.Busy, c.want)
		}
	}
}

func TestValidation_ListsEachMissWithItsCause(t *testing.T) {
	v, err := NewValidation(3, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	spoil := map[string]time.Duration{}
	for _, c := range v.Cases {
		if !v.calibrates[c.Name] {
			spoil[c.Name] = time.Duration(len(spoil)) * 60 * time.Millisecond // 0, 12 and 24 ms of the clock
		}
	}
	done, err := v.Compare(measure(t, v, machine, func(c experiment.Case, r *experiment.RouteResult) {
		if late, ok := spoil[c.Name]; ok {
			r.Throughput *= 2
			r.SentLate.P99, r.SentLate.Max = late, late
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if missed := done.Figures - done.Hits; missed != 3 || done.Unexplained != 1 {
		t.Errorf("%d missed, of these %d unexplained; want 3 and 1", missed, done.Unexplained)
	}
	for i, c := range done.Cases {
		k := c.Checks[0]
		if busy := strings.Contains(k.Cause, "busy"); !k.Missed() || busy != (i > 0) {
			t.Errorf("%s: %+v", c.Name, k)
		}
	}
}

// Cases that are given calibrate themselves, and those that were left out are none.
func TestValidationOf_AsksForOutcomesOnly(t *testing.T) {
	s := experiment.Defaults()
	s.Speed = 5
	v := ValidationOf(experiment.CasesOf(experiment.RoutesOf("remedies"), s), 1)
	r := measure(t, v, machine, func(_ experiment.Case, r *experiment.RouteResult) {
		r.Throughput *= 1.04
		if r.Outcomes.OK < r.Requests { // the others tell how calls differ
			r.Latency.P50 /= 2
		}
	})
	r.Routes = r.Routes[1:]
	done, err := v.Compare(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(v.Cases) - 1; len(done.Cases) != want || done.Figures != 2*want || done.Hits != 2*want {
		t.Errorf("%d of %d figures of %d cases, want all of %d cases", done.Hits, done.Figures, len(done.Cases), want)
	}
	if o, ok := done.Overheads[""]; !ok || o != Calibrate(r) || len(done.Overheads) != 1 || len(done.Busy) != 0 {
		t.Errorf("its overheads are %+v, busy: %q", done.Overheads, done.Busy)
	}
	for i := range r.Routes {
		r.Routes[i].SentLate.P99, r.Routes[i].SentLate.Max = 500*time.Millisecond, 500*time.Millisecond
	}
	if done, err := v.Compare(r); err != nil || len(done.Busy) != 1 || done.Busy[0] != Busy(r) {
		t.Errorf("%v, busy: %q, want %q", err, done.Busy, Busy(r))
	}
}

func TestNewValidation_CalibratesThreeTimes(t *testing.T) {
	v, err := NewValidation(2, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, c := range v.Cases {
		if names[c.Name] {
			t.Errorf("two cases are called %s", c.Name)
		}
		names[c.Name] = true
	}
	if len(v.calibrates) == 0 || len(v.calibrates)%3 != 0 || len(v.Cases) != 2+len(v.calibrates) {
		t.Errorf("%d cases, of which %d calibrate, want these three times and two more", len(v.Cases), len(v.calibrates))
	}
}

func TestBusy(t *testing.T) {
	s := experiment.Defaults()
	s.Speed = 5
	of := func(late ...time.Duration) *experiment.Result {
		r := &experiment.Result{Settings: s}
		for _, d := range late {
			r.Routes = append(r.Routes, experiment.RouteResult{SentLate: experiment.Quantiles{P99: d}})
		}
		return r
	}
	ms := time.Millisecond
	for want, r := range map[string]*experiment.Result{
		"": of(5*ms, 5*ms, 45*ms), // 9 ms of the clock
		"of 1 of 3 routes a hundredth of the requests was sent late, by up to 20 ms": of(5*ms, 100*ms, 5*ms),
	} {
		if got := Busy(r); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := Busy(of(100*ms, 0, 0, 0, 0)); got != "" {
		t.Errorf("one of five: %q", got)
	}
}

// A PgBouncer's clients give up after 120 s of the clock, which are 600 s of an experiment
// that runs five times as fast.
func TestFromRun_KeepsTheClockOfPgBouncersPatience(t *testing.T) {
	s := experiment.Defaults()
	s.Speed, s.PgBouncer, s.PoolSize, s.MaxOverflow = 5, 1, 500, 0
	s.Rate, s.Duration, s.Slow, s.ClientTimeout = 1, 400*time.Second, 2*time.Second, 2000*time.Second
	c := experiment.Case{Name: "async_session_sleep_inside_session", Route: route(t, "async_session_sleep_inside_session"), Settings: s}
	r, err := predictCase(c, Model{})
	if err != nil {
		t.Fatal(err)
	}
	r.SentLate = experiment.Quantiles{}
	qs, err := FromRun(&experiment.Result{Kind: experiment.Measured, Settings: s, Routes: []experiment.RouteResult{*r}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Ask(qs[0].Settings, qs, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Routes[0].SuccessRatio; math.Abs(got-r.SuccessRatio) > 0.01 || got != 1 {
		t.Errorf("%v answered, and of the run %v; waits of up to 400 s are not too long at 5 times the speed", got, r.SuccessRatio)
	}
	qs[0].Settings.Speed = 1
	if again, err = Ask(qs[0].Settings, qs, 1); err != nil || again.Routes[0].SuccessRatio > 0.9 {
		t.Errorf("at the clock's own speed %v answered (%v), though some would wait for more than 120 s", again.Routes[0].SuccessRatio, err)
	}
	if s := again.Settings; s.Speed != 1 {
		t.Errorf("a prediction is said to have run at %v times the speed", s.Speed)
	}
}
