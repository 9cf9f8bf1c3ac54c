package experiment_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestParseExpectation(t *testing.T) {
	for text, want := range map[string]experiment.Expectation{
		"a.success_ratio>=0.999":                         {Route: "a", Field: "success_ratio", Op: ">=", Value: 0.999},
		" a.latency_s.p99 < 2.5 ":                        {Route: "a", Field: "latency_s.p99", Op: "<", Value: 2.5},
		"a@5ms.holds.busy_ratio<=1":                      {Route: "a@5ms", Field: "holds.busy_ratio", Op: "<=", Value: 1},
		"a.updates.lost==0":                              {Route: "a", Field: "updates.lost", Op: "==", Value: 0},
		"a.updates.killed.lost==0":                       {Route: "a", Field: "updates.killed.lost", Op: "==", Value: 0},
		"a.outcomes.rejected>-1e3":                       {Route: "a", Field: "outcomes.rejected", Op: ">", Value: -1000},
		"a.status_codes.503==0":                          {Route: "a", Field: "status_codes.503", Op: "==", Value: 0},
		"GET /v1.2/{n}.silent_in_transaction_ratio<0.05": {Route: "GET /v1.2/{n}", Field: "silent_in_transaction_ratio", Op: "<", Value: 0.05},
		"GET /a.latency_s.p99<1":                         {Route: "GET /a", Field: "latency_s.p99", Op: "<", Value: 1},
		"a.elapsed_s<7":                                  {Route: "a", Field: "elapsed_s", Op: "<", Value: 7},
		"a.time_s.pool_wait<7":                           {Route: "a", Field: "time_s.pool_wait", Op: "<", Value: 7},
		"a.predicted.latency_s.p99<7":                    {Route: "a", Field: "predicted.latency_s.p99", Op: "<", Value: 7},
		"a.predicted.error.latency_s.p99<0.1":            {Route: "a", Field: "predicted.error.latency_s.p99", Op: "<", Value: 0.1},
	} {
		if got, err := experiment.ParseExpectation(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                   "it needs one of >= <= == > <",
		"a.success_ratio":                    "it needs one of",
		"a.success_ratio=1":                  `"=" is none of`,
		"a.success_ratio=>1":                 `"=>" is none of`,
		"a.success_ratio!=1":                 `"!=" is none of`,
		"a.success_ratio>=":                  `"" is no number`,
		"a.success_ratio>=much":              `"much" is no number`,
		"a.success_ratio>=99.9%":             `"99.9%" is no number`,
		"a.success_ratio>=NaN":               "is no number",
		"a.success_ratio>=1e999":             "is no number",
		"success_ratio>=1":                   "ROUTE.FIELD",
		".success_ratio>=1":                  "ROUTE.FIELD",
		"a.>=1":                              "ROUTE.FIELD",
		"a.sucess_ratio>=1":                  "did you mean success_ratio?",
		"a.latency.p99>=1":                   "did you mean latency_s.p99?",
		"GET /a.latency.p99>=1":              "did you mean latency_s.p99?",
		"a.latency_s>=1":                     "no figure",
		"a.name==1":                          "no figure",
		"a.status_codes.==1":                 "no figure",
		"a.settings.pool_size==1":            "no figure",
		"a.repeats.success_ratio==1":         "no figure",
		"a.predicted.eror.latency_s.p99<0.1": "did you mean predicted.error.latency_s.p99?",
		"a.predicted.updates.killed.lost<1":  "no figure",
		"a.success_ratio\x1b[31m>=1":         `\x1b`,
		"a.success_ratio >= 1 >= 0.5":        "is no number",
	} {
		_, err := experiment.ParseExpectation(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: got %v, want an error with %q", text, err, want)
		}
	}
}

func TestExpectation_Check(t *testing.T) {
	r := fullResult()
	r.Routes[0].Repeats, r.Routes[0].NotValid = nil, ""
	r.Routes = append(r.Routes, experiment.RouteResult{Name: "bare"})
	for text, want := range map[string]struct {
		met bool
		got string
	}{
		"r@1.success_ratio>=0.48":                {true, "0.48"},
		"r@1.success_ratio>0.48":                 {false, "0.48"},
		"r@1.success_ratio<=0.48":                {true, "0.48"},
		"r@1.success_ratio<0.48":                 {false, "0.48"},
		"r@1.success_ratio==0.48":                {true, "0.48"},
		"r@1.success_ratio==0.4800001":           {false, "0.48"},
		"r@1.latency_s.p99<=0.006":               {true, "0.006"},
		"r@1.updates.killed.paid_twice==12":      {true, "12"},
		"r@1.elapsed_s==35":                      {true, "35"},
		"r@1.status_codes.503==0":                {true, "0"},
		"r@1.predicted.error.latency_s.p99<=0.2": {false, "0.25"},
		"bare.outcomes.rejected==0":              {true, "0"}, // which its JSON leaves out
		"bare.updates.lost==0":                   {false, "nothing: the result has no such figure"},
		"bare.updates.lost>=0":                   {false, "nothing: the result has no such figure"},
		"gone.success_ratio>=0":                  {false, "nothing: the route was not run"},
	} {
		e, err := experiment.ParseExpectation(text)
		if err != nil {
			t.Fatal(err)
		}
		if met, got := e.Check(r); met != want.met || got != want.got {
			t.Errorf("%s: got %v, %q; want %v, %q", text, met, got, want.met, want.got)
		}
	}
	// Of repeated runs, it is the median that counts, and the message says so.
	r.Routes[0].Repeats = make([]experiment.Figures, 3)
	e, _ := experiment.ParseExpectation("r@1.success_ratio>=0.5")
	if met, got := e.Check(r); met || got != "0.48 in the median of 3 runs" {
		t.Errorf("got %v, %q", met, got)
	}
}

func TestExpectation_Among(t *testing.T) {
	routes, err := experiment.FindRoutes([]string{"update_outbox", "commit_before_call"})
	if err != nil {
		t.Fatal(err)
	}
	cases := experiment.CasesOf(routes, experiment.Defaults())
	for text, want := range map[string]string{
		"update_outbox.updates.lost==0":        "",
		"commit_before_call.success_ratio==1":  "",
		"commit_before_call.updates.lost==0":   "makes no updates",
		"commit_before_cal.success_ratio==1":   `did you mean "commit_before_call"?`,
		"commit_before_call@1.success_ratio>1": `did you mean "commit_before_call"?`,
	} {
		e, err := experiment.ParseExpectation(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.AmongCases(cases); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	e := experiment.Expectation{Route: "a\x1b"}
	for _, r := range []*experiment.Result{{}, {Routes: []experiment.RouteResult{{Name: "\x1b[31m"}}}} {
		if err := e.Among(r); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("got %v, want an error without what a terminal acts on", err)
		}
	}
}

func TestExpectation_OfARouteThatIsNotValid(t *testing.T) {
	seed := *experiment.Seed()
	r := &seed
	r.Routes = slices.Clone(r.Routes)
	e := experiment.Expectation{Route: r.Routes[0].Name, Field: "success_ratio", Op: ">=", Value: 0}
	if met, got := e.Check(r); !met {
		t.Fatalf("got %s", got)
	}
	r.Routes[0].NotValid = "1 of 500 requests failed."
	if met, got := e.Check(r); met || !strings.Contains(got, "not valid") {
		t.Errorf("met %v, %q; want it missed, because the route is not valid", met, got)
	}
}

func TestResult_NotValid(t *testing.T) {
	r := *experiment.Seed()
	r.Routes = slices.Clone(r.Routes)
	if got := r.NotValid(); got != "" {
		t.Errorf("the seed is not valid: %s", got)
	}
	r.Routes[1].NotValid = "1 of 500 requests failed."
	if got, want := r.NotValid(), r.Routes[1].Name+": 1 of 500 requests failed."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r.Routes[3].NotValid = "All failed."
	if got, want := r.NotValid(), "2 of 4 routes, "+r.Routes[1].Name+" among them: 1 of 500 requests failed."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Where connections may be held outside of transactions, that none is silent in one proves
// nothing.
func TestExpectation_PossiblyHeld(t *testing.T) {
	e, err := experiment.ParseExpectation("GET /a.wire.silent_per_request_s<0.1")
	if err != nil {
		t.Fatal(err)
	}
	r := &experiment.Result{Routes: []experiment.RouteResult{{Name: "GET /a", Wire: &experiment.Wire{}}}}
	if met, got := e.Check(r); !met || got != "0" {
		t.Errorf("none is: %v, %s", met, got)
	}
	r.Routes[0].Wire.PossiblyHeld = true
	if met, got := e.Check(r); met || got != "0, which says nothing: connections are possibly held outside of transactions" {
		t.Errorf("possibly held: %v, %s", met, got)
	}
}
