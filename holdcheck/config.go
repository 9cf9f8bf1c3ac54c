package holdcheck

// Config is what a project adds to the tables: slow calls, openers and helpers that
// cannot be told from their source, and what is not slow there. Functions are named
// as types.Func.FullName does: net/http.Get, (*database/sql.DB).Begin,
// (example.com/app/mail.Sender).Send. A * at the end stands for anything.
type Config struct {
	// Slow are further slow calls.
	Slow []SlowCall `json:"slow,omitempty"`
	// Fast are functions that are not slow, whatever they call.
	Fast []string `json:"fast,omitempty"`
	// Openers take a connection.
	Openers []Opener `json:"openers,omitempty"`
}

// SlowCall names a slow function.
type SlowCall struct {
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
