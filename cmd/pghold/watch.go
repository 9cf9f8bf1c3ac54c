package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/recording"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/screen"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/tap"
	"github.com/pghold/pghold/internal/pg/connstring"
)

type watchCmd struct {
	File string `arg:"" optional:"" name:"recording" help:"Show a recording that --record made."`

	Listen string `placeholder:"ADDRESS" help:"Listen here (HOST:PORT, or a folder for a Unix socket) and pass connections on to the server: the app's connection string gets this host and port, and keeps the rest." group:"Source:"`
	DSN    string `name:"dsn" placeholder:"URL" help:"The server. Also PGHOLD_DSN or DATABASE_URL. With --listen, apps are passed on to its host and port, with its TLS settings, and log in as who they are; only if it names a user, that role asks the server beside who waits for a lock. Without, its database is sampled." group:"Source:"`

	Interval time.Duration `default:"100ms" help:"How far apart samples are. Without --listen, a gap that is shorter may not be seen." group:"Source:"`

	TLSCert string `name:"tls-cert" type:"path" placeholder:"FILE" help:"A certificate, for apps that ask for TLS." group:"Source:"`
	TLSKey  string `name:"tls-key" type:"path" placeholder:"FILE" help:"Its key." group:"Source:"`
	Beyond  bool   `name:"listen-beyond-loopback" help:"Let --listen name an address that other machines reach." group:"Source:"`

	Once     bool          `help:"Take one sample, and end: who is idle in a transaction now. Not with --listen." group:"Output:"`
	For      time.Duration `placeholder:"DURATION" help:"End after this time. By default it goes on until Ctrl-C." group:"Output:"`
	JSON     bool          `name:"json" help:"Print the ledger as one JSON document at the end, and nothing else on standard output." group:"Output:"`
	Record   string        `type:"path" placeholder:"FILE" help:"Keep each transaction in this new file, for \"pghold watch FILE\"." group:"Output:"`
	Metrics  string        `placeholder:"ADDRESS" help:"Serve /metrics for Prometheus here, with a histogram of gaps." group:"Output:"`
	FailOver string        `placeholder:"CLASS>DURATION" help:"Exit with 3 where this was so, as in 'silent>2s'. CLASS is silent, a gap in a transaction; aborted, a gap after an error in it; or transaction, the whole of one." group:"Output:"`
}

func (watchCmd) Help() string {
	return `Shows who holds this Postgres in a transaction without using it, for an app in any language: how long transactions are idle, after which statement, on how many connections. What is held outside of a transaction looks to the server like a connection in a pool, and is not seen.

Without --listen it samples pg_stat_activity ten times a second: nothing is changed or installed, and gaps are bounded from below and above. As the app's own role it needs no grant. What the samples did not see is told by the server's own counter (PostgreSQL 14 and later).

With --listen it is exact: bytes are passed on unchanged, and each gap is measured between two messages. A statement that waits for a lock is the same on the wire as one that runs: if --dsn names a user, the server is asked as that role, while statements run, which of them wait. The ledger groups gaps by application_name, user, database, client address, the statement before the gap without its values, and the route that a comment in it names (sqlcommenter's /*route='/checkout'*/ or marginalia's /*controller:users,action:show*/).

The server may be away at the start, which is said, and come later.

On a terminal the screen is refreshed every two seconds; elsewhere there is a line every ten. Ctrl-C ends it, and shows the whole; the exit status is 0 then, and 130 where --for was to end it.

Examples:
  pghold watch --dsn "$DATABASE_URL"
  pghold watch --dsn "$DATABASE_URL" --once --json
  pghold watch --listen 127.0.0.1:6432 --dsn postgres://db.example:5432?sslmode=require
  pghold watch --listen 127.0.0.1:6432 --dsn "$DATABASE_URL" --for 60s --json > ledger.json
  pghold watch --listen 127.0.0.1:6432 --dsn "$DATABASE_URL" --for 60s --fail-over 'silent>2s'
  pghold watch --listen 127.0.0.1:6432 --dsn "$DATABASE_URL" --record monday.watch --metrics 127.0.0.1:9187
  pghold watch monday.watch
  pghold watch --listen /tmp --dsn "$DATABASE_URL"      # psql -h /tmp -p 5432`
}

