package report

import (
	"fmt"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// sidesTable sets side by side what each of those counted who can see how long
// transactions were silent.
func sidesTable(r *experiment.Result) table {
	t := table{
		name:  "sides",
		title: "Silent in transaction, all connections together, seen from each side",
		columns: []column{
			{name: "recorder"}, {name: "tap"}, {group: "sampler", name: "seen"}, {group: "sampler", name: "at most"}, {name: "server's counter"},
		},
	}
	var all experiment.Sides
	ended, counted := false, true
	for i := range r.Routes {
		rr := &r.Routes[i]
		v := rr.Sides
		if v == nil {
			continue
		}
		t.known = true
		all.Recorder += v.Recorder
		all.Tap += v.Tap
		all.Sampled += v.Sampled
		all.SampledAtMost += v.SampledAtMost
		all.Counted += v.Counted
		counted = counted && (v.Counted > 0 || v.Tap == 0)
		s := r.SettingsOf(rr)
		ended = ended || s.IdleInTransactionTimeout > 0 || s.TransactionTimeout > 0
		var cells []cell
		for _, d := range []time.Duration{v.Recorder, v.Tap, v.Sampled, v.SampledAtMost, v.Counted} {
			cells = append(cells, cell{text: words.Seconds(d)})
		}
		if v.SampledAtMost == 0 {
			cells[2].text, cells[3].text = words.None, words.None
		}
		if v.Counted == 0 {
			cells[4].text = words.None
		}
		t.rows = append(t.rows, row{route: printable.Line(rr.Name), cells: cells})
	}
	if !counted { // not of all routes
		all.Counted = 0
	}
	t.note = sidesNote(all, ended)
	return t
}

// sidesNote says how the sides differ, and why.
func sidesNote(all experiment.Sides, ended bool) string {
	note := "The recorder is in the app, the tap between the app and Postgres. " + moreThan("The tap", all.Tap, "the recorder", all.Recorder) +
		": what is on its way to the app, or waits there to be read, is silence for the tap, and SQL for the app."
	if ended {
		note += " Where the server ends a transaction that is silent for too long, the recorder counts on until the app's next statement tells it."
	}
	if all.Counted > 0 {
		note += " " + moreThan("The server's own counter", all.Counted, "the tap", all.Tap) + ": it counts from before its answer leaves, and sessions of others in the database too."
	}
	if all.Sampled > 0 {
		of, name := all.Tap, "the tap's"
		if all.Counted > 0 {
			of, name = all.Counted, "the counter's"
		}
		note += fmt.Sprintf(" The sampler surely saw %s of %s time, and at most %s: a gap's end is known to an interval only, and gaps within one may be missed.",
			words.Ratio(all.Sampled.Seconds()/of.Seconds()), name, words.Ratio(all.SampledAtMost.Seconds()/of.Seconds()))
	}
	return note
}

// moreThan says by how much one time is more than another.
func moreThan(who string, d time.Duration, than string, other time.Duration) string {
	switch diff := d - other; {
	case diff < 0:
		return fmt.Sprintf("%s has %s less than %s, %s", who, words.Seconds(-diff), than, words.Seconds(other))
	case diff > 0:
		return fmt.Sprintf("%s has %s more than %s, %s", who, words.Seconds(diff), than, words.Seconds(other))
	}
	return fmt.Sprintf("%s has the same as %s, %s", who, than, words.Seconds(other))
}
