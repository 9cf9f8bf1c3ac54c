package activity_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
	"github.com/pghold/pghold/internal/pg/pgtemp"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// sampled is a source, its ledger and its log.
type sampled struct {
	*activity.Source
	ledger *watch.Ledger
	lines  chan string
	stop   func()

	mu    sync.Mutex
	taken chan struct{} // closed when the next sample is taken
}

// next is closed when the next sample is taken.
func (s *sampled) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// source makes a source that samples as fast as it can when it runs. It is closed with
// the test, or when stop is called.
func source(t testing.TB, dsn string, change ...func(*pgx.ConnConfig)) *sampled {
	t.Helper()
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(cc)
	}
	s := &sampled{ledger: watch.New(time.Now()), lines: make(chan string, 100), taken: make(chan struct{})}
	s.Source, err = activity.Connect(t.Context(), activity.Config{
		Server: cc, Ledger: s.ledger, Interval: time.Millisecond, Log: func(line string) { s.lines <- line },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.stop = sync.OnceFunc(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { s.stop() })
	return s
}

// sampling is a source that runs.
func sampling(t testing.TB, dsn string, change ...func(*pgx.ConnConfig)) *sampled {
	t.Helper()
	s := source(t, dsn, change...)
	s.OnSample(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.taken)
		s.taken = make(chan struct{})
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	closes := s.stop
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		closes()
	})
	return s
}

// samples takes so many, one after the other.
func (s *sampled) samples(t *testing.T, n int) {
	t.Helper()
	for range n {
		if err := s.Sample(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// until looks at a report after each sample until one is as wanted.
func (s *sampled) until(t testing.TB, what string, wanted func(*watch.Report) bool) *watch.Report {
	t.Helper()
	for {
		next := s.next()
		r := s.ledger.Report(time.Now())
		if wanted(r) {
			return r
		}
		select {
		case <-next:
		case <-t.Context().Done():
			t.Fatalf("the test was over before %s, the last report is %+v", what, r)
		}
	}
}

// line waits for the log's next line.
func (s *sampled) line(t testing.TB) string {
	t.Helper()
	select {
	case line := <-s.lines:
		return line
	case <-t.Context().Done():
		t.Fatal("the test was over before a line of the log")
		return ""
	}
}

// counts reports whether the server does, which PostgreSQL does since 14.
func counts(t *testing.T, conn *pgx.Conn) bool {
	t.Helper()
	major, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), ".")
	return major != "13"
}

func listed(r *watch.Report, conn *pgx.Conn) *watch.Transaction {
	for i := range r.Listed {
		if r.Listed[i].PID == conn.PgConn().PID() {
			return &r.Listed[i]
		}
	}
	return nil
}

// Each of the kinds of time is counted as what it is.
func TestSource_Kinds(t *testing.T) {
	dsn := pgtest.DSN(t)
	setup := pgtest.Connect(t, dsn, "setup")
	pgtest.Exec(t, setup, "create table t (n int primary key); insert into t values (1)")
	kinds := []struct {
		name  string
		of    func(watch.Sums) watch.Seconds
		enter func(t *testing.T, c *pgx.Conn)
	}{
		{"busy", func(s watch.Sums) watch.Seconds { return s.Busy }, func(t *testing.T, c *pgx.Conn) { background(t, c, "select pg_sleep(60)") }},
		{"lock", func(s watch.Sums) watch.Seconds { return s.LockWait }, func(t *testing.T, c *pgx.Conn) {
			holder := pgtest.Connect(t, dsn, "holder")
			pgtest.Exec(t, holder, "begin; update t set n = 1 where n = 1")
			background(t, c, "update t set n = 1 where n = 1")
		}},
		{"slow", func(s watch.Sums) watch.Seconds { return s.SlowClient }, func(t *testing.T, c *pgx.Conn) {
			r, w := io.Pipe()
			done := make(chan struct{})
			t.Cleanup(func() { w.Close(); <-done })
			go func() {
				defer close(done)
				c.PgConn().CopyFrom(context.Background(), r, "copy t from stdin")
			}()
		}},
		{"silent", func(s watch.Sums) watch.Seconds { return s.Silent }, func(t *testing.T, c *pgx.Conn) {
			pgtest.Exec(t, c, "begin; select 1")
		}},
		{"aborted", func(s watch.Sums) watch.Seconds { return s.Aborted }, func(t *testing.T, c *pgx.Conn) {
			pgtest.Exec(t, c, "begin")
			c.Exec(t.Context(), "select 1/0")
		}},
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			conn := pgtest.Connect(t, dsn, "watched")
			s := sampling(t, dsn)
			kind.enter(t, conn)
			// It grows from sample to sample, and no other kind does.
			first := s.until(t, kind.name, func(r *watch.Report) bool { return kind.of(r.Sums) > 0 })
			r := s.until(t, "more of it", func(r *watch.Report) bool {
				return kind.of(r.Sums) > kind.of(first.Sums)+watch.Seconds(20*time.Millisecond)
			})
			s.stop()
			for _, other := range kinds {
				if other.name == kind.name || kind.name == "lock" && other.name == "silent" { // its holder is
					continue
				}
				if got := other.of(r.Sums) - other.of(first.Sums); got > 0 {
					t.Errorf("%s grew by %v meanwhile", other.name, time.Duration(got))
				}
			}
		})
	}
}

