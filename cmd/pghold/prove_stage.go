package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/prove"
	"github.com/pghold/pghold/cmd/pghold/internal/prove/service"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/tap"
	"github.com/pghold/pghold/internal/pg/connstring"
	"github.com/pghold/pghold/internal/pg/pgtemp"
)

// stage is what stands around a service that is attacked: its database, a tap in front of
// that, or samples of it, and what it calls.
type stage struct {
	server   *pgx.ConnConfig
	temp     *pgtemp.Server // nil where the database is somebody else's
	version  string
	database string // in words
	ledger   *watch.Ledger
	wire     *prove.Wire
	tap      *tap.Tap // nil where sessions are sampled
	sampling func()   // ends it
	slow     *upstream.Server
	service  *service.Service // nil where it ran already
}

// open sets the stage, and starts the service.
func (c *proveCmd) open(ctx context.Context, s streams, targets []prove.Target, output string) (_ *stage, failed error) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // as in postgresFlags.open
	st := &stage{ledger: watch.New(time.Now())}
	st.wire = prove.NewWire(st.ledger)
	defer func() {
		if failed != nil {
			if err := st.close(); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%w: %w", errCleanUp, err))
			}
		}
	}()
	if err := c.find(ctx, s, st); err != nil {
		return nil, err
	}
	var addresses []string
	for _, t := range targets {
		if !slices.Contains(addresses, t.Address()) {
			addresses = append(addresses, t.Address())
		}
	}
	fmt.Fprintf(s.err, "Attacking %s; its database: %s\n", strings.Join(addresses, ", "), st.database)
	if len(c.Command) == 0 {
		return st, st.sample(ctx, s)
	}
	var err error
	if st.slow, err = c.upstream(); err != nil {
		return nil, err
	}
	slow := ""
	if st.slow != nil {
		slow = st.slow.URL()
	}
	if c.Setup != "" {
		if err := c.setup(ctx, s, st, slow, filepath.Join(filepath.Dir(output), rundir.SetupFile)); err != nil {
			return nil, err
		}
	}
	var leads service.Database
	if st.tap, leads, err = st.newTap(s, st.ledger); err != nil {
		return nil, err
	}
	env, err := leads.Env(c.Env, slow)
	if err != nil {
		return nil, usage(err)
	}
	st.service, err = service.Start(ctx, service.Config{
		Command: c.Command, Env: env, Output: output, Ready: c.Ready, Listens: addresses, Within: c.ReadyWithin, Log: s.log,
	})
	return st, err
}

// find starts a database, or finds the one that was named.
func (c *proveCmd) find(ctx context.Context, s streams, st *stage) (err error) {
	dsn, source := c.DSN, "--dsn"
	if dsn == "" {
		if st.temp, err = pgtemp.Start(ctx, pgtemp.Config{MaxConnections: 500, Log: s.log}); err != nil {
			return err
		}
		dsn, source = st.temp.DSN(), "the throwaway Postgres"
	}
	if st.server, err = connstring.Parse(dsn); err != nil {
		return usage(fmt.Errorf("%s: %w", source, err))
	}
	conn, err := st.connect(ctx)
	if err != nil {
		return unreachable(st.server, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var tables int
	err = conn.QueryRow(ctx, `select split_part(current_setting('server_version'), ' ', 1),
		(select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
		 where c.relkind in ('r', 'p', 'v', 'm') and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema')`).Scan(&st.version, &tables)
	if err != nil {
		return fmt.Errorf("asking Postgres for its version: %w", err)
	}
	st.database = "a throwaway Postgres " + st.version
	if st.temp == nil {
		st.database = fmt.Sprintf("database %s on %s, Postgres %s", printable.Line(st.server.Database), net.JoinHostPort(st.server.Host, fmt.Sprint(st.server.Port)), st.version)
	}
	if c.SetupOnDSN && tables > 0 {
		return fmt.Errorf("database %s has %d tables and views: --setup runs on an empty database only; make one with createdb, and name it with --dsn", printable.Line(st.server.Database), tables)
	}
	return nil
}

func (st *stage) connect(ctx context.Context) (*pgx.Conn, error) {
	cc := st.server.Copy()
	if cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = 10 * time.Second
	}
	cc.RuntimeParams["application_name"] = "pghold prove"
	return pgx.ConnectConfig(ctx, cc)
}

// newTap puts a tap in front of the database, and says how it is reached through it.
func (st *stage) newTap(s streams, ledger *watch.Ledger) (*tap.Tap, service.Database, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, service.Database{}, err
	}
	t := tap.New(tap.Config{Server: &st.server.Config, Ledger: ledger, Log: func(line string) { s.log("tap: " + line) }})
	go t.Serve(l)
	at := l.Addr().(*net.TCPAddr)
	return t, service.Database{Host: at.IP.String(), Port: at.Port, User: st.server.User, Password: st.server.Password, Name: st.server.Database}, nil
}

