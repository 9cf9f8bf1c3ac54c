package pghold

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Site is a line of code: where a connection was taken, or a statement sent.
type Site struct {
	Func string `json:"func"`
	File string `json:"file"`
	Line int    `json:"line"`
}

// String is the site as people write it: app.go:88.
func (s Site) String() string {
	if s.File == "" {
		return "unknown"
	}
	return fmt.Sprintf("%s:%d", filepath.Base(s.File), s.Line)
}

// A stack is taken in two depths: most calls leave the libraries within its first
// frames; where they do not, as through an ORM, more of it is taken.
type (
	stack     [8]uintptr
	deepStack [48]uintptr
)

// sites resolves stacks to sites and remembers them. It is guarded by the lock of
// its shard.
type sites struct {
	near map[stack]*place // nil: not to be told from so few frames
	far  map[deepStack]*place
	slow map[deepStack]*place // of slow calls
}

// maxStacks is how many stacks of each kind are remembered. Programs have as many
// as they have call sites; should one have more, as with code made at run time,
// they are forgotten and found again.
const maxStacks = 2048

// at returns the place of the stack that its caller has taken, which may be a part
// of one. skip holds the packages that are not the application's.
func (m *sites) at(pcs *stack, skip []string) *place {
	found, known := m.near[*pcs]
	if !known {
		found, _ = resolve(slices.Clone(pcs[:]), skip) // a copy, so that pcs need not be on the heap
		m.near = remember(m.near, *pcs, found)
	}
	if found != nil {
		return found
	}
	var more deepStack
	runtime.Callers(3, more[:])
	return deep(&m.far, &more, skip)
}

// deep is at for a deep stack, and where those are remembered.
func deep(m *map[deepStack]*place, pcs *deepStack, skip []string) *place {
	found := (*m)[*pcs]
	if found == nil {
		var other *place
		if found, other = resolve(slices.Clone(pcs[:]), skip); found == nil {
			found = other
		}
		*m = remember(*m, *pcs, found)
	}
	return found
}

func remember[K comparable](m map[K]*place, pcs K, found *place) map[K]*place {
	if m == nil || len(m) >= maxStacks {
		m = map[K]*place{}
	}
	m[pcs] = found
	return m
}

// resolve returns the first frame that is the application's, or nil. other is the
// first that may be, in a module that the program depends on: an application can be
// such a module, with a main package elsewhere that only starts it.
func resolve(pcs []uintptr, skip []string) (found, other *place) {
	if i := slices.Index(pcs, 0); i >= 0 {
		pcs = pcs[:i]
	}
	var frames []runtime.Frame
	for all, more := runtime.CallersFrames(pcs), true; more; {
		var f runtime.Frame
		f, more = all.Next()
		frames = append(frames, f)
	}
	other = &place{functions: []string{""}, depth: uint8(len(stack{}))}
	for i, f := range frames {
		if f.Function == "" || library(f, skip) {
			continue
		}
		p := &place{Site: Site{Func: f.Function, File: f.File, Line: f.Line}, depth: uint8(min(i+1, len(stack{})))}
		switch {
		case !dependency(f.File) && found == nil:
			found = p
			p.see(frames[i:])
		case !dependency(f.File):
			found.see(frames[i:])
		case other.Site == (Site{}):
			other = p
			p.see(frames[i:])
		}
	}
	return found, other
}

// dependency reports whether a file is of a module that the program depends on: it
// is in the module cache, where a version is part of its path, or it was vendored.
func dependency(file string) bool {
	return strings.Contains(file, "@v") || strings.Contains(file, "/vendor/")
}

// libraries are packages between an application and its connection, or its slow
// call, wherever they were compiled from. Their tests and examples are applications.
var libraries = []string{
	"runtime", "net/http", "golang.org/x/net/http2", "database/sql", "github.com/jackc/pgx/v5", "github.com/jackc/puddle/v2",
	"github.com/lib/pq", "github.com/jmoiron/sqlx", "gorm.io/gorm", "gorm.io/driver/postgres",
	"github.com/uptrace/bun", "entgo.io/ent",
	"github.com/pghold/pghold", "github.com/pghold/pghold/session", "github.com/pghold/pghold/queuepool",
	"github.com/pghold/pghold/pgxhold", "github.com/pghold/pghold/sqlhold", "github.com/pghold/pghold/httphold",
}

func library(f runtime.Frame, skip []string) bool {
	return within(f.Function, skip) || !strings.HasSuffix(f.File, "_test.go") && within(f.Function, libraries)
}

// within reports whether a function, by its full name, belongs to one of the
// packages, types or functions.
func within(function string, names []string) bool {
	for _, name := range names {
		rest, is := strings.CutPrefix(function, name)
		if is && (rest == "" || rest[0] == '.' || rest[0] == '/' && name != module) {
			return true
		}
	}
	return false
}

// module is this one's path. Its commands are applications, unlike what is below
// other libraries.
const module = "github.com/pghold/pghold"