// A transaction has its gaps, with the client and the statement before each, and bounds
// that are around what the client has measured.
func TestSource_Transaction(t *testing.T) {
	dsn := pgtest.DSN(t)
	s := sampling(t, dsn)
	conn := pgtest.Connect(t, dsn, "before")
	pgtest.Exec(t, conn, "set application_name = 'shop'")
	pgtest.Exec(t, conn, "begin")
	// A gap under a millisecond has no name.
	s.until(t, "the gap after begin", func(r *watch.Report) bool { return r.LongestOpen > watch.Seconds(time.Millisecond) })
	sent := time.Now()
	pgtest.Exec(t, conn, "select set_config('a.b', 'secret', true) /*route='%2Fcheckout'*/")
	began := time.Now()
	open := s.until(t, "the gap after select", func(r *watch.Report) bool {
		tx := listed(r, conn)
		return r.InTransaction == 1 && tx != nil && len(tx.Gaps) == 2 && tx.Gaps[1].S > watch.Seconds(10*time.Millisecond)
	})
	ended := time.Now()
	pgtest.Exec(t, conn, "commit")
	over := time.Now()
	r := s.until(t, "the end", func(r *watch.Report) bool { return r.Transactions == 1 })

	tx, was := listed(r, conn), listed(open, conn)
	if want := (watch.Client{PID: conn.PgConn().PID(), Application: "shop", User: "postgres", Database: conn.Config().Database, Address: "127.0.0.1"}); tx.Client != want || tx.Route != "/checkout" {
		t.Errorf("it is of %+v on %q, want %+v on /checkout", tx.Client, tx.Route, want)
	}
	if !was.Open || !was.Gaps[1].Open || tx.Open || tx.Lost {
		t.Errorf("open then: %+v; now: %+v", was, tx)
	}
	if len(tx.Gaps) != 2 || !strings.EqualFold(tx.Gaps[0].After, "begin") || tx.Gaps[1].After != "SELECT set_config(?)" {
		t.Fatalf("gaps: %+v", tx.Gaps)
	}
	gap := tx.Gaps[1]
	if gap.Exact || gap.S < was.Gaps[1].S || time.Duration(gap.S) > over.Sub(sent) || time.Duration(gap.AtMost) < ended.Sub(began) {
		t.Errorf("gap %+v; it was at least the client's %v, and at most %v", gap, ended.Sub(began), over.Sub(sent))
	}
	if tx.Silent != tx.Gaps[0].S+gap.S || tx.Sums.Total() > time.Duration(tx.S) {
		t.Errorf("sums: %+v", tx)
	}
	if r.Sessions != 1 || r.Silent != tx.Silent {
		t.Errorf("%d sessions, silent for %v; want the one, and %v", r.Sessions, time.Duration(r.Silent), time.Duration(tx.Silent))
	}
	conn.Close(t.Context())
	r = s.until(t, "the session's end", func(r *watch.Report) bool { return r.Sessions == 0 })
	if r.SessionsAll != 1 || r.Transactions != 1 {
		t.Errorf("%d sessions and %d transactions in all, want 1 and 1", r.SessionsAll, r.Transactions)
	}
}

// A text that the server has cut is one: a value that it was cut in is not shown.
func TestSource_LongText(t *testing.T) {
	dsn := pgtest.DSN(t)
	s := sampling(t, dsn)
	conn := pgtest.Connect(t, dsn, "long")
	pgtest.Exec(t, conn, "begin")
	pgtest.Exec(t, conn, "select 1, $$"+strings.Repeat("secret ", 1000)+"$$, 2")
	s.until(t, "the shape of a text that is cut", func(r *watch.Report) bool {
		tx := listed(r, conn)
		return tx != nil && len(tx.Gaps) > 0 && tx.Gaps[len(tx.Gaps)-1].After == "SELECT ?,…"
	})
}

