package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// What is not valid is said first and has no headline, in every form.
func TestReport_NotValid(t *testing.T) {
	r := *experiment.Seed()
	r.Routes = slices.Clone(r.Routes)
	const why = "488 of 500 requests failed for a reason that is not the experiment's own: FATAL: too many \x1b[31mconnections <b>."
	r.Routes[3].NotValid = why
	want := "NOT VALID, so nothing follows from these figures. " + r.Routes[3].Name + ": 488 of 500 requests failed"
	for name, text := range map[string]string{
		"text": strings.Join(strings.Fields(textOf(t, &r, TextOptions{})), " "), "markdown": markdownOf(t, &r), "HTML": textOfPage(htmlOf(t, &r, nil)),
	} {
		if !strings.Contains(text, want) || strings.Contains(text, "connections answered") || strings.Contains(text, "\x1b[31m") {
			t.Errorf("%s: want %q and no headline:\n%s", name, want, text)
		}
	}

	service := atOnce()
	service.Routes[1].NotValid = "It is not."
	if got, want := notValid(service), "NOT VALID in part: GET /health: It is not."; got != want {
		t.Errorf("something follows from the others, and it is said %q, want %q", got, want)
	}
	service.Conclusions = nil
	if got, want := notValid(service), "NOT VALID, so nothing follows from these figures. GET /health: It is not."; got != want {
		t.Errorf("nothing follows, and it is said %q, want %q", got, want)
	}

	c := Compare(Side{"good", experiment.Seed()}, Side{"bad", &r})
	var text, doc bytes.Buffer
	if err := c.Text(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.JSON(&doc); err != nil {
		t.Fatal(err)
	}
	if got := text.String(); strings.Count(got, "(NOT VALID)") != 1 || !strings.Contains(got, "B: bad") {
		t.Errorf("a comparison does not say which of the two is not valid:\n%s", got)
	}
	if got := doc.String(); strings.Count(got, `"not_valid": "`+r.Routes[3].Name) != 1 {
		t.Errorf("the comparison's JSON does not say which of the two is not valid:\n%s", got)
	}
}
