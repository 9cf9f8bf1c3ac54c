package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/plan"
)

// What the lab advises on timeouts after a run, plan advises before it.
func TestWarnings_AdviseOnTimeoutsAsPlanDoes(t *testing.T) {
	const async, sync = "async_session_sleep_inside_session", "sync_session_sleep_inside_session"
	warning := func(s experiment.Settings, names ...string) string {
		routes, err := experiment.FindRoutes(names)
		if err != nil {
			t.Fatal(err)
		}
		res := &experiment.Result{Settings: s}
		var ran []ranCase
		for _, c := range experiment.CasesOf(routes, s) {
			r := experiment.RouteResult{Name: c.Name}
			res.Routes = append(res.Routes, r)
			ran = append(ran, ranCase{c, []*experiment.RouteResult{&r}})
		}
		for _, w := range warnings(res, ran, len(ran)) {
			if strings.HasPrefix(w, "The success ratio of the routes that hold") {
				return w
			}
		}
		return ""
	}
	budget := func(s experiment.Settings, name string) experiment.Conclusion {
		routes, err := experiment.FindRoutes([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		b, err := plan.Budget(plan.Questions(experiment.CasesOf(routes, s), plan.Model{})[0])
		if err != nil {
			t.Fatal(err)
		}
		return b.Conclusion()
	}
	for _, pool := range experiment.Pools {
		for _, pt := range []time.Duration{30 * time.Second, 28 * time.Second, 27950 * time.Millisecond, 27900 * time.Millisecond, 10 * time.Second} {
			s := experiment.Defaults()
			s.Pool, s.PoolTimeout = pool, pt
			says, plans := warning(s, async), budget(s, async)
			sound := plans.Figures["sound_pool_timeout_s"]
			if (says == "") != (pt.Seconds() <= sound) {
				t.Errorf("%s, %v: plan says that up to %v s are sound, the lab warns %q", pool, pt, sound, says)
			}
			if says == "" {
				continue
			}
			why, _, _ := strings.Cut(plans.Sentence, " The load is more")
			if !strings.Contains(says, why) {
				t.Errorf("%s, %v: plan says %q, the lab %q", pool, pt, why, says)
			}
			if want := fmt.Sprintf("%v s", sound); !strings.Contains(says, want) {
				t.Errorf("%s, %v: the lab does not say that %s are sound: %q", pool, pt, want, says)
			}
		}
	}
	s := experiment.Defaults()
	_, why, _ := strings.Cut(budget(s, sync).Sentence, ", and no pool timeout")
	if got := warning(s, sync); why == "" || !strings.Contains(got, why) || strings.Contains(got, "sound") {
		t.Errorf("of a sync route plan says %q, the lab %q", why, got)
	}
	if got := warning(s, sync, async); !strings.Contains(got, why) || !strings.Contains(got, "27.9 s or less is sound") {
		t.Errorf("of both kinds the lab says %q", got)
	}
	s.Slow = 40 * time.Second
	if got, want := warning(s, async), budget(s, async).Sentence; !strings.HasSuffix(got, want) {
		t.Errorf("plan says %q, the lab %q", want, got)
	}
}