// A gap that was there before is as long as it is, and has its statement.
func TestSource_WasThereBefore(t *testing.T) {
	dsn := pgtest.DSN(t)
	conn := pgtest.Connect(t, dsn, "early")
	pgtest.Exec(t, conn, "begin; select 1")
	var age float64
	admin := pgtest.Connect(t, dsn, "admin")
	if err := admin.QueryRow(t.Context(), "select extract(epoch from clock_timestamp() - state_change) from pg_stat_activity where application_name = 'early' and state = 'idle in transaction' and datname = current_database()").Scan(&age); err != nil {
		t.Fatal(err)
	}
	s := sampling(t, dsn)
	r := s.until(t, "the gap", func(r *watch.Report) bool { return r.InTransaction == 1 })
	if tx := listed(r, conn); tx.Gaps[0].S < watch.Seconds(age*1e9)-watch.Seconds(time.Microsecond) || !strings.Contains(tx.Gaps[0].After, "SELECT ?") {
		t.Errorf("got %+v, want one of at least %v s", tx, age)
	}
	if r.Busy != 0 {
		t.Errorf("busy for %v before it was watched", time.Duration(r.Busy))
	}
}

// role makes a role that may log in, and returns the address with it.
func role(t *testing.T, dsn, name string) (_, withRole string) {
	t.Helper()
	admin := pgtest.Connect(t, dsn, "admin")
	name = fmt.Sprintf("%s %d", name, admin.PgConn().PID())
	pgtest.Exec(t, admin, "create role "+pgx.Identifier{name}.Sanitize()+" login password 'x'")
	t.Cleanup(func() { admin.Exec(context.Background(), "drop role "+pgx.Identifier{name}.Sanitize()) })
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(name, "x")
	return name, u.String()
}

// As the role of the app it sees the app without a grant. As another it says what it does
// not see, and what it says would help does.
func TestSource_Roles(t *testing.T) {
	dsn := pgtest.DSN(t)
	app, asApp := role(t, dsn, "the app")
	other, asOther := role(t, dsn, "other")
	conn := pgtest.Connect(t, asApp, "app")
	pgtest.Exec(t, conn, "begin; select 1")

	s := sampling(t, asApp)
	r := s.until(t, "the app's gap", func(r *watch.Report) bool { return r.InTransaction == 1 })
	if tx := listed(r, conn); tx == nil || tx.User != app {
		t.Errorf("got %+v", r.Listed)
	}
	s.stop()
	about := s.line(t)
	if want := fmt.Sprintf(`database %q`, conn.Config().Database); !strings.Contains(about, want) || !strings.Contains(about, strconv.Quote(app)) {
		t.Errorf("got %q, want it to say %s and %q", about, want, app)
	}

	s = source(t, asOther)
	s.line(t)
	s.samples(t, 3)
	line := s.line(t)
	if r := s.ledger.Report(time.Now()); r.SessionsAll != 0 {
		t.Errorf("got %+v, want no sessions", r)
	}
	s.stop()
	// The first source's own session may not be gone.
	if want := fmt.Sprintf(`^sees 0 of [34] sessions: role %q is not allowed to see those of "postgres", %q`, other, app); !regexp.MustCompile(want).MatchString(line) {
		t.Errorf("got %q, want %q", line, want)
	}
	if len(s.lines) > 0 {
		t.Errorf("and then %q", <-s.lines)
	}
	admin := pgtest.Connect(t, dsn, "admin")
	grant := regexp.MustCompile(`GRANT [^,]*`).FindString(line)
	pgtest.Exec(t, admin, grant)
	s = sampling(t, asOther)
	s.until(t, "the app's gap, and all", func(r *watch.Report) bool { return r.InTransaction == 1 && r.Sessions == 4 })
	s.stop()
	s.line(t)
	if len(s.lines) > 0 {
		t.Errorf("after %s it says %q", grant, <-s.lines)
	}
}

