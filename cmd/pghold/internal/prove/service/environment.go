package service

import (
	"os"
	"slices"
	"strings"
)

// elsewhere are variables of the user's own that lead elsewhere than Config.Env does,
// or that fail there: pghold's database, and of libpq's what takes precedence over
// PGHOST (a service file, PGHOSTADDR), passwords of other servers, and what asks for
// encryption, a kind of login, a kind of server or settings of the session.
// What only says how to talk (PGAPPNAME, PGTZ, PGCONNECT_TIMEOUT …) stays.
var elsewhere = []string{
	"PGHOLD_DSN", "DATABASE_URL",
	"PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE",
	"PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGPASSFILE", "PGOPTIONS",
	"PGSSLMODE", "PGREQUIRESSL", "PGSSLNEGOTIATION", "PGSSLCERT", "PGSSLKEY", "PGSSLCERTMODE",
	"PGSSLROOTCERT", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION",
	"PGGSSENCMODE", "PGKRBSRVNAME", "PGGSSLIB", "PGGSSDELEGATION",
	"PGREQUIREAUTH", "PGCHANNELBINDING", "PGREQUIREPEER", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION",
	"PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS",
}

// environment is what a command gets: ours, without what leads elsewhere, and what it
// is given. Of several with one name package exec takes the last.
func environment(given []string, marker string) []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(elsewhere, name)
	})
	return append(append(env, given...), marker)
}
