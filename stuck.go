package pghold

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/pghold/pghold/internal/callsite"
)

// Stack is what the goroutine that has a hold was doing at one moment: the one, of
// those within the hold's Do, that is in the function that took the connection; where
// none is, in the one that sent the last statement; else the one that Do runs in. So
// where a connection is handed to another goroutine, by a helper that has returned, it
// may be the stack of who waits for that one.
type Stack struct {
	Taken time.Time `json:"taken_at"`
	// Where is the innermost line of the application and what it calls there:
	// "net/http.(*Client).Do ← charge.go:41".
	Where  string `json:"where"`
	Frames []Site `json:"frames"` // the innermost first
}

// stacks keeps what the last profile of goroutines said of those who have a hold: of
// the maxStuck oldest holds one stack each.
type stacks struct {
	mu     sync.Mutex
	taken  time.Duration // since the recorder was made
	cost   time.Duration // of the last profile
	next   time.Duration // no profile is taken before
	byHold map[holdID]*Stack
}

// holdID tells a hold from others that are or were open in the same Do.
type holdID struct {
	label string
	began time.Time
}

// maxStuck is how many holds have a stack. Each may have some 10 KB.
const maxStuck = 256

// profileShare is the part of a core that profiles may take: after one that took a
// millisecond there is none for a hundred.
const profileShare = 0.01

// OpenHolds describes the holds that are open, the longest first. Those that are
// older than Config.StuckAfter and were taken within Do have a Stack, the 256 oldest of
// them. It may be some time old, as it says: profiles of goroutines are taken so seldom
// that they need at most 1 % of a core. The next one is taken after a hundred times as
// long as the last one took, which is 20 s where 10,000 requests are stuck.
func (r *Recorder) OpenHolds() []Hold {
	holds := r.openHolds(nil)
	sortHolds(holds)
	r.locate(holds)
	return holds
}

// SnapshotWithStacks is Snapshot with the stacks of the open holds, as OpenHolds has
// them. All of it is taken in one look: each hold is either open or counted.
func (r *Recorder) SnapshotWithStacks() *Snapshot {
	s := r.Snapshot()
	r.locate(s.Open)
	return s
}

// locate gives the holds that are old enough their stacks.
func (r *Recorder) locate(holds []Hold) {
	if !slices.ContainsFunc(holds, func(h Hold) bool { return h.label != "" && h.Held >= r.cfg.StuckAfter }) {
		return
	}
	s := &r.stacks
	s.mu.Lock()
	defer s.mu.Unlock()
	if began := r.now(); began >= s.next {
		oldest := r.oldest(began)
		byLabel := map[string][][]callsite.Site{}
		for i := range oldest {
			byLabel[oldest[i].label] = nil
		}
		callsite.Profile(labelKey, byLabel)
		s.taken = r.now()
		s.cost = s.taken - began
		s.next = s.taken + time.Duration(float64(s.cost)/profileShare)
		s.byHold = map[holdID]*Stack{}
		for i := range oldest {
			h := &oldest[i]
			if frames := holding(byLabel[h.label], h, r.cfg.Skip); frames != nil {
				s.byHold[holdID{h.label, h.Began}] = newStack(frames, r.started.Add(s.taken).Round(0), r.cfg.Skip)
			}
		}
	}
	for i := range holds {
		if h := &holds[i]; h.Held >= r.cfg.StuckAfter {
			h.Stack = s.byHold[holdID{h.label, h.Began}]
		}
	}
}

// oldest describes the maxStuck oldest of all holds that were taken in Do and are old
// enough at now.
func (r *Recorder) oldest(now time.Duration) []Hold {
	var old []*Checkout
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for c := s.first; c != nil; c = c.next {
			if !c.waiting && c.label() != "" && now-c.began >= r.cfg.StuckAfter {
				old = append(old, c)
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(old, func(a, b *Checkout) int { return cmp.Compare(a.began, b.began) })
	var holds []Hold
	for _, c := range old[:min(len(old), maxStuck)] {
		if h, ok := c.Describe(); ok {
			holds = append(holds, h)
		}
	}
	return holds
}

// holding picks, of the goroutines of one label, the one that has the hold: it is
// within the function that took the connection or, where that was a helper that has
// returned, within the one that sent the last statement, or in Do, or at least in
// some code of the application's. Others only have the label because somebody within
// Do has started them, as the first request to a host starts two goroutines of
// net/http's.
func holding(goroutines [][]callsite.Site, h *Hold, skip []string) []callsite.Site {
	for _, is := range []func(callsite.Site) bool{
		func(f callsite.Site) bool { return f.Func == h.Site.Func },
		func(f callsite.Site) bool { return f.Func == h.Last.Func },
		func(f callsite.Site) bool { return f.Func == "github.com/pghold/pghold.DoFunc" },
	} {
		for _, frames := range goroutines {
			if slices.ContainsFunc(frames, is) {
				return frames
			}
		}
	}
	for _, frames := range goroutines {
		if callsite.Application(frames, skip) >= 0 {
			return frames
		}
	}
	return nil
}

func newStack(frames []callsite.Site, taken time.Time, skip []string) *Stack {
	s := &Stack{Taken: taken, Where: callsite.Where(frames, skip)}
	for _, f := range frames {
		s.Frames = append(s.Frames, Site(f))
	}
	return s
}