func (c *watchCmd) Run(ctx context.Context, s streams) (failed error) {
	over, err := parseFailOver(c.FailOver)
	if err != nil {
		return usage(err)
	}
	if err := c.check(); err != nil {
		return usage(err)
	}
	if c.File != "" {
		return c.replay(s, over)
	}
	cc, err := c.server()
	if err != nil {
		return err
	}
	began := time.Now()
	ledger := watch.New(began)
	open := func(ctx context.Context, s streams, cc *pgx.ConnConfig, ledger *watch.Ledger) (*source, error) {
		return sampler(ctx, s, cc, ledger, c.Interval, c.Once)
	}
	if c.Listen != "" {
		open = c.tap
	}
	from, err := open(ctx, s, cc, ledger)
	if err != nil {
		return err
	}
	defer from.stop()
	out, err := c.outputs(s, ledger, from.title, began)
	if err != nil {
		return err
	}
	defer out.close()

	served := make(chan error, 1)
	go func() { served <- from.run() }()
	var ended error
	if c.Once {
		ended = <-served
	} else {
		ended = c.show(ctx, s, ledger, from, served)
	}
	from.stop() // all that was open is counted
	return c.conclude(s, ledger.Report(time.Now()), from.note(), out, ended, over)
}

// check looks at what does not go together.
func (c *watchCmd) check() error {
	switch {
	case c.For < 0:
		return fmt.Errorf("--for must not be below zero, and is %s", c.For)
	case c.Interval < 10*time.Millisecond:
		return fmt.Errorf("--interval must be 10ms or more, and is %s", c.Interval)
	case c.File != "" && (c.Listen != "" || c.Record != "" || c.Metrics != "" || c.For != 0 || c.Once):
		return errors.New("a recording is shown as it is: --listen, --record, --metrics, --for and --once are for a server")
	case c.Once && c.Listen != "":
		return errors.New("--once takes one sample of the server, and --listen takes none: use --for 60s")
	case c.Once && c.For != 0:
		return errors.New("--once and --for do not go together")
	case c.Listen == "" && (c.TLSCert != "" || c.TLSKey != "" || c.Beyond):
		return errors.New("--tls-cert, --tls-key and --listen-beyond-loopback are about apps that connect here: add --listen")
	}
	return nil
}

// server is where the connection string leads.
func (c *watchCmd) server() (*pgx.ConnConfig, error) {
	dsn, from := postgresFlags{c.DSN}.dsn()
	if dsn == "" {
		return nil, usage(errors.New("name the server with --dsn, PGHOLD_DSN or DATABASE_URL; with --listen 127.0.0.1:6432 an app can connect through here, and nothing is sampled"))
	}
	cc, err := connstring.Parse(dsn)
	if err != nil {
		return nil, usage(fmt.Errorf("%s: %w", from, err))
	}
	if c.Listen != "" && cc.ValidateConnect != nil {
		return nil, usage(fmt.Errorf("%s has target_session_attrs: the tap has no session of its own to ask with; name the one server", from))
	}
	return cc, nil
}

// source fills a ledger.
type source struct {
	title string
	run   func() error  // until stop; may be called once
	stop  func()        // may be called again
	note  func() string // what went wrong meanwhile, if anything
}

// tap passes connections on.
func (c *watchCmd) tap(ctx context.Context, s streams, cc *pgx.ConnConfig, ledger *watch.Ledger) (*source, error) {
	certificate, err := c.certificate()
	if err != nil {
		return nil, usage(err)
	}
	listener, err := c.listen()
	if err != nil {
		return nil, err
	}
	if connectsToItself(listener.Addr(), cc) {
		listener.Close()
		return nil, usage(fmt.Errorf("--listen and --dsn are the same, %s: the tap would connect to itself", listener.Addr()))
	}
	t := tap.New(tap.Config{Server: &cc.Config, Ledger: ledger, TLS: certificate, Log: s.log})
	title := fmt.Sprintf("%s → %s", listener.Addr(), net.JoinHostPort(cc.Host, fmt.Sprint(cc.Port)))
	asking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var locks sync.WaitGroup
	if connstring.NamesUser(cc.ConnString()) {
		beside := activity.NewLocks(activity.Config{Server: cc, Ledger: ledger, Interval: c.Interval, Log: s.log})
		locks.Go(func() { beside.Run(asking) })
	}
	run := func() error {
		fmt.Fprintf(s.err, "Passing %s: %s\n", printable.Line(title), connectHere(listener.Addr()))
		if !c.loopback(listener) {
			fmt.Fprintln(s.err, "Whoever reaches this address reaches the server as if from here: what pg_hba.conf lets in from this machine (trust, peer, ident) is open to them.")
		}
		t.Try() // a mistake in --dsn is told now, and not when an app comes
		return t.Serve(listener)
	}
	stop := func() {
		listener.Close()
		t.Close()
		cancel()
		locks.Wait()
	}
	return &source{title, run, stop, t.Trouble}, nil
}

