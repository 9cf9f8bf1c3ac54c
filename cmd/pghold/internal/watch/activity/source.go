package activity

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// DefaultInterval is how far apart samples are, and so the bounds of a gap: of half a
// second, they are a fifth of it. With 200 sessions that takes 0.8 % of a core here, and of
// one at the server 0.7 % to 1.9 %, the latter where each session's last statement is
// long and in a gap (go test -bench Source: 0.3 ms and 0.5 ms to 1.3 ms a sample, and as
// much again for waking up). A second would be a tenth of that, and miss half of
// such gaps.
const DefaultInterval = 100 * time.Millisecond

// Config says what a Source samples, and who is told.
type Config struct {
	// Server is from pgx.ParseConfig. Sessions of its database are sampled: the server's
	// own counter is one of a database.
	Server   *pgx.ConnConfig
	Ledger   *watch.Ledger
	Interval time.Duration // the default is DefaultInterval
	// Log is told what is sampled and what went wrong, a line each. By default nothing is.
	Log func(line string)
}

// Source fills a ledger from samples of pg_stat_activity, over one connection, on which
// nothing is open between two samples.
type Source struct {
	cfg     Config
	conn    *pgx.Conn // nil while there is none
	mode    pgx.QueryExecMode
	server  server
	sql     string
	made    *reconstruction // nil before the first sample
	counter counter
	asked   time.Time // when the counter was
	taken   sample    // the last; its rows are reused
	wire    wire
	names   names

	// What was told, and is not told again.
	failing, blind, untracked bool

	took func() // for tests: called after each sample of Run; nil for nobody
}

// server is what does not change while there is a connection.
type server struct {
	version     string
	number      int // 150018
	database    string
	databaseOID uint32
	role        string
	textSize    int       // track_activity_query_size
	started     time.Time // the server
}

const serverSQL = `
select current_setting('server_version'), current_setting('server_version_num')::int,
       current_database(), (select oid from pg_database where datname = current_database()), current_user,
       pg_size_bytes(current_setting('track_activity_query_size'))::int, pg_postmaster_start_time()`

// Connect makes a Source, with its connection. Close ends it.
func Connect(ctx context.Context, cfg Config) (*Source, error) {
	cfg.Interval = cmp.Or(cfg.Interval, DefaultInterval)
	if cfg.Log == nil {
		cfg.Log = func(string) {}
	}
	cfg.Server = cfg.Server.Copy()
	s := &Source{cfg: cfg, names: names{}}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	line := fmt.Sprintf("Sampling the sessions of database %q on PostgreSQL %s as role %q, every %v",
		s.server.database, printable.Line(s.server.version), s.server.role, cfg.Interval)
	if s.server.number < counterSince {
		line += "; before PostgreSQL 14 the server does not count idle time in transactions, so what is not seen is not known"
	}
	cfg.Log(line)
	return s, nil
}

// Close ends the connection.
func (s *Source) Close(ctx context.Context) error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close(ctx)
}

func (s *Source) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, pooled, err := connect(ctx, s.cfg.Server)
	if err != nil {
		return err
	}
	var is server
	err = conn.QueryRow(ctx, serverSQL, execMode(pooled)).Scan(&is.version, &is.number, &is.database, &is.databaseOID, &is.role, &is.textSize, &is.started)
	if err != nil {
		conn.Close(ctx)
		return fmt.Errorf("asking the server what it is: %w", err)
	}
	if s.made != nil && !is.started.Equal(s.server.started) {
		// Another start, maybe of another server: with it begins another clock.
		s.made.restarted(time.Now())
		s.made, s.counter = nil, counter{all: s.counter.all}
	}
	s.conn, s.mode, s.server = conn, execMode(pooled), is
	s.sql = fmt.Sprintf(sourceSQL, "null::float8")
	if is.number >= counterSince {
		s.sql = fmt.Sprintf(sourceSQL, "pg_stat_get_db_idle_in_transaction_time(datid)")
	}
	return nil
}

const (
	// connectTimeout is how long a connection may take.
	connectTimeout = 15 * time.Second
	// sampleTimeout is how long a sample may take: the server's own statement_timeout does
	// not help where the network is lost.
	sampleTimeout = 10 * time.Second
	// maxPause is how long the pause before another attempt gets.
	maxPause = 5 * time.Second
)

