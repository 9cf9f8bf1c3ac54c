package main

import (
	"fmt"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// settingsFlags are the experiment's settings, which all verbs that ask its
// question share.
type settingsFlags struct {
	Asked experiment.Settings `embed:"" group:"Settings:"` // named, so that a verb has none of its methods

	Bouncer     bool `name:"pgbouncer" help:"Put a PgBouncer in front of Postgres, in transaction mode." group:"Settings:"`
	BouncerSize int  `name:"pgbouncer-size" default:"5" help:"Its server connections." group:"Settings:"`
}

func (f settingsFlags) settings() (experiment.Settings, error) {
	s := f.Asked
	if f.Bouncer {
		if s.PgBouncer = f.BouncerSize; s.PgBouncer < 1 {
			return s, usage(fmt.Errorf("--pgbouncer-size must be above zero, not %d", f.BouncerSize))
		}
	}
	return s, usage(s.Check())
}
