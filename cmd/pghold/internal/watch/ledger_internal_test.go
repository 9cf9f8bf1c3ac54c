package watch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Unix(1_700_000_000, 0)

// gapAfter is a gap after a statement of its own.
func (s *Session) gapAfter(at time.Time, sql string, d time.Duration) (end time.Time) {
	s.Text([]byte(sql))
	s.Sent(at)
	s.Ready(at, 'T', false)
	end = at.Add(d)
	s.Sent(end)
	s.Ready(end, 'I', false)
	return end
}

// What costs most has its name, whatever came first; and all time is in the sums.
func TestLedger_TheCostliestGroupsKeepTheirNames(t *testing.T) {
	l := New(start)
	s := l.Open(Client{})
	at, total := start, time.Duration(0)
	spend := func(sql string, d time.Duration) {
		at = s.gapAfter(at, sql, d)
		total += d
	}
	for i := range 20_000 {
		spend(fmt.Sprintf("select odd_%d", i), 2*time.Millisecond)
		if i%20 == 0 {
			spend("select costly", 100*time.Millisecond)
		}
	}
	r := l.Report(at)
	if len(r.Groups) > maxGroups || r.Groups[0].After != "SELECT costly" || r.Groups[0].Gaps != 1000 || r.Groups[0].Silent != Seconds(100*time.Second) {
		t.Errorf("%d groups, the first is %+v", len(r.Groups), r.Groups[0])
	}
	sum, gaps := r.Other.Silent, r.Other.Gaps
	for _, g := range r.Groups {
		sum += g.Silent
		gaps += g.Gaps
	}
	if time.Duration(sum) != total || gaps != 21_000 || r.Silent != sum || r.Inside.Silent != sum {
		t.Errorf("%d gaps, %v in groups, %v in all; want 21000, %v", gaps, time.Duration(sum), time.Duration(r.Silent), total)
	}
	if len(r.Listed) != maxTransactions || r.Rest.Count != 21_000-maxTransactions || r.Rest.Silent+100*Seconds(100*time.Millisecond) != sum {
		t.Errorf("%d transactions are listed, %d in the rest, which were silent for %v", len(r.Listed), r.Rest.Count, time.Duration(r.Rest.Silent))
	}
}

// A window has what was spent within the last minute, to the second.
func TestWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var w window
	type span struct{ from, to time.Time }
	var all []span
	at := start
	for range 5000 {
		at = at.Add(time.Duration(rng.Int64N(int64(4 * time.Second))))
		from := at.Add(-time.Duration(rng.ExpFloat64() * float64(10*time.Second)))
		w.add(from, at)
		all = append(all, span{from, at})
		now := at.Add(time.Duration(rng.Int64N(int64(3 * time.Second))))
		// The minute begins with a whole second.
		begin := time.Unix(now.Unix()-windowSteps+2, 0)
		var want time.Duration
		for _, s := range all[max(0, len(all)-200):] {
			if s.from.Before(begin) {
				s.from = begin
			}
			want += max(0, s.to.Sub(s.from))
		}
		if got := w.sum(now); got != want {
			t.Fatalf("at %v: %v, want %v", now, got, want)
		}
	}
}

// A long transaction keeps its longest gaps, and the sums of the others.
func TestSession_ManyGaps(t *testing.T) {
	l := New(start)
	s := l.Open(Client{})
	at := start
	for i := range 100 {
		s.Text([]byte("select 1"))
		s.Sent(at)
		s.Ready(at, 'T', false)
		at = at.Add(time.Duration(i%50+1) * time.Millisecond)
	}
	s.Sent(at)
	s.Ready(at, 'I', false)
	tx := l.Report(at).Listed[0]
	var sum Seconds
	for _, g := range tx.Gaps {
		sum += g.S
		if g.S < Seconds(41*time.Millisecond) {
			t.Errorf("a gap of %v is kept", time.Duration(g.S))
		}
	}
	if len(tx.Gaps) != maxGaps || tx.MoreGaps != 80 || sum+tx.MoreGapsS != tx.Silent || tx.Sums.Total() != time.Duration(tx.S) {
		t.Errorf("%d gaps are kept and %d more, of %v, %v and %v in all", len(tx.Gaps), tx.MoreGaps, time.Duration(sum), time.Duration(tx.MoreGapsS), time.Duration(tx.Silent))
	}
}

func TestStatement_Shape(t *testing.T) {
	for sql, want := range map[string]string{
		"select f(1, a, b) from t": "SELECT f(?, a, b) FROM t",
		"select " + strings.Repeat("long_name, ", 50) + "x from t where id in (1, 2, 3)": "SELECT … FROM t WHERE id IN (?)",
		"insert into t values " + strings.Repeat("(a + b), ", 100) + "(1)":               "INSERT INTO t VALUES " + strings.Repeat("(a + b), ", 41) + "(a + b)…",
	} {
		if got := (&Statement{text: sql}).Shape(); got != want || len(got) > maxShape {
			t.Errorf("%.40s…: %q, want %q", sql, got, want)
		}
	}
}

