package catalog

import "strings"

// Numbers of results and arguments that are none.
const (
	None     = -1
	Receiver = -2 // what the method is called on
)

// Handle is what a program has while a connection is held for it.
type Handle string

const (
	Connection  Handle = "connection"
	Transaction Handle = "transaction"
	Rows        Handle = "rows"
	Row         Handle = "row"
	Batch       Handle = "batch"
	Session     Handle = "session" // which holds from its first statement on
)

// Opener is a function that takes a connection, in the tables.
type Opener struct {
	What Handle // what is held
	// result is the number of the result that is the hold, from 0; none where a
	// function argument runs inside; receiver where what the method is called on holds
	// from then on (a session, at its first statement).
	Result int
	// ArgumentCalled is the number of the argument, from 0 and without the receiver, that
	// is called while the connection is held; none where there is none. It may also be
	// a value with methods that are called (pgx.CopyFromSource).
	Callback int
	// closers are the methods of the result that release it. Where one of them is
	// Next, a Next that returned false does.
	Closers []string
	// nests says that the receiver, or an argument, may be a transaction or a
	// connection that is held already: then it goes on, and nothing more is taken.
	Nests bool
}

// Cost is a slow call, in the tables.
type Cost struct {
	Kind     Kind
	Severity Severity
}

// table finds functions by their full names, exact ones and those that end with a
// star, of which the longest counts. A name whose path has no major version stands
// for all of them.
type table[T any] struct {
	exact  map[string]T
	prefix map[string]T // without the star
}

// newTable makes a table. Braces in its names hold alternatives: sql.DB.{Begin,BeginTx}.
func newTable[T any](rows map[string]T) table[T] {
	t := table[T]{map[string]T{}, map[string]T{}}
	for pattern, row := range rows {
		for _, name := range alternatives(pattern) {
			if t.has(name) {
				panic("holdcheck: two rows for " + name)
			}
			t.set(name, row)
		}
	}
	return t
}

func alternatives(pattern string) []string {
	before, rest, found := strings.Cut(pattern, "{")
	if !found {
		return []string{pattern}
	}
	inside, after, _ := strings.Cut(rest, "}")
	var names []string
	for _, word := range strings.Split(inside, ",") {
		names = append(names, alternatives(before+word+after)...)
	}
	return names
}

func (t table[T]) has(name string) bool {
	before, star := strings.CutSuffix(name, "*")
	_, found := t.exact[name]
	if star {
		_, found = t.prefix[before]
	}
	return found
}

func (t table[T]) set(name string, row T) {
	if before, star := strings.CutSuffix(name, "*"); star {
		t.prefix[before] = row
	} else {
		t.exact[name] = row
	}
}

// find looks a full name up.
func (t table[T]) find(name string) (row T, found bool) {
	if row, found = t.findExactly(name); found {
		return row, true
	}
	if plain := withoutVersion(name); plain != name {
		return t.findExactly(plain)
	}
	return row, false
}

func (t table[T]) findExactly(name string) (row T, found bool) {
	if row, found = t.exact[name]; found {
		return row, true
	}
	for end := len(name); end > 0 && !found; end-- {
		row, found = t.prefix[name[:end]]
	}
	return row, found
}

// withoutVersion removes major versions from a path, or from a full name: /v5 at its
// end, before another element, or before the name.
func withoutVersion(name string) string {
	var b strings.Builder
	for rest := name; ; {
		i := strings.Index(rest, "/v")
		if i < 0 {
			b.WriteString(rest)
			return b.String()
		}
		end := i + len("/v")
		for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
			end++
		}
		if digits := end > i+len("/v"); digits && (end == len(rest) || rest[end] == '/' || rest[end] == '.') {
			b.WriteString(rest[:i])
		} else {
			b.WriteString(rest[:end])
		}
		rest = rest[end:]
	}
}
