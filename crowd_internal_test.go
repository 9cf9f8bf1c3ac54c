package pghold

import (
	"testing"
	"testing/synctest"
	"time"
)

// A crowd is one of 10 s or more: after a pause of the frames the next may follow at once.
func TestTellCrowds_OfAShortTime(t *testing.T) { synctest.Test(t, tellCrowdsOfAShortTime) }

func tellCrowdsOfAShortTime(t *testing.T) {
	told := make(chan Shortage, 10)
	r := NewRecorder(Config{OnShortage: func(s Shortage) { told <- s }})
	last := frame{at: time.Minute, crowds: map[*Pool]crowd{}}
	for _, c := range []struct {
		later time.Duration
		want  int
	}{{frameEvery - 1, 0}, {frameEvery, 1}} {
		r.tellCrowds(last, frame{at: last.at + c.later, crowds: map[*Pool]crowd{r.Pool("main"): {waited: time.Minute, arrivals: 1}}})
		synctest.Wait()
		if len(told) != c.want {
			t.Errorf("%v later told of %d, want %d", c.later, len(told), c.want)
		}
	}
}