// setup fills the database: through a tap of its own, which speaks to the server as its
// connection string says (TLS, a Unix socket), and counts nothing of the service's.
func (c *proveCmd) setup(ctx context.Context, s streams, st *stage, slow, output string) error {
	t, leads, err := st.newTap(s, watch.New(time.Now()))
	if err != nil {
		return err
	}
	defer t.Close()
	env, err := leads.Env(c.Env, slow)
	if err != nil {
		return usage(err)
	}
	err = service.Run(ctx, service.Config{Command: shell(c.Setup), Env: env, Output: output, Log: s.log})
	if err != nil {
		return fmt.Errorf("--setup: %w", err)
	}
	return nil
}

// sample has the sessions of the database sampled.
func (st *stage) sample(ctx context.Context, s streams) error {
	from, err := sampler(ctx, s, st.server, st.ledger, activity.DefaultInterval, false)
	if err != nil {
		return err
	}
	go from.run()
	st.sampling = from.stop
	return nil
}

// ended is closed when the service has ended; never where it ran already.
func (st *stage) ended() <-chan struct{} {
	if st.service == nil {
		return nil
	}
	return st.service.Done()
}

// hasEnded says how the service has ended, where it has. It looks after the service did not
// answer: a process that ends has closed its connections a moment before.
func (st *stage) hasEnded() error {
	select {
	case <-st.ended():
		return st.service.Err()
	case <-time.After(5 * time.Second):
		return nil
	}
}

// explain adds to what a target answered what may explain it: what the service printed, and
// that it did not come for its database.
func (st *stage) explain(err error) error {
	if st.service == nil || st.service.Err() != nil {
		return err
	}
	if st.ledger.Report(time.Now()).SessionsAll == 0 {
		err = fmt.Errorf("%w. No connection has come over the tap so far: if the service reads its database's address elsewhere than in DATABASE_URL and PGHOST and the like, give it with --env", err)
	}
	return fmt.Errorf("%w. Of the service, %s", err, st.service.Printed())
}

// end ends the service and the tap, and asks the server what it counted.
func (st *stage) end(ctx context.Context, sv *experiment.Service) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var err error
	if st.service != nil {
		err = st.service.Stop()
	}
	if st.tap != nil {
		st.tap.Close()
	}
	r := st.ledger.Report(time.Now())
	silent := r.Inside.Silent + r.Inside.Aborted
	sv.SilentInTransaction = experiment.Seconds(silent)
	if st.temp != nil {
		sv.CountedByServer = st.counted(ctx)
	}
	return err
}

// counted is what the server has counted of the time in which its sessions were idle in
// transaction, once those have ended; nil where it does not say.
func (st *stage) counted(ctx context.Context) *experiment.Seconds {
	conn, err := st.connect(ctx)
	if err != nil {
		return nil
	}
	defer conn.Close(ctx)
	for {
		var others int
		err := conn.QueryRow(ctx, `select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`).Scan(&others)
		if err != nil {
			return nil
		}
		if others == 0 {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
	time.Sleep(activity.CounterDelay(st.version))
	var ms float64
	if err := conn.QueryRow(ctx, `select sum(idle_in_transaction_time) from pg_stat_database`).Scan(&ms); err != nil {
		return nil // before PostgreSQL 14
	}
	counted := experiment.Seconds(ms * float64(time.Millisecond))
	return &counted
}

// close ends all that is left of the stage.
func (st *stage) close() (err error) {
	if st.service != nil {
		err = st.service.Stop()
	}
	if st.tap != nil {
		st.tap.Close()
	}
	if st.sampling != nil {
		st.sampling()
		st.sampling = nil
	}
	if st.slow != nil {
		st.slow.Close()
		st.slow = nil
	}
	if st.temp != nil {
		err = errors.Join(err, st.temp.Stop())
	}
	return err
}

// shell is the command of a line for a shell.
func shell(line string) []string { return []string{"/bin/sh", "-c", line} }
