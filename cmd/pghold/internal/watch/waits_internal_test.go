package watch

import (
	"slices"
	"testing"
	"time"
)

// Of the statements' time that is lock wait which began before they were found waiting,
// and after they were last looked at; and never more than there is.
func TestLedger_Waited(t *testing.T) {
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	l := New(start)
	waits, runs := l.Open(Client{PID: 1}), l.Open(Client{PID: 2})
	waits.Sent(at(1))
	runs.Sent(at(1))
	if got := l.Running(); len(got) != 2 {
		t.Errorf("running are %v, want both", got)
	}
	l.Waited([]uint32{1}, at(0), at(2))        // since it began
	l.Waited(nil, at(2), at(3))                // it runs meanwhile
	l.Waited([]uint32{1, 99}, at(3), at(3.25)) // since it was looked at
	want := Sums{Busy: Seconds(4*time.Second - 1250*time.Millisecond), LockWait: Seconds(1250 * time.Millisecond)}
	if r := l.Report(at(4)); r.LockWait != want.LockWait || r.Busy != Seconds(6*time.Second)-want.LockWait || r.Inside != (Sums{}) || r.Open != 0 {
		t.Errorf("while they run it is %+v, and %+v in %d transactions", r.Sums, r.Inside, r.Open)
	}
	waits.Ready(at(5), 'T', false)
	runs.Ready(at(5), 'I', false)
	if got := l.Running(); len(got) != 0 {
		t.Errorf("running are %v, want none", got)
	}
	l.Waited([]uint32{1}, at(3), at(6)) // not any more
	waits.Sent(at(7))
	l.Waited([]uint32{1}, at(6), at(6.5)) // who was found so is another statement
	waits.Ready(at(8), 'I', false)
	r := l.Report(at(8))
	want.Busy += Seconds(time.Second)
	want.Silent = Seconds(2 * time.Second)
	if i := slices.IndexFunc(r.Listed, func(t Transaction) bool { return t.PID == 1 }); i < 0 || r.Listed[i].Sums != want || r.Listed[i].Total() != time.Duration(r.Listed[i].S) {
		t.Errorf("got %+v, want %+v", r.Listed, want)
	}
	if r.LockWait != want.LockWait || r.Busy != want.Busy+Seconds(4*time.Second) {
		t.Errorf("in all it is %+v", r.Sums)
	}
}