// connectsToItself reports whether a tap that listens there would, with one of the
// server's addresses. What names and other machines' ports lead to is not asked: the tap
// itself sees that, when it comes.
func connectsToItself(at net.Addr, cc *pgx.ConnConfig) bool {
	leadsTo := func(host string, port uint16) bool {
		network, address := pgconn.NetworkAddress(host, port)
		if network == "unix" {
			return at.Network() == network && sameFile(at.String(), address)
		}
		tcp, ok := at.(*net.TCPAddr)
		if !ok || tcp.Port != int(port) {
			return false
		}
		if host == "localhost" {
			return reaches(tcp.IP, net.IPv4(127, 0, 0, 1)) || reaches(tcp.IP, net.IPv6loopback)
		}
		return reaches(tcp.IP, net.ParseIP(host))
	}
	return leadsTo(cc.Host, cc.Port) || slices.ContainsFunc(cc.Fallbacks, func(f *pgconn.FallbackConfig) bool { return leadsTo(f.Host, f.Port) })
}

// reaches reports whether who connects to an address reaches who listens at another.
func reaches(listens, to net.IP) bool {
	switch {
	case to == nil: // a name
		return false
	case to.IsUnspecified(): // the system takes loopback for it
		return listens.IsUnspecified() || listens.IsLoopback()
	case !listens.IsUnspecified():
		return listens.Equal(to)
	case to.IsLoopback():
		return true
	}
	own, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(own, func(a net.Addr) bool {
		at, ok := a.(*net.IPNet)
		return ok && at.IP.Equal(to)
	})
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// sampler asks the server, once or until it is stopped.
func sampler(ctx context.Context, s streams, cc *pgx.ConnConfig, ledger *watch.Ledger, interval time.Duration, once bool) (*source, error) {
	from, err := activity.Connect(ctx, activity.Config{Server: cc, Ledger: ledger, Interval: interval, Log: s.log})
	if err != nil {
		return nil, unreachable(cc, err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.Mutex // held while it samples
	run := func() error {
		running.Lock()
		defer running.Unlock()
		switch {
		case ctx.Err() != nil:
		case once:
			return from.Sample(ctx)
		default:
			from.Run(ctx)
		}
		return nil
	}
	stop := func() {
		cancel()
		running.Lock()
		defer running.Unlock()
		from.Close(context.WithoutCancel(ctx))
	}
	title := fmt.Sprintf("database %s of %s", cc.Database, net.JoinHostPort(cc.Host, fmt.Sprint(cc.Port)))
	return &source{title, run, stop, func() string { return "" }}, nil
}

// conclude shows the whole, and says how it ends.
func (c *watchCmd) conclude(s streams, r *watch.Report, note string, out *outputs, ended error, over failOver) error {
	if err := out.end(r); err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	var err error
	if c.JSON {
		err = writeReport(s.out, r)
	} else {
		o := screen.Options{Width: terminalWidth(s.out), Title: "In all:", Note: note, Final: true, Rows: 20}
		if c.Once {
			o.Title, o.Once = "Now:", true
		}
		err = screen.Write(s.out, r, o)
	}
	if err != nil {
		return err
	}
	if ended != nil && !errors.Is(ended, errInterrupted) {
		return ended
	}
	if what := over.found(r); what != "" {
		fmt.Fprintf(s.err, "pghold: --fail-over: %s\n", what)
		return errFound
	}
	return ended
}

// replay shows a recording.
func (c *watchCmd) replay(s streams, over failOver) error {
	file, err := os.Open(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no recording %s (a server is named with --dsn)", c.File)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	rec, err := recording.Read(file, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if rec.CutOff {
		fmt.Fprintln(s.err, "The recording has no end: it shows the transactions that are in it, and nothing of what ran outside of them.")
	}
	if rec.Dropped > 0 {
		fmt.Fprintf(s.err, "The file was too slow for %d transactions, which are not in it; the sums have them.\n", rec.Dropped)
	}
	if !c.JSON {
		fmt.Fprintf(s.out, "%s from %s\n", printable.Line(rec.Source), rec.Report.From.Local().Format(time.DateTime))
	}
	return c.conclude(s, rec.Report, "", &outputs{}, nil, over)
}

const (
	screenEvery = 2 * time.Second
	lineEvery   = 10 * time.Second
)

// show shows the ledger as it grows, until it is time to end.
func (c *watchCmd) show(ctx context.Context, s streams, ledger *watch.Ledger, from *source, served <-chan error) error {
	width := terminalWidth(s.out)
	every := lineEvery
	if width > 0 {
		every = screenEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var over <-chan time.Time
	if c.For > 0 {
		timer := time.NewTimer(c.For)
		defer timer.Stop()
		over = timer.C
	}
	for {
		select {
		case <-ctx.Done():
			if width > 0 {
				fmt.Fprintln(s.out) // below the ^C
			}
			if c.For == 0 { // nothing else ends it
				return nil
			}
			return errInterrupted
		case <-over:
			return nil
		case err := <-served:
			return err
		case now := <-tick.C:
			r := ledger.Report(now)
			switch {
			case c.JSON: // standard output has the document, and nothing else
				fmt.Fprintln(s.err, screen.Line(r))
			case width > 0:
				var page strings.Builder
				screen.Write(&page, r, screen.Options{Width: width, Height: terminalHeight(s.out), Title: now.Format(time.TimeOnly) + "  " + printable.Line(from.title), Note: from.note()})
				io.WriteString(s.out, "\x1b[H\x1b[2J"+page.String()) // from the top of an empty screen
			default:
				fmt.Fprintln(s.out, now.Format(time.TimeOnly)+"  "+screen.Line(r))
			}
		}
	}
}

// writeReport writes a ledger as a document of JSON.
func writeReport(w io.Writer, r *watch.Report) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(printable.JSON(b), '\n'))
	return err
}

// certificate is what apps that ask for TLS are shown; nil for none.
func (c *watchCmd) certificate() (*tls.Config, error) {
	switch {
	case c.TLSCert == "" && c.TLSKey == "":
		return nil, nil
	case c.TLSCert == "" || c.TLSKey == "":
		return nil, errors.New("--tls-cert and --tls-key go together")
	}
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"postgresql"}}, nil
}

