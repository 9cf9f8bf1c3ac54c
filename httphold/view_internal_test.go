package httphold

import (
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold"
)

// Of a pool that only counts, who waits is what was seen, and its sums are of waits that have
// ended: those who wait for the first time are in none.
func TestPage_SaysWhatPoolsDoNotTell(t *testing.T) {
	s := &pghold.Snapshot{Pools: []pghold.PoolSnapshot{
		{Name: "seen", CountsOnly: true, Max: 4, Waits: 10, Waiting: 10, MaxWaiting: 21},
		{Name: "blind", CountsOnly: true, Max: 4, Waits: 10},
		{Name: "tells", Max: 4, Waits: 10, Waiting: 10, MaxWaiting: 21},
	}}
	var b strings.Builder
	if err := page.Execute(&b, newView(s)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"seen":  `data-of="waiting now">10 seen<td class="n" data-of="most waiting">21 seen<td class="n" data-of="waits">10<td class="n" data-of="total time of finished waits">0<`,
		"blind": `data-of="waiting now">–<td class="n" data-of="most waiting">–<td class="n" data-of="waits">10<td class="n" data-of="total time of finished waits">0<`,
		"tells": `data-of="waiting now">10<td class="n" data-of="most waiting">21<`,
	} {
		_, row, _ := strings.Cut(b.String(), "<td>"+name)
		if row, _, _ = strings.Cut(row, "</tr>"); !strings.Contains(row, want) {
			t.Errorf("the row of %s is %s, want %s in it", name, row, want)
		}
	}
}

// Of pools that only count, callers are those who got a connection, and the page says so.
func TestPage_SaysWhoCame(t *testing.T) {
	const asked, got = "<p>Callers who asked for a connection, each second; ", "<p>Callers who got a connection, each second, "
	const ended = "those who still wait, or hold, are not in it yet"
	const some, columns = "Of a pool that only counts its waits, callers who got one.", "got none"
	for name, c := range map[string]struct {
		pools []string
		says  map[string]bool
	}{
		"pools that say who waits": {[]string{"pgx"}, map[string]bool{asked: true, got: false, some: false, ">" + columns: true, ended: true}},
		"pools that only count":    {[]string{"sql"}, map[string]bool{asked: false, got: true, some: false, ended: false, ">" + columns: false, "– " + columns: false}},
		"both":                     {[]string{"pgx", "sql"}, map[string]bool{asked: true, got: false, some: true, "– " + columns: true}},
	} {
		w := pghold.Window{Asked: time.Minute, Duration: time.Minute}
		for _, pool := range c.pools {
			w.Routes = append(w.Routes, pghold.Arrivals{Pool: pool, Route: "GET /", Arrivals: 60})
		}
		s := &pghold.Snapshot{Windows: []pghold.Window{w, {Duration: time.Hour, Routes: w.Routes}},
			Pools: []pghold.PoolSnapshot{{Name: "pgx"}, {Name: "sql", CountsOnly: true}}}
		var b strings.Builder
		if err := page.Execute(&b, newView(s)); err != nil {
			t.Fatal(err)
		}
		for text, want := range c.says {
			if strings.Contains(b.String(), text) != want {
				t.Errorf("%s: that the page says %q is %v, want %v:\n%s", name, text, !want, want, b.String())
			}
		}
	}
}

// Callers who were only seen to wait are told from those whose pool says that they do.
func TestPage_SaysWhoWasOnlySeenToWait(t *testing.T) {
	now := time.Now()
	s := &pghold.Snapshot{Taken: now, Waiters: []pghold.Waiter{
		{Pool: "sql", Route: "GET /twice", Count: 1, Seen: now, Itself: true, Own: pghold.Site{File: "a.go", Line: 7}},
		{Pool: "pgx", Route: "GET /unknown", Count: 1, Itself: true},
		{Pool: "sql", Route: "GET /seen", Count: 3, Seen: now.Add(-4200 * time.Millisecond)},
		{Pool: "sql", Route: "GET /long", Count: 2, Seen: now.Add(-999 * time.Millisecond), Longest: 7 * time.Second},
		{Pool: "sql", Count: 9, Seen: now, At: pghold.Site{Func: "example.com/app/sql.writeLog.func1", File: "/src/sql.go", Line: 77}},
		{Pool: "pgx", Route: "GET /exact", Count: 5, Longest: time.Second},
	}}
	var b strings.Builder
	if err := page.Execute(&b, newView(s)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`GET /twice<br><small>sql, seen in a sample</small><td class="n" data-of="callers">1 seen<td class="n" data-of="the longest">–<td data-of="holds one itself"><span class="bad">taken at <code title="">a.go:7</code>`,
		`GET /unknown<br><small>pgx</small><td class="n" data-of="callers">1<td class="n" data-of="the longest">0<td data-of="holds one itself"><span class="bad">yes, taken at an unknown line</span></tr>`,
		`GET /seen<br><small>sql, seen in a sample 4.2 s ago</small><td class="n" data-of="callers">3 seen<td class="n" data-of="the longest">–<td data-of="holds one itself">–</tr>`,
		`GET /long<br><small>sql, seen in a sample</small><td class="n" data-of="callers">2 seen<td class="n" data-of="the longest">at least 7.0 s<td data-of="holds one itself">–</tr>`,
		`<td>– <code title="example.com/app/sql.writeLog.func1">sql.go:77</code> sql.writeLog.func1<br><small>sql, seen in a sample</small><td class="n" data-of="callers">9 seen<`,
		`GET /exact<br><small>pgx</small><td class="n" data-of="callers">5<td class="n" data-of="the longest">1.0 s<td data-of="holds one itself">no</tr>`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page does not say %q:\n%s", want, b.String())
		}
	}
}

// Where the service has no processor to spare, the page says so in the shortest window in
// which it is so.
func TestPage_SaysWhereProcessorsAreShort(t *testing.T) {
	for name, c := range map[string]struct {
		starved []bool
		want    string
	}{
		"now":        {[]bool{true, true, false}, "last minute, goroutines that could run waited 12.0 ms each"},
		"before":     {[]bool{false, true, false}, "last 10 min, goroutines that could run waited 12.0 ms each"},
		"not at all": {[]bool{false, false, false}, ""},
	} {
		s := &pghold.Snapshot{}
		for i, asked := range []time.Duration{time.Minute, 10 * time.Minute, 0} {
			s.Windows = append(s.Windows, pghold.Window{Asked: asked, Duration: time.Hour, SchedulingLatency: 12 * time.Millisecond, Starved: c.starved[i]})
		}
		var b strings.Builder
		if err := page.Execute(&b, newView(s)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), c.want) || strings.Contains(b.String(), "a processor") != (c.want != "") {
			t.Errorf("%s: the page does not say %q:\n%s", name, c.want, b.String())
		}
	}
}
