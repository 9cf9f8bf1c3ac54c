package plan

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Events come by time, and in the order in which they were pushed where times are equal,
// whatever their kinds are, and whether those that have a lane come in order or not.
func TestEvents_ComeInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h events
		var want []event
		now := int64(0)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "push") || len(want) == 0 {
				e := event{at: now + int64(rapid.IntRange(0, 5).Draw(t, "after")), kind: kind(rapid.IntRange(0, int(evKill)).Draw(t, "kind")), req: int32(len(want))}
				h.push(e)
				e.seq = h.seq
				want = append(want, e)
				continue
			}
			slices.SortFunc(want, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
			first, from := h.first()
			if first == nil || *first != want[0] {
				t.Fatalf("first is %v, want %v", first, want[0])
			}
			if got := h.take(from); got != want[0] {
				t.Fatalf("took %v, want %v", got, want[0])
			}
			now, want = want[0].at, want[1:]
		}
		n := len(h.heap)
		for _, l := range h.lanes {
			n += len(l.events) - l.head
		}
		if n != len(want) {
			t.Fatalf("%d are left, want %d", n, len(want))
		}
	})
}
