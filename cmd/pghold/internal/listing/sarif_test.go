package listing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pghold/pghold/holdcheck"
)

// required are the properties that SARIF 2.1.0 asks of the objects that are used, by
// the property under which they are.
var required = map[string][]string{
	"":                           {"version", "runs"},
	"runs":                       {"tool"},
	"tool":                       {"driver"},
	"driver":                     {"name"},
	"rules":                      {"id"},
	"results":                    {"message", "ruleId", "level", "locations"}, // the last three are code scanning's
	"message":                    {"text"},
	"shortDescription":           {"text"},
	"threadFlows":                {"locations"},
	"codeFlows":                  {"threadFlows"},
	"invocations":                {"executionSuccessful"},
	"toolExecutionNotifications": {"message"},
	"artifactLocation":           {"uri"},
	"region":                     {"startLine"},
}

var levels = []string{"none", "note", "warning", "error"}

// object checks an object and what is in it.
func object(t *testing.T, at, name string, o map[string]any) {
	for _, p := range required[name] {
		if _, has := o[p]; !has {
			t.Errorf("%s has no %s", at, p)
		}
	}
	for key, v := range o {
		value(t, at+"."+key, key, v)
	}
}

func value(t *testing.T, at, name string, v any) {
	switch v := v.(type) {
	case nil:
		t.Errorf("%s is null", at)
	case map[string]any:
		object(t, at, name, v)
	case []any:
		for i, e := range v {
			value(t, fmt.Sprintf("%s[%d]", at, i), name, e)
		}
	case string:
		switch {
		case name == "level" && !slices.Contains(levels, v):
			t.Errorf("%s is %q", at, v)
		case name == "uri" && (strings.HasPrefix(v, "/") || strings.Contains(v, "..") || strings.ContainsAny(v, " \\")):
			t.Errorf("%s is %q: want a relative URI", at, v)
		}
	case float64:
		if name == "startLine" && v < 1 {
			t.Errorf("%s is %v", at, v)
		}
	}
}

func TestSARIF_HasWhatTheSpecificationRequires(t *testing.T) {
	odd := some()
	odd.Findings = append(odd.Findings,
		holdcheck.Finding{Message: "m", Hold: holdcheck.Place{File: "a b.go"}, Calls: []holdcheck.SlowCall{
			{ID: id("a>b"), Kind: "unheard of", Severity: "odd", Place: holdcheck.Place{File: "/usr/lib/go/x.go", Line: 1}},
		}},
		holdcheck.Finding{Message: "m", Hold: holdcheck.Place{File: "x:y.go", Line: 1}, Calls: []holdcheck.SlowCall{
			{ID: id("a>c"), Kind: holdcheck.HTTP, Severity: holdcheck.Low, Place: holdcheck.Place{File: "../other/x.go", Line: 1}},
		}})
	for name, r := range map[string]*holdcheck.Result{"some": odd, "nothing": {}, "hostile": hostile()} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := SARIF(&b, r, Options{}); err != nil {
				t.Fatal(err)
			}
			var log map[string]any
			if err := json.Unmarshal(b.Bytes(), &log); err != nil {
				t.Fatal(err)
			}
			object(t, "the log", "", log)
			if log["version"] != "2.1.0" {
				t.Errorf("version %v", log["version"])
			}
			run := log["runs"].([]any)[0].(map[string]any)
			rules := run["tool"].(map[string]any)["driver"].(map[string]any)["rules"].([]any)
			results := run["results"].([]any) // an empty list where there are none: no results at all would mean that it did not run
			if want := len(r.Findings) + len(r.Complaints) + len(r.Unused); len(results) != want {
				t.Errorf("%d results, want %d", len(results), want)
			}
			for _, res := range results {
				res := res.(map[string]any)
				i := int(res["ruleIndex"].(float64))
				if i == -1 && res["ruleId"] == "unheard of" {
					continue
				}
				if id := rules[i].(map[string]any)["id"]; id != res["ruleId"] {
					t.Errorf("the rule of %v is %v", res["ruleId"], id)
				}
			}
			if ok := run["invocations"].([]any)[0].(map[string]any)["executionSuccessful"]; ok != (len(r.Errors) == 0) {
				t.Errorf("executionSuccessful is %v", ok)
			}
		})
	}
}

// A rule for each kind: one that is new must be described here too.
func TestRules_HaveAllKinds(t *testing.T) {
	for _, k := range holdcheck.Kinds() {
		if ruleIndex(string(k)) < 0 {
			t.Errorf("there is no rule for %s", k)
		}
	}
	for i, r := range rules {
		if ruleIndex(r.id) != i || r.name == "" || len(r.sentence()) < 20 {
			t.Errorf("rule %d: %+v", i, r)
		}
	}
}

func TestSARIF_PathsAreFromTheRepositorysRoot(t *testing.T) {
	var b bytes.Buffer
	if err := SARIF(&b, some(), Options{Folder: "backend/api"}); err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	first := log.Runs[0].Results[0]
	if got := first.Locations[0].Physical.Artifact.URI; got != "backend/api/main.go" || first.Locations[0].Physical.Region.StartLine != 9 {
		t.Errorf("a call made in a dependency is at %s, want the line before it that is in the repository", got)
	}
	flow := first.CodeFlows[0].ThreadFlows[0].Locations
	if last := flow[len(flow)-1].Location; last.Physical != nil || last.Logical[0].Name != "example.com/sdk.Ask" {
		t.Errorf("the step in the dependency is %+v, want its function and no file", last)
	}
	if got := first.Fingerprints[fingerprint]; got != some().Findings[0].Worst().ID.String() {
		t.Errorf("the fingerprint is %q", got)
	}
}