// socketPrefix begins the name of what Postgres' clients look for in a folder; the port
// ends it.
const socketPrefix = ".s.PGSQL."

func (c *watchCmd) listen() (net.Listener, error) {
	if strings.ContainsRune(c.Listen, filepath.Separator) {
		l, err := listenUnix(c.Listen)
		if err != nil {
			return nil, fmt.Errorf("--listen: %w", err)
		}
		return l, nil
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w: name another address, as HOST:PORT", err)
	}
	if !c.Beyond && !c.loopback(l) {
		l.Close()
		return nil, usage(fmt.Errorf("--listen %s is reached by other machines, which then reach the server as if from here: name 127.0.0.1, or add --listen-beyond-loopback", c.Listen))
	}
	return l, nil
}

// listenUnix listens in a folder, or on a socket there that is named as clients look for it.
func listenUnix(path string) (net.Listener, error) {
	path, err := filepath.Abs(path) // clients take no other
	if err != nil {
		return nil, err
	}
	folder := path
	if strings.HasPrefix(filepath.Base(path), socketPrefix) {
		folder = filepath.Dir(path)
	} else {
		path = filepath.Join(path, socketPrefix+"5432")
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("there is no folder %s: make it, or name another", folder)
	}
	// Of a process that was killed, the socket is left.
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		other, err := net.DialTimeout("unix", path, time.Second)
		switch {
		case err == nil:
			other.Close()
			return nil, fmt.Errorf("a server or another tap listens at %s: name another folder", path)
		case errors.Is(err, syscall.ECONNREFUSED):
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
	}
	return net.Listen("unix", path)
}

func (c *watchCmd) loopback(l net.Listener) bool {
	return l.Addr().Network() == "unix" || !beyondLoopback(l.Addr())
}

// connectHere says what to change in an app's connection string.
func connectHere(a net.Addr) string {
	if a.Network() == "unix" {
		folder, name := filepath.Split(a.String())
		return fmt.Sprintf("give the app's connection string host=%s port=%s, and keep the rest.", filepath.Clean(folder), strings.TrimPrefix(name, socketPrefix))
	}
	host, port, _ := net.SplitHostPort(a.String())
	if a.(*net.TCPAddr).IP.IsUnspecified() {
		return fmt.Sprintf("give the app's connection string this machine's address and the port %s, and keep the rest.", port)
	}
	return fmt.Sprintf("give the app's connection string the host %s and the port %s, and keep the rest.", host, port)
}
