package catalog

import "go/types"

// Catalog is the curated tables and what the configuration adds.
type Catalog struct {
	slow    table[Cost]
	quick   table[bool]
	openers table[Opener]
}

// New is the curated tables, with nothing added.
func New() *Catalog {
	return &Catalog{newTable(map[string]Cost{}), newTable(map[string]bool{}), newTable(map[string]Opener{})}
}

// AddSlow adds a slow call.
func (t *Catalog) AddSlow(name string, s Cost) { t.slow.set(name, s) }

// AddFast adds a function that is not slow, whatever it calls.
func (t *Catalog) AddFast(name string) { t.quick.set(name, true) }

// AddOpener adds a function that takes a connection.
func (t *Catalog) AddOpener(name string, o Opener) { t.openers.set(name, o) }

// Cost is what the tables say of a function that is slow.
func (t *Catalog) Cost(f *types.Func) (Cost, bool) {
	name := FullName(f)
	if _, fast := t.quick.find(name); fast {
		return Cost{}, false
	}
	if s, ok := t.slow.find(name); ok {
		return s, true
	}
	return slowCall(f)
}

// Opener is what the tables say of a function that takes a connection.
func (t *Catalog) Opener(f *types.Func) (Opener, bool) {
	name := FullName(f)
	if o, ok := t.openers.find(name); ok {
		return o, true
	}
	return openerOf(f)
}

// Fast reports whether a function is not looked into.
func (t *Catalog) Fast(f *types.Func) bool {
	if _, fast := t.quick.find(FullName(f)); fast {
		return true
	}
	return f.Pkg() != nil && Curated(f.Pkg().Path())
}

// Joins reports whether a function waits for goroutines.
func (t *Catalog) Joins(f *types.Func) bool {
	_, ok := joins.find(FullName(f))
	return ok
}

// Spawns is the number of the argument, the receiver first, that f runs in a
// goroutine; -1 for none.
func (t *Catalog) Spawns(f *types.Func) int {
	if i, ok := spawns.find(FullName(f)); ok {
		return i
	}
	return -1
}
