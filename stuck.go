package pghold

import (
	"bytes"
	"cmp"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
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
// them, which may be some time old, as it says: profiles of goroutines are taken so seldom that they need
// at most 1 % of a core. The next one is taken after a hundred times as long as the
// last one took, which is 20 s where 10,000 requests are stuck.
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
	old := false
	for i := range holds {
		old = old || holds[i].label != "" && holds[i].Held >= r.cfg.StuckAfter
	}
	if !old {
		return
	}
	s := &r.stacks
	s.mu.Lock()
	defer s.mu.Unlock()
	if began := r.now(); began >= s.next {
		oldest := r.oldest(began)
		byLabel := map[string][][]Site{}
		for i := range oldest {
			byLabel[oldest[i].label] = nil
		}
		profile(byLabel)
		s.taken = r.now()
		s.cost = s.taken - began
		s.next = s.taken + time.Duration(float64(s.cost)/profileShare)
		s.byHold = map[holdID]*Stack{}
		for i := range oldest {
			h := &oldest[i]
			if frames := holding(byLabel[h.label], h, r.cfg.Skip); frames != nil {
				s.byHold[holdID{h.label, h.Began}] = &Stack{Taken: r.started.Add(s.taken).Round(0), Where: where(frames, r.cfg.Skip), Frames: frames}
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
func holding(goroutines [][]Site, h *Hold, skip []string) []Site {
	for _, is := range []func(Site) bool{
		func(f Site) bool { return f.Func == h.Site.Func },
		func(f Site) bool { return f.Func == h.Last.Func },
		func(f Site) bool { return f.Func == module+".DoFunc" },
	} {
		for _, frames := range goroutines {
			if slices.ContainsFunc(frames, is) {
				return frames
			}
		}
	}
	for _, frames := range goroutines {
		if application(frames, skip) >= 0 {
			return frames
		}
	}
	return nil
}

// profile adds the stacks of the goroutines that have one of the labels.
func profile(byLabel map[string][][]Site) {
	pprof.Lookup("goroutine").WriteTo(&goroutines{byLabel: byLabel}, 1) // it fails only where that does
}

// goroutines reads the profile of goroutines as text while it is written. Each
// stack is one line of addresses, one of labels where it has any, and one for each
// frame:
//
//	1 @ 0x47a1ee 0x478b6a
//	# labels: {"pghold":"1c"}
//	#	0x478b69	time.Sleep+0x12e	/usr/local/go/src/runtime/time.go:338
type goroutines struct {
	byLabel map[string][][]Site // has the labels that are wanted
	rest    []byte              // of a line that is not whole yet
	label   string              // of the stack that is being read, "" where it is not wanted
}

func (g *goroutines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, after, whole := bytes.Cut(p, []byte{'\n'})
		if !whole {
			g.rest = append(g.rest, p...)
			return n, nil
		}
		if len(g.rest) > 0 {
			line = append(g.rest, line...)
			g.rest = g.rest[:0]
		}
		g.line(line)
		p = after
	}
}

func (g *goroutines) line(line []byte) {
	if rest, is := bytes.CutPrefix(line, []byte("# labels: ")); is {
		_, rest, _ = bytes.Cut(rest, []byte(`"`+labelKey+`":"`))
		value, _, _ := bytes.Cut(rest, []byte{'"'})
		if _, wanted := g.byLabel[string(value)]; wanted {
			g.label = string(value)
			g.byLabel[g.label] = append(g.byLabel[g.label], nil)
		}
		return
	}
	if !bytes.HasPrefix(line, []byte{'#', '\t'}) {
		g.label = "" // the next stack
		return
	}
	if g.label == "" {
		return
	}
	fields := strings.FieldsFunc(string(line), func(r rune) bool { return r == '\t' })
	if len(fields) != 4 {
		return
	}
	function := fields[2]
	if i := strings.LastIndex(function, "+0x"); i >= 0 {
		function = function[:i]
	}
	i := strings.LastIndexByte(fields[3], ':')
	number, err := strconv.Atoi(fields[3][i+1:])
	if err != nil {
		return
	}
	stacks := g.byLabel[g.label]
	last := &stacks[len(stacks)-1]
	*last = append(*last, Site{Func: function, File: fields[3][:i], Line: number})
}

// where says where a stack is, as in Stack.
func where(frames []Site, skip []string) string {
	best := application(frames, skip)
	switch {
	case len(frames) == 0:
		return "an unknown place"
	case best < 0:
		return frames[0].Func
	case best == 0:
		return frames[0].Func + " at " + frames[0].String()
	}
	return frames[best-1].Func + " ← " + frames[best].String()
}

// application is the index of a stack's innermost frame of the application's, -1
// where it has none. Packages of the main module count before those of others.
func application(frames []Site, skip []string) int {
	best := -1
	for i, f := range frames {
		if library(runtime.Frame{Function: f.Func, File: f.File}, skip) {
			continue
		}
		if within(f.Func, mainModule()) {
			return i
		}
		// The standard library's packages have no dot before their first slash.
		if first, _, ok := strings.Cut(f.Func, "/"); best < 0 && ok && strings.Contains(first, ".") {
			best = i
		}
	}
	return best
}

// mainModule is what the packages of the program itself begin with.
var mainModule = sync.OnceValue(func() []string {
	names := []string{"main"}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" {
		names = append(names, info.Main.Path)
	}
	return names
})