// A session that does not tell what it does is not in it, and that is said once.
func TestSource_Untracked(t *testing.T) {
	dsn := pgtest.DSN(t)
	s := source(t, dsn)
	s.line(t)
	pgtest.Exec(t, pgtest.Connect(t, dsn, "app"), "set track_activities = off; begin")
	s.samples(t, 3)
	if line := s.line(t); !strings.Contains(line, "track_activities is off") {
		t.Errorf("got %q", line)
	}
	if r := s.ledger.Report(time.Now()); r.SessionsAll != 0 {
		t.Errorf("got %+v, want no sessions", r)
	}
	if len(s.lines) > 0 {
		t.Errorf("and then %q", <-s.lines)
	}
}

// Only clients of its database are in it, and not its own session.
func TestSource_OneDatabase(t *testing.T) {
	dsn, elsewhere := pgtest.DSN(t), pgtest.DSN(t)
	pgtest.Exec(t, pgtest.Connect(t, elsewhere, "elsewhere"), "begin")
	conn := pgtest.Connect(t, dsn, "here")
	pgtest.Exec(t, conn, "begin")
	s := sampling(t, dsn)
	r := s.until(t, "a gap", func(r *watch.Report) bool { return r.InTransaction > 0 })
	if r.Sessions != 1 || r.InTransaction != 1 || listed(r, conn) == nil {
		t.Errorf("got %+v, want the one session", r)
	}
}

// After its connection is lost, and after the server was not to be reached, it goes on
// where it was, and says each once.
func TestSource_ConnectsAgain(t *testing.T) {
	dsn := pgtest.DSN(t)
	conn := pgtest.Connect(t, dsn, "app")
	pgtest.Exec(t, conn, "begin; select 1")
	var (
		mu   sync.Mutex
		away = make(chan struct{}) // closed when an attempt was refused
		back bool
	)
	first := true
	s := sampling(t, dsn, func(cc *pgx.ConnConfig) {
		dial := cc.DialFunc
		refused := sync.OnceFunc(func() { close(away) })
		cc.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			if !first && !back {
				refused()
				return nil, errors.New("not now")
			}
			first = false
			return dial(ctx, network, address)
		}
	})
	s.line(t)
	before := s.until(t, "the gap", func(r *watch.Report) bool { return r.InTransaction == 1 && r.LongestOpen > 0 })
	admin := pgtest.Connect(t, dsn, "admin")
	pgtest.Exec(t, admin, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pghold watch' and datname = current_database()")
	if line := s.line(t); !strings.HasPrefix(line, "the connection to the server is lost: ") || strings.Contains(line, "\n") {
		t.Errorf("got %q", line)
	}
	<-away
	mu.Lock()
	back = true
	mu.Unlock()
	if line := s.line(t); line != "the server is reached again" {
		t.Errorf("got %q", line)
	}
	r := s.until(t, "the gap to grow", func(r *watch.Report) bool { return r.LongestOpen > before.LongestOpen })
	if tx := listed(r, conn); r.Transactions != 0 || len(tx.Gaps) != 1 || tx.StartedAt != listed(before, conn).StartedAt {
		t.Errorf("got %+v, want it as it was: %+v", tx, listed(before, conn))
	}
	s.stop()
	if len(s.lines) > 0 {
		t.Errorf("and then %q", <-s.lines)
	}
}

// A server that starts again has lost the transactions that were open. It is another one
// here, which the source does not know.
func TestSource_Restart(t *testing.T) {
	first, err := pgtemp.Start(t.Context(), pgtemp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceValue(first.Stop)
	t.Cleanup(func() { stop() })
	const password = "the same on both"
	pgtest.Exec(t, pgtest.Connect(t, first.DSN(), "admin"), "alter role postgres password '"+password+"'")
	app, err := url.Parse(first.DSN())
	if err != nil {
		t.Fatal(err)
	}
	app.User = url.UserPassword("postgres", password)
	conn := pgtest.Connect(t, app.String(), "app")
	pgtest.Exec(t, conn, "begin; select 1")

	second, err := pgtemp.Start(t.Context(), pgtemp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { second.Stop() })
	pgtest.Exec(t, pgtest.Connect(t, second.DSN(), "admin"), "alter role postgres password '"+password+"'")
	u, err := url.Parse(second.DSN())
	if err != nil {
		t.Fatal(err)
	}
	var at atomic.Pointer[string] // where the server is
	at.Store(&app.Host)
	s := sampling(t, app.String(), func(cc *pgx.ConnConfig) {
		dial := cc.DialFunc
		cc.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, *at.Load()) }
	})
	s.line(t)
	before := s.until(t, "the gap", func(r *watch.Report) bool {
		return r.InTransaction == 1 && (!counts(t, conn) || r.Counted != nil && *r.Counted == 0)
	})
	at.Store(&u.Host)
	if err := stop(); err != nil {
		t.Error(err)
	}
	s.line(t)
	if line := s.line(t); line != "the server is reached again" {
		t.Errorf("got %q", line)
	}
	r := s.until(t, "the end of the transaction", func(r *watch.Report) bool { return r.InTransaction == 0 })
	tx, was := listed(r, conn), listed(before, conn)
	if r.Transactions != 1 || !tx.Lost || tx.Open || len(tx.Gaps) != 1 || tx.Gaps[0].S < was.Gaps[0].S || tx.Gaps[0].AtMost < tx.Gaps[0].S {
		t.Errorf("got %+v, which was %+v", tx, was)
	}
	s.until(t, "the other server's sessions", func(r *watch.Report) bool { return r.Sessions == 1 })
}

