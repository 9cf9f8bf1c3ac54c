package callsite

import (
	"bytes"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
)

// Goroutines are those that had the same stack.
type Goroutines struct {
	Count  int
	Frames []Site // the innermost first
}

// maxGoroutines is how many different stacks of one label a profile keeps. It has those
// of the most goroutines first.
const maxGoroutines = 256

// Profile takes a profile of all goroutines. Of those that have a pprof label of that
// key, with a value that is in byLabel, it adds the stacks there, and of those that have
// none to the value ""; with all, of those with any value. Collecting takes some
// microseconds of each goroutine; it stops the program only while it begins and ends. The
// caller sees to it that it is seldom.
func Profile(key string, byLabel map[string][]Goroutines, all bool) {
	pprof.Lookup("goroutine").WriteTo(&goroutines{key: key, byLabel: byLabel, all: all}, 1) // it fails only where that does
}

// goroutines reads the profile of goroutines as text while it is written. Each
// stack is one line of addresses, one of labels where it has any, and one for each
// frame:
//
//	1 @ 0x47a1ee 0x478b6a
//	# labels: {"pghold":"12"}
//	#	0x478b69	time.Sleep+0x12e	/usr/local/go/src/runtime/time.go:338
type goroutines struct {
	key     string
	byLabel map[string][]Goroutines // has the labels that are wanted
	all     bool                    // also those that it has not
	rest    []byte                  // of a line that is not whole yet
	count   int                     // of the stack that is being read
	label   string
	last    *Goroutines // nil before its first frame, and where it is not wanted
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

// line reads a whole line. What it does not understand it passes over.
func (g *goroutines) line(line []byte) {
	if rest, ok := bytes.CutPrefix(line, []byte("# labels: ")); ok {
		if _, rest, ok = bytes.Cut(rest, []byte(`"`+g.key+`":"`)); ok {
			value, _, _ := bytes.Cut(rest, []byte{'"'})
			g.label = string(value)
		}
		return
	}
	if !bytes.HasPrefix(line, []byte{'#', '\t'}) { // the next stack
		count, _, _ := bytes.Cut(line, []byte{' '})
		g.count, _ = strconv.Atoi(string(count))
		g.label, g.last = "", nil
		return
	}
	if g.last == nil {
		stacks, wanted := g.byLabel[g.label]
		if !wanted && !g.all || len(stacks) >= maxGoroutines || g.count == 0 {
			g.count = 0
			return
		}
		stacks = append(stacks, Goroutines{Count: g.count})
		g.byLabel[g.label], g.last = stacks, &stacks[len(stacks)-1]
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
	g.last.Frames = append(g.last.Frames, Site{function, fields[3][:i], number})
}

// Where says where a stack is, the innermost frame first: the innermost line of the
// application and what it calls there.
func Where(frames []Site, skip []string) string {
	best := Application(frames, skip)
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

// Application is the index of a stack's innermost frame of the application's, -1
// where it has none. Packages of the main module count before those of others.
func Application(frames []Site, skip []string) int {
	best := -1
	for i, f := range frames {
		if library(f.Func, f.File, skip) {
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
