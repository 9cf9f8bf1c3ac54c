package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// holds are checkouts that are sorted out for a picture.
type holds struct {
	checkouts  []experiment.Checkout
	o          Options
	lane       map[int]int // by connection
	lanes      int         // that are drawn, or how many connections there are room for
	used       int         // lanes that were
	end        float64     // of the last hold or wait, in seconds
	maxWaiting int
	maxHeld    int
	got, gone  int // checkouts and waits in vain
	waiting    int // who waits now
	sum        [3]float64
}

func newHolds(checkouts []experiment.Checkout, o Options) *holds {
	l := &holds{checkouts: checkouts, o: o, end: o.Now.Seconds()}
	latest := time.Duration(math.MinInt64)
	for _, ck := range checkouts {
		latest = max(latest, ck.At)
	}
	for _, ck := range checkouts {
		at, held := math.Max(ck.At.Seconds(), 0), math.Max(ck.Held.Seconds(), 0)
		switch {
		case ck.Connection > 0:
			l.got++
			for i, part := range parts(ck) {
				l.sum[i] += part
			}
		case o.Now > 0 && ck.At == latest:
			l.waiting++
			held = 0
		default:
			l.gone++
			held = 0
		}
		l.end = max(l.end, at+held)
	}
	l.assign()
	if l.maxWaiting = o.MaxWaiting; l.maxWaiting == 0 {
		l.above(func(_, _ float64, n int) { l.maxWaiting = max(l.maxWaiting, n) })
	}
	l.maxHeld = mostAtOnce(len(checkouts), func(i int) (float64, float64) {
		ck := checkouts[i]
		if ck.Connection <= 0 {
			return 0, 0
		}
		return ck.At.Seconds(), ck.At.Seconds() + ck.Held.Seconds()
	}, nil)
	return l
}

// parts are how long a hold was busy, silent in transaction, and silent.
func parts(ck experiment.Checkout) [3]float64 {
	held := math.Max(ck.Held.Seconds(), 0)
	busy := within(ck.Busy.Seconds(), held)
	tx := within(ck.SilentInTransaction.Seconds(), held-busy)
	return [3]float64{busy, tx, held - busy - tx}
}

// assign gives each connection a lane: its own, or where there are more than lanes
// the first that no other uses from its first hold to its last.
func (l *holds) assign() {
	type life struct {
		connection  int
		first, last float64
	}
	lives := map[int]*life{}
	for _, ck := range l.checkouts {
		if ck.Connection <= 0 {
			continue
		}
		from := ck.At.Seconds()
		to := from + math.Max(ck.Held.Seconds(), 0)
		if was := lives[ck.Connection]; was != nil {
			was.first, was.last = min(was.first, from), max(was.last, to)
		} else {
			lives[ck.Connection] = &life{ck.Connection, from, to}
		}
	}
	sorted := make([]*life, 0, len(lives))
	for _, v := range lives {
		sorted = append(sorted, v)
	}
	slices.SortFunc(sorted, func(a, b *life) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.connection, b.connection))
	})
	l.lane = make(map[int]int, len(lives))
	own := len(sorted) <= max(l.o.Lanes, 1)
	var until []float64 // by lane
	for i, v := range sorted {
		if len(until) > mostLanes && !own { // no lanes will be drawn
			l.used = mostAtOnce(len(sorted), func(i int) (float64, float64) { return sorted[i].first, sorted[i].last }, nil)
			l.lanes = max(l.used, l.o.Lanes, len(until))
			return
		}
		at := i
		if !own {
			at = slices.IndexFunc(until, func(t float64) bool { return t <= v.first })
		}
		if own || at < 0 {
			at = len(until)
			until = append(until, 0)
		}
		until[at] = v.last
		l.lane[v.connection] = at
	}
	l.used = len(until)
	l.lanes = max(l.used, l.o.Lanes, 1)
}

// asLanes reports whether there is room for a lane for each.
func (l *holds) asLanes() bool { return l.lanes <= mostLanes }

func (l *holds) pitch() float64 { return min(max(math.Floor(160/float64(l.lanes)), 5), 12) }

func (l *holds) height() float64 {
	if l.asLanes() {
		return l.pitch() * float64(l.lanes)
	}
	return 165
}

func (l *holds) title() string { return "Connections over time: " + l.o.Name }

func (l *holds) desc() string {
	switch none := l.got+l.gone+l.waiting == 0; {
	case none && l.o.InFlight != nil:
		return "There was no transaction."
	case none:
		return "No connection was taken and nobody waited for one."
	}
	thing := "hold"
	if l.o.InFlight != nil {
		thing = "transaction"
	}
	s := fmt.Sprintf("%s in %s, at most %d at once.", words.Count(l.got, thing), wordsOf(l.end), l.maxHeld)
	s += fmt.Sprintf(" Together the connections were busy with SQL for %s, silent in transaction for %s and silent without one for %s.",
		wordsOf(l.sum[0]), wordsOf(l.sum[1]), wordsOf(l.sum[2]))
	switch {
	case l.o.InFlight != nil:
		s += fmt.Sprintf(" At most %d requests were in flight at once.", l.maxWaiting)
	case l.maxWaiting == 0:
		s += " Nobody waited for a connection."
	default:
		s += fmt.Sprintf(" At most %d waited for a connection at once.", l.maxWaiting)
	}
	if l.gone > 0 {
		s += fmt.Sprintf(" %s got none.", words.Count(l.gone, "wait"))
	}
	if l.waiting > 0 {
		s += fmt.Sprintf(" Waiting now: %d.", l.waiting)
	}
	switch {
	case !l.asLanes():
		s += " Connections are drawn as areas: how many were in each state."
	case l.used == len(l.lane):
		s += fmt.Sprintf(" %s drawn, one for each that can be in use at once; %d of them unused.", lanesAre(l.lanes), l.lanes-l.used)
	default:
		s += fmt.Sprintf(" %s drawn; the %d connections that were used take turns in them.", lanesAre(l.lanes), len(l.lane))
	}
	return s
}

func lanesAre(n int) string {
	if n == 1 {
		return "1 lane is"
	}
	return fmt.Sprintf("%d lanes are", n)
}
