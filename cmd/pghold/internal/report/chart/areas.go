package chart

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// columns are how many parts the axis of time is drawn in: one a pixel.
func columns(a axis) int { return max(int(a.to-a.from), 1) }

func (l *holds) drawWaiters(c *canvas, a axis, y float64) {
	label := "nobody waiting for a connection"
	switch {
	case l.o.InFlight != nil:
		label = fmt.Sprintf("requests in flight: at most %d", l.maxWaiting)
	case l.maxWaiting > 0:
		label = fmt.Sprintf("waiting for a connection: at most %d", l.maxWaiting)
	}
	c.text(a.from, y+12, atStart, "", cut(label, a.to-a.from))
	base, height := y+18+waitersHeight-4, float64(waitersHeight-4)
	most := make([]int, columns(a))
	perColumn := a.end / float64(len(most))
	l.above(func(from, to float64, n int) {
		first := clampIndex(from/perColumn, len(most))
		last := clampIndex(to/perColumn, len(most))
		for i := first; i <= last; i++ {
			most[i] = max(most[i], n)
		}
	})
	end := float64(max(l.maxWaiting, l.o.Waiting, 1))
	heights := make([]float64, len(most))
	for i, n := range most {
		heights[i] = height * float64(n) / end
		if n > 0 {
			heights[i] = max(heights[i], 1) // one in 500 is still to be seen
		}
	}
	area(c, a.from, base, heights, nil, "f waiting")
	c.line(a.from, base, a.to, base, "line")
}

func clampIndex(v float64, n int) int {
	if !(v > 0) {
		return 0
	}
	return int(min(v, float64(n-1)))
}

// area draws steps of so many heights, a pixel each, upon floors or upon base.
func area(c *canvas, x, base float64, heights, floors []float64, class string) {
	if !slices.ContainsFunc(heights, func(h float64) bool { return h > 0 }) {
		return
	}
	floor := func(i int) float64 {
		if floors == nil {
			return 0
		}
		return floors[i]
	}
	var b strings.Builder
	for i := 0; i < len(heights); {
		if !(heights[i] > 0) {
			i++
			continue
		}
		// A run of columns that have a height, there along its top and back along
		// its floor.
		j := i
		for j < len(heights) && heights[j] > 0 {
			j++
		}
		b.WriteString("M" + num(c.x(x+float64(i))) + " " + num(c.y(base-floor(i)-heights[i])))
		step := func(k int, y float64, last *string) {
			if s := num(c.y(y)); s != *last {
				b.WriteString("H" + num(c.x(x+float64(k))) + "V" + s)
				*last = s
			}
		}
		last := num(c.y(base - floor(i) - heights[i]))
		for k := i; k < j; k++ {
			step(k, base-floor(k)-heights[k], &last)
		}
		b.WriteString("H" + num(c.x(x+float64(j))) + "V" + num(c.y(base-floor(j-1))))
		last = num(c.y(base - floor(j-1)))
		for k := j - 1; k >= i; k-- {
			if s := num(c.y(base - floor(k))); s != last {
				b.WriteString("H" + num(c.x(x+float64(k+1))) + "V" + s)
				last = s
			}
		}
		b.WriteString("H" + num(c.x(x+float64(i))) + "z")
		i = j
	}
	c.raw(`<path class="edge ` + class + `" d="` + b.String() + `"/>`)
}

// spread adds the time from one moment to another to the columns that it is in.
func spread(columns []float64, perColumn, from, to float64) {
	from, to = max(from, 0), min(to, perColumn*float64(len(columns)))
	if !(to > from) {
		return
	}
	first, last := clampIndex(from/perColumn, len(columns)), clampIndex(to/perColumn, len(columns))
	if first == last {
		columns[first] += to - from
		return
	}
	columns[first] += perColumn*float64(first+1) - from
	for i := first + 1; i < last; i++ {
		columns[i] += perColumn
	}
	columns[last] += max(to-perColumn*float64(last), 0)
}

// drawAreas draws how many connections were in each state.
func (l *holds) drawAreas(c *canvas, a axis, top, bottom float64) {
	n := columns(a)
	perColumn := a.end / float64(n)
	var times [3][]float64
	for i := range times {
		times[i] = make([]float64, n)
	}
	for _, ck := range l.checkouts {
		if ck.Connection <= 0 {
			continue
		}
		at := ck.At.Seconds()
		for i, d := range parts(ck) {
			spread(times[i], perColumn, at, at+d)
			at += d
		}
	}
	c.rect(a.from, top, a.to-a.from, bottom-top, "f free")
	floors := make([]float64, n)
	scale := (bottom - top) / float64(max(l.lanes, l.maxHeld))
	for i, m := range []Mark{busy, silentTx, silent} {
		heights := make([]float64, n)
		for k := range heights {
			heights[k] = min(times[i][k]/perColumn*scale, bottom-top-floors[k])
			if i == 0 && heights[k] > 0 {
				heights[k] = max(heights[k], 1)
			}
		}
		area(c, a.from, bottom, heights, floors, "f "+m.Class)
		for k := range floors {
			floors[k] += heights[k]
		}
	}
}

// above tells how many waited, or were in flight, from one moment to another.
func (l *holds) above(tell func(from, to float64, n int)) {
	if l.o.InFlight == nil {
		waiters(l.checkouts, tell)
		return
	}
	mostAtOnce(len(l.o.InFlight), func(i int) (float64, float64) {
		r := l.o.InFlight[i]
		return r.Sent.Seconds(), (r.Sent + r.Latency).Seconds()
	}, tell)
}

// MaxWaiting is how many waited for a connection at once, at most.
func MaxWaiting(checkouts []experiment.Checkout) int {
	most := 0
	waiters(checkouts, func(_, _ float64, n int) { most = max(most, n) })
	return most
}

// waiters tells how many waited, from one moment to another.
func waiters(checkouts []experiment.Checkout, tell func(from, to float64, n int)) {
	mostAtOnce(len(checkouts), func(i int) (float64, float64) {
		at := checkouts[i].At.Seconds()
		return at - checkouts[i].Wait.Seconds(), at
	}, tell)
}

// mostAtOnce counts how many of n intervals overlap, at most.
func mostAtOnce(n int, interval func(i int) (from, to float64), tell func(from, to float64, n int)) int {
	begins, ends := make([]float64, 0, n), make([]float64, 0, n)
	for i := range n {
		if from, to := interval(i); to > from {
			begins, ends = append(begins, from), append(ends, to)
		}
	}
	sort.Float64s(begins)
	sort.Float64s(ends)
	now, most := 0, 0
	for b, e := 0, 0; e < len(ends); {
		var at float64
		if b < len(begins) && begins[b] < ends[e] { // one ends before another begins
			at = begins[b]
			b++
			now++
		} else {
			at = ends[e]
			e++
			now--
		}
		most = max(most, now)
		if tell == nil || now == 0 {
			continue
		}
		next := ends[min(e, len(ends)-1)]
		if b < len(begins) {
			next = min(next, begins[b])
		}
		tell(at, next, now)
	}
	return most
}
