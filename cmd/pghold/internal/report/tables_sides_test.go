package report

import (
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestSides_SayHowTheyDiffer(t *testing.T) {
	for _, c := range []struct {
		what          string
		sides         []experiment.Sides
		ended         bool
		wants, wantNo []string
	}{
		{"all of them", []experiment.Sides{
			{Recorder: ms(400000), Tap: ms(400250), Sampled: ms(390000), SampledAtMost: ms(401000), Counted: ms(400500)},
			{Recorder: ms(100000), Tap: ms(100250), Sampled: ms(95000), SampledAtMost: ms(101000), Counted: ms(100500)},
		}, false, []string{
			"The tap has 500 ms more than the recorder, 500.0 s: what is on its way",
			"The server's own counter has 500 ms more than the tap, 500.5 s: ",
			"The sampler surely saw 96.8 % of the counter's time, and at most 100.2 %: ",
		}, []string{"until the app's next statement"}},
		{"no counter", []experiment.Sides{{Recorder: ms(1000), Tap: ms(1000), Sampled: ms(900), SampledAtMost: ms(1100)}}, false, []string{
			"The tap has the same as the recorder, 1.000 s", "The sampler surely saw 90.0 % of the tap's time, and at most 110.0 %: ",
		}, []string{"server's own counter"}},
		{"a counter of one route only", []experiment.Sides{{Recorder: ms(1000), Tap: ms(1000)}, {Recorder: ms(1000), Tap: ms(1000), Counted: ms(1000)}}, false,
			nil, []string{"server's own counter", "sampler"}},
		{"the server ends transactions", []experiment.Sides{{Recorder: ms(2000), Tap: ms(1000)}}, true, []string{
			"The tap has 1.000 s less than the recorder, 2.000 s", "the recorder counts on until the app's next statement",
		}, nil},
	} {
		r := measured()
		r.Routes = r.Routes[:len(c.sides)]
		if c.ended {
			r.Settings.IdleInTransactionTimeout = time.Second
		}
		for i := range c.sides {
			r.Routes[i].Sides = &c.sides[i]
		}
		note := sidesTable(r).note
		for _, want := range c.wants {
			if !strings.Contains(note, want) {
				t.Errorf("%s: %q, want %q", c.what, note, want)
			}
		}
		for _, no := range c.wantNo {
			if strings.Contains(note, no) {
				t.Errorf("%s: %q, want nothing of %q", c.what, note, no)
			}
		}
	}
}
