package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
)

type serveCmd struct {
	Addr string `default:"127.0.0.1:8080" help:"Address to listen on. The routes ask for no password: beyond loopback, whoever reaches it can call them."`

	settingsFlags
	postgresFlags
}

func (serveCmd) Help() string {
	return `All routes share one pool and one set of threads, as in one process of a service. --rate, --duration and --client-timeout are the load generator's business here; they only appear in the line printed for it.

Examples:
  pghold serve
  pghold serve --addr 127.0.0.1:9000 --pool-size 20 --max-overflow 0 --slow 500ms`
}

// serveApplication is the application_name of the app's connections.
const serveApplication = "pghold serve"

func (c *serveCmd) Run(ctx context.Context, s streams) (failed error) {
	settings, err := c.settings()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("%w: name another address with --addr", err)
	}
	defer listener.Close()
	if beyondLoopback(listener.Addr()) {
		fmt.Fprintf(s.err, "Listening on %s, beyond loopback: whoever can reach it can call the routes, which ask for no password and write into the database.\n", listener.Addr())
	}
	db, err := c.open(ctx, s, settings.ServerConnections())
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer func() {
		if err := db.close(); err != nil && failed == nil {
			failed = fmt.Errorf("cleaning up: %w", err)
		}
	}()
	service, err := lab.StartService(ctx, db.Database, settings, serveApplication, db.bouncer(s))
	if err != nil {
		return err
	}
	defer func() {
		if err := service.Close(); err != nil && failed == nil {
			failed = fmt.Errorf("cleaning up: %w", err)
		}
	}()

	server := newServer(service)
	defer server.Close()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	c.ready(s, "http://"+listener.Addr().String(), settings, db)

	select {
	case <-ctx.Done():
		return nil
	case <-db.gone():
		return errors.New("the Postgres server has ended")
	case err := <-served:
		return err
	}
}

// headerTimeout is how long a client may take to send a request's header.
const headerTimeout = 10 * time.Second

func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ErrorLog: log.New(io.Discard, "", 0)}
}

// beyondLoopback reports whether other machines may reach the address.
func beyondLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return !ok || !tcp.IP.IsLoopback()
}

// ready prints what can be done now.
func (c *serveCmd) ready(s streams, base string, settings experiment.Settings, db *database) {
	w := settings.Compressed()
	fmt.Fprintf(s.out, "Serving on %s with %s of %d+%d connections, Postgres %s\n\n", base, settings.Pool, settings.PoolSize, settings.MaxOverflow, printable.Line(db.Version))
	for _, r := range experiment.Routes {
		fmt.Fprintf(s.out, "  %-4s %-38s %s\n", r.Method(), r.Path(), r.Summary)
	}
	fmt.Fprintf(s.out, `
Attack a route, in another terminal:
  echo "GET %s%s" | vegeta attack -duration=%s -rate=%v -timeout=%s | vegeta report

Look at its connections meanwhile:
  %s -c "select pid, state, now() - state_change as since, left(query, 50) from pg_stat_activity where application_name = '%s'"

Ctrl-C ends it.
`, base, "/async_session_sleep_inside_session", w.Duration, w.Rate, w.ClientTimeout, printable.Quote(db.psql), serveApplication)
}
