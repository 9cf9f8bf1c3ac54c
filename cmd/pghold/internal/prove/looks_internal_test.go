package prove

import (
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

func TestLooks_Quiet(t *testing.T) {
	const every = 100 * time.Millisecond
	work := func(busy, inTx int, statements uint64) watch.Moment {
		return watch.Moment{Busy: busy, InTransaction: inTx, Statements: statements}
	}
	for name, c := range map[string]struct {
		needed  time.Duration
		moments []watch.Moment
		want    int // the number of the look that is quiet, from 1; 0: none
	}{
		"nothing is needed":                       {0, []watch.Moment{work(0, 1, 5), work(1, 0, 6), work(0, 0, 7)}, 3},
		"quiet from the beginning":                {3 * every, []watch.Moment{{}, {}, {}, {}, {}}, 4},
		"quiet after a transaction":               {2 * every, []watch.Moment{work(0, 1, 0), work(0, 1, 0), {}, {}, {}, {}}, 5},
		"as many statements as it runs by itself": {3 * every, []watch.Moment{work(0, 0, 0), work(0, 0, 2), work(0, 0, 4), work(0, 0, 5)}, 4},
		"one statement more":                      {3 * every, []watch.Moment{work(0, 0, 0), work(0, 0, 2), work(0, 0, 4), work(0, 0, 6), work(0, 0, 8)}, 0},
		"at work in one look of five":             {4 * every, []watch.Moment{{}, {}, work(0, 1, 0), {}, {}}, 5},
		"at work in two":                          {4 * every, []watch.Moment{{}, work(1, 0, 0), work(0, 1, 0), {}, {}}, 0},
		"at work in the last":                     {4 * every, []watch.Moment{{}, {}, {}, {}, work(0, 1, 0)}, 0},
	} {
		l := &looks{needed: c.needed, statements: 5}
		now, got := time.Now(), 0
		for i, m := range c.moments {
			if l.quiet(now.Add(time.Duration(i)*every), m) && got == 0 {
				got = i + 1
			}
		}
		if got != c.want {
			t.Errorf("%s: look %d, want %d", name, got, c.want)
		}
	}
}
