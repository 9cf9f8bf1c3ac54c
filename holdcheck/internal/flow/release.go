package flow

import (
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// endedBy reports whether a site releases the hold.
func (u *Unit) endedBy(h *hold, s *site) bool {
	if s.call == nil {
		return false
	}
	if s.receives() {
		name := methodName(s.call)
		itself, around := h.named(u.keys.of(s.args[0]))
		if itself && (slices.Contains(h.closers, name) && name != "Next" || len(h.closers) == 0 && catalog.IsCloser(name)) ||
			around && !itself && catalog.IsCloser(name) {
			return true
		}
	}
	if s.dynamic {
		k := u.keys.of(s.call.Value)
		if itself, around := h.named(k); itself || around {
			return true
		}
	}
	for k := range u.closedBy(s) {
		if before, ok := strings.CutSuffix(k.path, scanned); ok {
			if h.aliases[key{k.base, before}] && slices.Contains(h.closers, "Scan") {
				return true
			}
			continue
		}
		if itself, around := h.named(k); itself || around {
			return true
		}
	}
	if slices.Contains(h.closers, "Next") {
		// Rows that are given to something that reads them to their end.
		for i, a := range s.args {
			if i == 0 && s.receives() {
				continue
			}
			if h.aliases[u.keys.of(a)] && len(u.targets(s)) == 0 {
				return true
			}
		}
	}
	return false
}

// released are the keys, in the frame of s and those around it, of what s releases.
func (u *Unit) released(s *site) map[key]bool {
	closed := u.closedBy(s)
	if s.call == nil {
		return closed
	}
	if s.dynamic { // release(), that a function returned with a connection
		if k := u.keys.of(s.call.Value); k.path == "" || k.path[0] == '#' {
			closed[k] = true
		}
	}
	if s.receives() {
		name := methodName(s.call)
		if catalog.IsCloser(name) || name == "Next" {
			closed[u.keys.of(s.args[0])] = true
		}
		if strings.HasSuffix(name, "Scan") {
			k := u.keys.of(s.args[0])
			closed[key{k.base, k.path + scanned}] = true
		}
	}
	return closed
}

// closedBy are the keys of what the functions that s calls release.
func (u *Unit) closedBy(s *site) map[key]bool {
	closed := map[key]bool{}
	if s.call == nil {
		return closed
	}
	in := func(args []ssa.Value, i int, path string) {
		if i < len(args) {
			k := u.keys.of(args[i])
			if path := k.path + path; strings.Count(path, ".") <= maxFields {
				closed[key{k.base, path}] = true
			}
		}
	}
	if s.facts != nil {
		for _, p := range s.facts.Closes {
			in(s.args, p.Index, p.Path)
		}
	}
	refs := u.targets(s)
	for _, c := range u.argCalls(s) {
		refs = append(refs, u.funcs(c.arg).refs...)
	}
	for _, t := range refs {
		for k := range t.node.closes {
			if p, ok := k.base.(*ssa.Parameter); ok && p.Parent() == t.node.fn {
				if slices.ContainsFunc(s.targets, func(n *node) bool { return n == t.node }) || s.invoke != nil || s.dynamic {
					in(s.args, parameterIndex(p), k.path)
				}
				continue
			}
			closed[k] = true
		}
	}
	return closed
}

// maxFields is how deep in a structure a hold is looked for: lists have no end.
const maxFields = 2

// maxCloses is how many things are kept that one function releases.
const maxCloses = 48

// scanned is the end of the path of a row that was read. Of rows, this is no end.
const scanned = ".Scan()"
