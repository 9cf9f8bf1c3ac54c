package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/pg/connstring"
	"github.com/pghold/pghold/internal/pg/pgtemp"
)

// postgresFlags say where Postgres comes from.
type postgresFlags struct {
	DSN string `name:"dsn" placeholder:"URL" help:"Use this Postgres instead of starting a throwaway one; a schema is made there and dropped at the end. Also PGHOLD_DSN or DATABASE_URL. Everybody on this machine can read a password in --dsn in the list of processes: leave it out there, and set PGPASSWORD, or have it in ~/.pgpass or in the file that PGPASSFILE names." group:"Postgres:"`
}

// dsn returns the connection string and where it was found, or nothing. It may be
// SQLAlchemy's, with the name of a driver, as services in Python have it.
func (f postgresFlags) dsn() (dsn, source string) {
	for _, found := range []struct{ dsn, source string }{
		{f.DSN, "--dsn"},
		{os.Getenv("PGHOLD_DSN"), "PGHOLD_DSN"},
		{os.Getenv("DATABASE_URL"), "DATABASE_URL"},
	} {
		if found.dsn != "" {
			return connstring.WithoutDriver(found.dsn), found.source
		}
	}
	return "", ""
}

var errStrayAddress = errors.New("an argument looks like a connection string, or like a part of one: give the whole of it to --dsn, in quotes")

// strayAddress reports whether a connection string, or a part of one that the shell has
// taken off, is elsewhere than after --dsn.
func strayAddress(args []string) bool {
	forService := len(args) > 0 && args[0] == "prove" // whose --env and command may have some
	for i, arg := range args {
		if strings.HasPrefix(arg, "--dsn=") || i > 0 && args[i-1] == "--dsn" {
			continue
		}
		if forService && arg == "--" {
			return false
		}
		if forService && (strings.HasPrefix(arg, "--env=") || i > 0 && args[i-1] == "--env") {
			continue
		}
		if connstring.Like(arg) {
			return true
		}
	}
	return false
}

// unreachable is the error of a server that --dsn names.
func unreachable(cc *pgx.ConnConfig, err error) error {
	return fmt.Errorf("cannot connect to Postgres: %s: check --dsn, and that the server is up and lets this role in",
		strings.Join(strings.Fields(connstring.Hide(cc, err).Error()), " "))
}

// database is a Postgres that is ready for the lab.
type database struct {
	*lab.Database
	dsn  string
	temp *pgtemp.Server // nil where it is somebody else's
	psql string         // a command that connects to it
}

// open finds or starts a Postgres with room for so many connections of the app, and
// sets the lab's schema up.
func (f postgresFlags) open(ctx context.Context, s streams, connections int) (*database, error) {
	// From now on there is something to clean up, also where nobody reads any more what is
	// printed: then printing fails, and does not end the program. (With signal.Ignore, the
	// programs that are started would ignore it too.)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	dsn, source := f.dsn()
	if dsn != "" {
		cc, err := connstring.Parse(dsn)
		if err != nil {
			return nil, usage(fmt.Errorf("%s: %w", source, err))
		}
		fmt.Fprintf(s.err, "Postgres: %s:%d, database %s, from %s\n", cc.Host, cc.Port, cc.Database, source)
		db, err := lab.OpenDatabase(ctx, dsn, connections)
		if err != nil {
			return nil, err
		}
		for _, sentence := range db.Swept {
			fmt.Fprintln(s.err, sentence)
		}
		return &database{Database: db, dsn: dsn, psql: fmt.Sprintf("psql -h %s -p %d -U %s %s", cc.Host, cc.Port, cc.User, cc.Database)}, nil
	}

	temp, err := pgtemp.Start(ctx, pgtemp.Config{
		MaxConnections: connections + 20, // to watch, to look at with psql, and Postgres's own reserve
		Log:            s.log,
	})
	if err != nil {
		return nil, err
	}
	db, err := lab.OpenDatabase(ctx, temp.DSN(), connections)
	if err != nil {
		temp.Stop()
		return nil, err
	}
	return &database{Database: db, dsn: temp.DSN(), temp: temp, psql: temp.PsqlCommand()}, nil
}

// bouncer starts a PgBouncer in front of the database, where one is asked for.
func (d *database) bouncer(s streams) func(context.Context, int) (*lab.Bouncer, error) {
	return func(ctx context.Context, connections int) (*lab.Bouncer, error) {
		b, err := pgtemp.StartBouncer(ctx, pgtemp.BouncerConfig{DSN: d.dsn, PoolSize: connections})
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(s.err, "PgBouncer %s with %d server connections\n", b.Version(), connections)
		return &lab.Bouncer{DSN: b.DSN(), Refused: b.Refused, Stop: b.Stop}, nil
	}
}

// close leaves nothing behind.
func (d *database) close() error {
	if d.temp != nil {
		return d.temp.Stop()
	}
	return d.Database.Close()
}

// gone is closed when a throwaway Postgres has ended; never for another's.
func (d *database) gone() <-chan struct{} {
	if d.temp != nil {
		return d.temp.Done()
	}
	return nil
}