// Run samples until the context ends.
func (s *Source) Run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Interval)
	defer tick.Stop()
	for {
		if s.conn == nil && !s.reconnect(ctx) {
			return
		}
		limited, cancel := context.WithTimeout(ctx, sampleTimeout)
		err := s.Sample(limited)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			s.failing = false
			if s.took != nil {
				s.took()
			}
		case s.conn.IsClosed():
			s.conn = nil
			s.cfg.Log("the connection to the server is lost: " + printable.Line(err.Error()))
			continue
		case !s.failing:
			s.failing = true
			s.cfg.Log("reading pg_stat_activity: " + printable.Line(err.Error()))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// reconnect tries until there is a connection, with longer and longer pauses. It returns
// false when the context ends.
func (s *Source) reconnect(ctx context.Context) bool {
	for pause := s.cfg.Interval; ; pause = min(2*pause, maxPause) {
		if s.connect(ctx) == nil {
			s.cfg.Log("the server is reached again")
			return true
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
	}
}

// Each sample is one statement outside of a transaction: within one, pg_stat_activity and
// now() stand still. The server reads all sessions before there is a first row: so
// statement_timestamp() is before, and clock_timestamp() after it has. This session's row
// has what there is once.
//
// Only a session in a gap has its statement's text sent, and only while the gap is
// young: $2 is a second before the last sample. With 200 sessions in gaps that halves
// what a sample costs here (BenchmarkSource). The function below the view
// (pg_stat_get_activity) would cost no less.
//
// A function call by the protocol's own message has no query_start: the server leaves
// there that of the statement before. Of sessions of other roles a role without a grant
// sees no backend_type, and nothing more than that they are there.
const sourceSQL = `
select pid, case when pid = pg_backend_pid() then statement_timestamp() end,
       case when pid = pg_backend_pid() then clock_timestamp() end,
       case when pid = pg_backend_pid() and $3 then %s end,
       backend_start, coalesce(state, ''),
       case when state in ('active', 'fastpath function call') then wait_event_type || '.' || wait_event end,
       state_change, case when state <> 'fastpath function call' then query_start end, xact_start,
       application_name, usename, host(client_addr),
       case when state in ('idle in transaction', 'idle in transaction (aborted)') and state_change > $2 then query end
from pg_stat_activity
where datid = $1 and usesysid is not null and coalesce(backend_type, 'client backend') = 'client backend'`

// counterSince is the first version that counts.
const counterSince = 140000

// wire is a row as it comes. Its bytes are the connection's.
type wire struct {
	pid                              uint32
	before, after                    pgtype.Timestamptz
	counter                          pgtype.Float8
	start, change, query, xact       pgtype.Timestamptz
	state, wait                      pgtype.DriverBytes
	application, user, address, text pgtype.DriverBytes
}

// Sample takes one sample. Run does that again and again.
func (s *Source) Sample(ctx context.Context) error {
	sent := time.Now()
	ask := s.server.number >= counterSince && sent.Sub(s.asked) >= time.Second
	rows, err := s.conn.Query(ctx, s.sql, s.mode, s.server.databaseOID, s.taken.before.Add(-time.Second), ask)
	if err != nil {
		return err
	}
	defer rows.Close()
	var (
		w             = &s.wire
		before, after time.Time
		counter       pgtype.Float8
		hidden        map[string]bool // roles
		visible, all  int
	)
	s.taken.rows = s.taken.rows[:0]
	for rows.Next() {
		err := rows.Scan(&w.pid, &w.before, &w.after, &w.counter, &w.start, &w.state, &w.wait,
			&w.change, &w.query, &w.xact, &w.application, &w.user, &w.address, &w.text)
		if err != nil {
			return err
		}
		if w.before.Valid {
			before, after, counter = w.before.Time, w.after.Time, w.counter
			continue
		}
		all++
		if !w.start.Valid {
			if hidden == nil {
				hidden = map[string]bool{}
			}
			hidden[string(w.user)] = true
			continue
		}
		visible++
		state := classify(s.names.of(w.state), s.names.of(w.wait))
		if state == Unknown {
			if string(w.state) == "disabled" && !s.untracked { // else it is just starting
				s.untracked = true
				s.cfg.Log("the server does not say what some sessions do: track_activities is off in these")
			}
			continue
		}
		s.taken.rows = append(s.taken.rows, row{
			id: identity{w.start.Time.UnixMicro(), w.pid},
			client: watch.Client{
				PID: w.pid, Application: s.names.of(w.application), User: s.names.of(w.user),
				Database: s.server.database, Address: cmp.Or(s.names.of(w.address), "local"),
			},
			state: state, change: w.change.Time, query: w.query.Time, xact: w.xact.Time,
			text: bytes.Clone(w.text),
			// A character of several bytes is left out where not all of them fit.
			cut: len(w.text) > s.server.textSize-1-utf8.UTFMax,
		})
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if before.IsZero() {
		return errors.New("this session is not in it")
	}
	s.taken.before, s.taken.after = before, after

	if s.made == nil {
		s.made = newReconstruction(s.cfg.Ledger, before, sent)
	}
	s.made.take(&s.taken)
	if counter.Valid {
		s.asked = sent
		s.cfg.Ledger.Counted(s.counter.grown(time.Duration(counter.Float64 * float64(time.Millisecond))))
	}
	if hidden != nil && !s.blind {
		s.blind = true
		s.cfg.Log(blind(visible, all, s.server.role, slices.Sorted(maps.Keys(hidden))))
	}
	return nil
}

// blind is what is said to a role that does not see all sessions.
func blind(visible, all int, role string, hidden []string) string {
	for i, name := range hidden {
		hidden[i] = strconv.Quote(name)
	}
	return fmt.Sprintf("sees %d of %d sessions: role %q is not allowed to see those of %s; what shows them is GRANT pg_read_all_stats TO %s, or to sample as that role",
		visible, all, role, strings.Join(hidden, ", "), pgx.Identifier{role}.Sanitize())
}

// counter is how much a counter of the server has grown.
type counter struct {
	last, all time.Duration
	known     bool
}

// grown is how much it has, when it is at now. It begins anew where its statistics are
// reset.
func (c *counter) grown(now time.Duration) time.Duration {
	switch {
	case !c.known:
	case now < c.last:
		c.all += now
	default:
		c.all += now - c.last
	}
	c.last, c.known = now, true
	return c.all
}

// names has one string for all that are alike.
type names map[string]string

// maxNames is how many it keeps.
const maxNames = 10_000

func (n names) of(b []byte) string {
	if s, ok := n[string(b)]; ok {
		return s
	}
	if len(n) == maxNames {
		clear(n)
	}
	s := string(b)
	n[s] = s
	return s
}
