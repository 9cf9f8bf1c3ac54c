package holdcheck

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// Config is what a project adds to the tables: slow calls, openers and helpers that
// cannot be told from their source, and what is not slow there. Functions are named
// as types.Func.FullName does: net/http.Get, (*database/sql.DB).Begin,
// (example.com/app/mail.Sender).Send. A * at the end stands for anything.
type Config struct {
	// Slow are further slow calls.
	Slow []SlowFunc `json:"slow,omitempty"`
	// Fast are functions that are not slow, whatever they call.
	Fast []string `json:"fast,omitempty"`
	// Openers take a connection.
	Openers []Opener `json:"openers,omitempty"`
}

// SlowFunc names a slow function.
type SlowFunc struct {
	Func     string   `json:"func"`
	Severity Severity `json:"severity"` // high where it is empty
	Kind     Kind     `json:"kind"`     // custom where it is empty
}

// Opener names a function that takes a connection.
type Opener struct {
	Func string `json:"func"`
	// Callback is the number of the argument, from 1, that is a function and runs
	// while the connection is held. 0: the connection is held from the call on,
	// until a method of its first result is called: one of Closers.
	Callback int      `json:"callback,omitempty"`
	Closers  []string `json:"closers,omitempty"` // Commit, Rollback, Close and Release where it is empty
}

// tables are the curated tables with what the configuration adds.
func (c Config) tables() (*catalog.Catalog, error) {
	t := catalog.New()
	for _, s := range c.Slow {
		severity := cmp.Or(s.Severity, High)
		if !slices.Contains(Severities(), severity) {
			return nil, fmt.Errorf("the configuration's slow call %s has the severity %q; there are high, medium and low", s.Func, s.Severity)
		}
		t.AddSlow(s.Func, catalog.Cost{Kind: cmp.Or(s.Kind, Custom), Severity: severity})
	}
	for _, f := range c.Fast {
		t.AddFast(f)
	}
	for _, o := range c.Openers {
		op := catalog.Opener{What: catalog.Connection, Result: 0, Callback: catalog.None, Closers: o.Closers, Nests: true}
		if o.Callback > 0 {
			op.Result, op.Callback = catalog.None, o.Callback-1
		}
		t.AddOpener(o.Func, op)
	}
	return t, nil
}
