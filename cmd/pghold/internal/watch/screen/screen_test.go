package screen_test

import (
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/screen"
)

func seconds(f float64) watch.Seconds { return watch.Seconds(f * float64(time.Second)) }

var report = &watch.Report{
	From: time.Unix(0, 0), To: time.Unix(62, 0),
	Sessions: 15, Statements: 1204, Transactions: 301, Open: 13,
	Sums:          watch.Sums{LockWait: seconds(3.2)},
	Inside:        watch.Sums{Silent: seconds(83), Busy: seconds(16), SlowClient: seconds(1)},
	InTransaction: 12, LongestOpen: seconds(4.1),
	Groups: []watch.Group{
		{Application: "shop", Route: "/checkout/{id}", After: "SELECT total FROM carts WHERE id = ?", Connections: 12, Sessions: 15,
			LongestOpen: seconds(4.1), Longest: seconds(5), Silent: seconds(70), LastMinute: seconds(37.04), Gaps: 20},
		{Application: "worker", After: "UPDATE jobs", Gaps: 3, Aborted: seconds(13), Longest: seconds(6), LastMinute: seconds(40)},
		{Application: "", User: "me", Database: "db", After: watch.ShortGaps, Gaps: 2000, Silent: seconds(1), Longest: seconds(0.0009)},
	},
}

func TestWrite(t *testing.T) {
	var b strings.Builder
	if err := screen.Write(&b, report, screen.Options{Title: "14:03:22", Rows: 2}); err != nil {
		t.Fatal(err)
	}
	want := `14:03:22
15 sessions, 13 transactions open, 12 idle in transaction (the longest for 4.1
  s); 301 transactions and 1204 statements ended in 62 s.
Of 100 s in transactions: 83.0 % idle in transaction, 16.0 % busy, 1.0 % waiting
  for a slow client.
Outside of known transactions, statements waited for locks for 3.2 s.

worker: was idle in a failed transaction 3 times, for up to 6 s, after UPDATE
  jobs; 40 connection-seconds in the last minute.
/checkout/{id} (shop): idle in transaction for 4.1 s after SELECT total FROM
  carts WHERE id = ?, on 12 of 15 connections (earlier, for up to 5 s); 37
  connection-seconds in the last minute.
1 group more: 0 connection-seconds in the last minute.

A connection that is held outside of a transaction is not seen here.
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// It fits a terminal, and says what does not.
func TestWrite_KeepsToTheHeight(t *testing.T) {
	many := *report
	many.Groups = nil
	for i := range 30 {
		many.Groups = append(many.Groups, watch.Group{Application: "shop", After: strings.Repeat("x ", 10*i), Gaps: 1, Silent: seconds(1), Longest: seconds(1)})
	}
	for _, height := range []int{15, 24, 40} {
		var b strings.Builder
		if err := screen.Write(&b, &many, screen.Options{Height: height, Rows: 20, Final: true}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(b.String(), "\n")
		if lines >= height || lines < height-9 || !strings.Contains(b.String(), " groups more: ") {
			t.Errorf("%d lines, of %d:\n%s", lines, height, b.String())
		}
	}
}

func TestWrite_NothingSeen(t *testing.T) {
	zero := seconds(0)
	for want, r := range map[string]*watch.Report{
		"No session was seen.":                                    {},
		"No transaction was idle.":                                {SessionsAll: 1},
		"0 sessions, 1 transaction open, 0 idle":                  {SessionsAll: 1, Open: 1},
		"0 transactions ended in 0 s.":                            {SessionsAll: 1},
		"0 transactions and 1 statement ended in 0 s.":            {SessionsAll: 1, Statements: 1},
		"The server has counted no time idle in transaction yet.": {Counted: &zero, Unseen: &zero},
	} {
		var b strings.Builder
		if err := screen.Write(&b, r, screen.Options{Width: 200}); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("got %v and\n%s\nwant %q", err, b.String(), want)
		}
	}
}

// What a long SELECT reads gives way to where it reads.
func TestSentence_LongSelect(t *testing.T) {
	s := screen.Sentence(watch.Group{Application: "erp", After: "SELECT " + strings.Repeat("a.column, ", 20) + "b FROM party AS a WHERE id = ?", Gaps: 2}, true)
	if want := "after SELECT … FROM party AS a WHERE id = ?; 0 connection-seconds in all."; !strings.HasSuffix(s, want) {
		t.Errorf("got %q, want it to end with %q", s, want)
	}
}

func TestSeen(t *testing.T) {
	for _, c := range []struct {
		counted, unseen watch.Seconds
		want            string
	}{
		{seconds(10), seconds(1), "Saw 90.0 % of the 10 s idle in transaction that the server counted."},
		{seconds(1), seconds(0.25), "Saw 75.0 % of the 1 s idle in transaction that the server counted."},
		{seconds(0.00011), seconds(0.00011), "The server has counted 110 µs idle in transaction: too little to say what share was seen."},
		{0, 0, "The server has counted no time idle in transaction yet."},
	} {
		if got := screen.Seen(&watch.Report{Counted: &c.counted, Unseen: &c.unseen}); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestWrite_KeepsToTheWidthAndQuotes(t *testing.T) {
	hostile := *report
	hostile.Groups = []watch.Group{{
		Application: "\x1b]0;owned\a" + strings.Repeat("宽", 200), Route: "/\u202e", After: strings.Repeat("x", 500), Gaps: 1, Silent: seconds(1), Longest: seconds(1),
	}}
	for _, width := range []int{30, 80, 200} {
		var b strings.Builder
		if err := screen.Write(&b, &hostile, screen.Options{Width: width, Final: true}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if got := lipgloss.Width(strings.TrimSuffix(line, "\n")); got > width {
				t.Errorf("a line is %d wide, of %d: %q", got, width, line)
			}
		}
		if strings.ContainsAny(b.String(), "\x1b\a\u202e") {
			t.Errorf("what does not print is printed: %q", b.String())
		}
	}
}
