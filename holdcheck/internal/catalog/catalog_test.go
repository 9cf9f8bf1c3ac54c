package catalog

import (
	"fmt"
	"go/types"
	"maps"
	"slices"
	"testing"
)

// names are all names of all tables, by table.
func tableNames() map[string][]string {
	return map[string][]string{
		"openers": slices.Sorted(maps.Keys(openers.exact)), "sinks": slices.Sorted(maps.Keys(sinks.exact)),
		"joins": slices.Sorted(maps.Keys(joins.exact)), "spawns": slices.Sorted(maps.Keys(spawns.exact)),
		"callbacks": slices.Sorted(maps.Keys(callbacks.exact)), "writesTo": slices.Sorted(maps.Keys(writesTo.exact)),
		"standsFor": slices.Sorted(maps.Keys(standsFor.exact)),
	}
}

func TestTables_HaveFullNames(t *testing.T) {
	for table, names := range tableNames() {
		if len(names) == 0 {
			t.Errorf("%s has no rows", table)
		}
		for _, name := range names {
			if !fullNameForm.MatchString(name) {
				t.Errorf("%s: %s is no name that types.Func.FullName makes", table, name)
			}
		}
	}
	for table, n := range map[string]int{
		"openers": len(openers.prefix), "sinks": len(sinks.prefix), "joins": len(joins.prefix), "spawns": len(spawns.prefix),
		"callbacks": len(callbacks.prefix), "writesTo": len(writesTo.prefix), "standsFor": len(standsFor.prefix),
	} {
		if n > 0 {
			t.Errorf("%s has %d names with a star; they would match constructors too", table, n)
		}
	}
}

func TestTables_AFunctionTakesOrIsSlow(t *testing.T) {
	for name := range openers.exact {
		if _, ok := sinks.find(name); ok {
			t.Errorf("%s is in openers and in sinks", name)
		}
	}
}

func TestTables_WhatJoinsIsASinkToo(t *testing.T) {
	for name := range joins.exact {
		if s, ok := sinks.find(name); !ok || s.Kind != Blocked {
			t.Errorf("%s waits for goroutines, and sinks has %v", name, s)
		}
	}
}

func TestTables_HaveKnownKindsAndSeverities(t *testing.T) {
	kinds := []Kind{HTTP, RPC, Mail, Cloud, Model, Network, Process, Sleep, Broker, Blocked, Client, File, Compute}
	valid := func(where string, s Cost) {
		if !slices.Contains(kinds, s.Kind) || !slices.Contains(Severities(), s.Severity) {
			t.Errorf("%s has kind %q and severity %q", where, s.Kind, s.Severity)
		}
	}
	for name, s := range sinks.exact {
		valid(name, s)
	}
	for _, r := range rules {
		valid(fmt.Sprint("the rule for ", r.paths), r.Cost)
		for _, path := range r.paths {
			if withoutVersion(path) != path {
				t.Errorf("the rule for %s has a major version: it will match nothing", path)
			}
			if !Curated(path) {
				t.Errorf("there is a rule for %s, and its functions are looked into", path)
			}
		}
	}
}

func TestTables_StandardFunctionsExist(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command for types")
	}
	for table, names := range tableNames() {
		for _, name := range names {
			if IsStd(pathOf(name)) && !unexported(name) && standardFunc(t, name) == nil {
				t.Errorf("%s: there is no %s", table, name)
			}
		}
	}
}

func TestTables_ArgumentsAreWhatTheyAreUsedAs(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command for types")
	}
	argument := func(fn *types.Func, n int) types.Type {
		sig := fn.Signature()
		if sig.Recv() != nil {
			if n == 0 {
				return sig.Recv().Type()
			}
			n--
		}
		if n >= sig.Params().Len() {
			return nil
		}
		return sig.Params().At(n).Type()
	}
	each := func(table table[int], ok func(types.Type) bool) {
		for name, n := range table.exact {
			if !IsStd(pathOf(name)) || unexported(name) {
				continue
			}
			if arg := argument(standardFunc(t, name), n); arg == nil || !ok(arg) {
				t.Errorf("%s: argument %d is a %v", name, n, arg)
			}
		}
	}
	isFunction := func(t types.Type) bool { _, ok := t.Underlying().(*types.Signature); return ok }
	each(callbacks, isFunction)
	each(spawns, isFunction)
	each(writesTo, func(t types.Type) bool { return !isFunction(t) })
	for name, o := range openers.exact {
		if o.Callback >= 0 && IsStd(pathOf(name)) {
			fn := standardFunc(t, name)
			if p := fn.Signature().Params(); o.Callback >= p.Len() || !isFunction(p.At(o.Callback).Type()) {
				t.Errorf("%s: argument %d is no function", name, o.Callback)
			}
		}
	}
}