func TestStatement_Route(t *testing.T) {
	for sql, want := range map[string]string{
		"select 1": "",
		"select 1 /*route='%2Fcheckout%2F%7Bid%7D'*/":                "/checkout/{id}",
		"/*route='/users'*/ select 1":                                "/users",
		"select 1 /*action='show',controller='users'*/":              "users#show",
		"select 1 /*application:Shop,controller:users,action:show*/": "users#show",
		"select 1 /*application:Shop,job:MailJob*/":                  "MailJob",
		"select 1 /* just words, and more: of them */":               "",
		"select 1 /*controller='a',route='b'*/ /*x='y'*/":            "b",
		"select '/*route=\"no\"*/'":                                  "",
		"select 1 /*route='it\\'s'*/":                                "it's",
		"select 1 -- route='no'":                                     "",
		"select 1 /*route='" + strings.Repeat("x", 200) + "'*/":      strings.Repeat("x", 97) + "…",
	} {
		if got := (&Statement{text: sql}).Route(); got != want {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
}

// However a value is written, and wherever the text is cut, the shape has nothing of it.
func TestStatement_KeepsNoValue(t *testing.T) {
	forms := []string{"'%s'", "E'a\\'%s'", "'a''%s'", "$$%s$$", "$x$ %s $x$", "U&'%s'", "B'%s'", "N'%s'", "'%s'::text", "/* %s */ 1", "'a' -- %s\n", "'\n%s'", "e'\\\\' || '%s'", "1, '%s'", "-- '\n'%s'"}
	before := []string{"select ", "insert into t values (", "update t set a = ", "select a from t where b = ", "select * from t where j @> ", "with x as (select 1) select ", "copy t from ", "listen x; select "}
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`s3cr3t[a-z ]{0,5}[0-9]{1,3}x`).Draw(t, "secret")
		sql := rapid.SampledFrom(before).Draw(t, "before") + fmt.Sprintf(rapid.SampledFrom(forms).Draw(t, "form"), secret) + rapid.SampledFrom([]string{"", ")", " and c = 1", "; select 2"}).Draw(t, "behind")
		shape := (&Statement{text: sql}).Shape()
		if strings.Contains(shape, "s3cr3t") {
			t.Fatalf("%s\nbecame %s", sql, shape)
		}
	})
}

// The memory of texts is bounded.
func TestStatements_AreBounded(t *testing.T) {
	s := newStatements()
	for i := range 100_000 {
		s.of(fmt.Appendf(nil, "select %d, '%s'", i, strings.Repeat("x", 300)))
	}
	kept := 0
	for _, half := range []map[string]*Statement{s.new, s.old} {
		for text := range half {
			kept += len(text)
		}
	}
	if kept > 2*s.max || kept < s.max/4 {
		t.Errorf("%d bytes are kept, of %d", kept, s.max)
	}
	if a, b := s.of([]byte("select 99999, '"+strings.Repeat("x", 300)+"'")), s.of([]byte("select 99999, '"+strings.Repeat("x", 300)+"'")); a != b {
		t.Error("a text that is known is another statement the second time")
	}
}

// A transaction has the name that its client had in the longest gap: SET LOCAL gives one
// for the transaction only, and at its end it is another again.
func TestSession_NameInTheTransaction(t *testing.T) {
	now := time.Unix(1, 0)
	l := New(now)
	s := l.Open(Client{PID: 1, Application: "psql"})
	statement := func(name string, status byte, gap time.Duration) {
		s.Sent(now)
		s.Known(func(c *Client) { c.Application = name })
		now = now.Add(time.Millisecond)
		s.Ready(now, status, false)
		now = now.Add(gap)
	}
	names := func() (names []string) {
		r := l.Report(now)
		for _, t := range r.Listed {
			names = append(names, t.Application)
		}
		for _, g := range r.Groups {
			names = append(names, g.Application)
		}
		return names
	}
	statement("psql", 'T', 2*time.Millisecond)
	if got, want := names(), []string{"psql", "psql"}; !slices.Equal(got, want) {
		t.Errorf("in the first gap: %q, want %q", got, want)
	}
	statement("checkout", 'T', 20*time.Millisecond)
	open := []string{"checkout", "checkout", "psql"} // the transaction, and two groups
	if got := names(); !slices.Equal(got, open) {
		t.Errorf("in the longer gap: %q, want %q", got, open)
	}
	statement("other", 'T', 5*time.Millisecond)
	if got := names(); got[0] != "checkout" {
		t.Errorf("in a shorter gap: %q, want checkout", got[0])
	}
	statement("psql", 'I', 0)
	if got := names(); got[0] != "checkout" {
		t.Errorf("at the end: %q, want checkout", got[0])
	}
}