// settled reports whether the counter was asked when all that had ended was known and
// counted: then what was seen and what was not is what the server counts, and it has no less
// than was seen, but for what it rounds.
func settled(r *watch.Report, rounded time.Duration) bool {
	return (r.Silent+*r.Unseen == *r.Counted || *r.Unseen == 0) && time.Duration(r.Silent) <= time.Duration(*r.Counted)+rounded
}

// What was seen and what was not is what the server counts, when the sessions have ended
// and it has counted all; and that is what the clients have measured, at least and at
// most. A server that does not count is not said to.
func TestSource_UnseenIsTheRest(t *testing.T) {
	const (
		sessions, each = 20, 5
		rounded        = sessions * each * time.Millisecond // the counter has milliseconds of what each session tells it
	)
	dsn := pgtest.DSN(t)
	s := sampling(t, dsn)
	version := pgtest.Connect(t, dsn, "asks for the version")
	counted := counts(t, version)
	version.Close(t.Context())
	s.until(t, "the counter", func(r *watch.Report) bool { return r.Unseen != nil || !counted })
	var (
		all         sync.WaitGroup
		mu          sync.Mutex
		least, most time.Duration // the clients' measures of all gaps
	)
	for i := range sessions {
		conn := pgtest.Connect(t, dsn, fmt.Sprint("app ", i))
		all.Go(func() {
			for range each {
				before := time.Now()
				pgtest.Exec(t, conn, "begin")
				began := time.Now()
				s.until(t, "this gap", func(r *watch.Report) bool {
					tx := listed(r, conn)
					return tx != nil && tx.Open && len(tx.Gaps) == 1 && tx.Gaps[0].S > watch.Seconds(time.Duration(i+1)*time.Millisecond)
				})
				ended := time.Now()
				pgtest.Exec(t, conn, "commit")
				over := time.Now()
				mu.Lock()
				least, most = least+ended.Sub(began), most+over.Sub(before)
				mu.Unlock()
				s.until(t, "its end", func(r *watch.Report) bool { tx := listed(r, conn); return tx != nil && !tx.Open })
			}
			conn.Close(t.Context())
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	// The counter is asked once a second, and a session tells it of the rest at its end.
	r := s.until(t, "all to be counted", func(r *watch.Report) bool {
		return r.Sessions == 0 && (!counted || time.Duration(*r.Counted) >= least-sessions*time.Millisecond && settled(r, rounded))
	})
	s.stop()
	var upper watch.Seconds
	for _, tx := range append(r.Listed, watch.Transaction{Sums: r.Rest.Sums}) {
		for _, g := range tx.Gaps {
			upper += g.AtMost
		}
	}
	if r.Transactions != sessions*each {
		t.Errorf("%d transactions, want %d", r.Transactions, sessions*each)
	}
	if time.Duration(r.Silent) > most || time.Duration(upper) < least {
		t.Errorf("seen for %v to %v; the clients measured %v to %v", time.Duration(r.Silent), time.Duration(upper), least, most)
	}
	if !counted {
		if r.Counted != nil || r.Unseen != nil {
			t.Errorf("the server does not count, and that it has counted %v is said", *r.Counted)
		}
		return
	}
	if counted := time.Duration(*r.Counted); counted > most || counted > time.Duration(upper)+rounded {
		t.Errorf("seen for %v to %v; the server counts %v, the clients %v to %v", time.Duration(r.Silent), time.Duration(upper), counted, least, most)
	}
}
