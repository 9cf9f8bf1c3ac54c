package holdcheck

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

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

// ReadConfig reads a configuration from a file, and checks it.
func ReadConfig(file string) (Config, error) {
	var c Config
	text, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	if err := decodeStrictly(text, &c); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func (c Config) check() error {
	for i, s := range c.Slow {
		at := fmt.Sprintf("slow[%d]", i)
		if err := checkName(at+".func", s.Func); err != nil {
			return err
		}
		if s.Severity != "" && !slices.Contains(Severities(), s.Severity) {
			return fmt.Errorf("%s.severity is %q: want high, medium or low", at, s.Severity)
		}
		if s.Kind != "" && !slices.Contains(Kinds(), s.Kind) {
			return fmt.Errorf("%s.kind is %q: want one of %s", at, s.Kind, listed(Kinds()))
		}
	}
	for i, name := range c.Fast {
		if err := checkName(fmt.Sprintf("fast[%d]", i), name); err != nil {
			return err
		}
	}
	for i, o := range c.Openers {
		at := fmt.Sprintf("openers[%d]", i)
		if err := checkName(at+".func", o.Func); err != nil {
			return err
		}
		if o.Callback < 0 {
			return fmt.Errorf("%s.callback is %d: want the number of an argument, from 1, or 0 where there is none", at, o.Callback)
		}
		if o.Callback > 0 && len(o.Closers) > 0 {
			return fmt.Errorf("%s has a callback and closers: what runs a function meanwhile is not closed by who calls it", at)
		}
		if slices.Contains(o.Closers, "") {
			return fmt.Errorf("%s.closers has an empty name: want names of methods, such as Commit", at)
		}
	}
	return nil
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

// checkName checks the name of a function: it is types.Func.FullName's.
func checkName(at, name string) error {
	switch body := strings.TrimSuffix(name, "*"); {
	case name == "":
		return fmt.Errorf("%s is missing: want the full name of a function, such as net/http.Get or (*example.com/app/mail.Sender).Send", at)
	case strings.ContainsAny(name, " \t\n"), strings.Contains(body, "*") && !strings.HasPrefix(body, "(*"), strings.Count(body, "*") > 1,
		!strings.HasSuffix(name, "*") && !strings.Contains(name[strings.LastIndexByte(name, '/')+1:], "."):
		return fmt.Errorf("%s is %q: want the full name of a function, such as net/http.Get or (*example.com/app/mail.Sender).Send, with * only at its end", at, name)
	}
	return nil
}

func listed[T ~string](names []T) string {
	var words []string
	for _, n := range names {
		words = append(words, string(n))
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
