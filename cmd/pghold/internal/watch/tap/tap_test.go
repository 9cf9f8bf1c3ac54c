package tap_test

import (
	"fmt"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/tap"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, func() error { return goleak.Find() }) }

// tapped is a tap in front of a server, and its ledger.
type tapped struct {
	*tap.Tap
	ledger *watch.Ledger
	addr   net.Addr
	direct *pgx.ConnConfig
	lines  func() []string // of its log
}

// start puts a tap in front of a server. It is closed when the test ends.
func start(t testing.TB, dsn string, change ...func(*tap.Config)) *tapped {
	t.Helper()
	server, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, server, l, change...)
}

// onGoroutines has taps do without the loop.
var onGoroutines bool

func serve(t testing.TB, server *pgconn.Config, l net.Listener, change ...func(*tap.Config)) *tapped {
	t.Helper()
	var (
		mu    sync.Mutex
		lines []string
	)
	cfg := tap.Config{Server: server, Ledger: watch.New(time.Now()), Log: func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}}
	for _, f := range change {
		f(&cfg)
	}
	tt := &tapped{Tap: tap.New(cfg), ledger: cfg.Ledger, addr: l.Addr(), lines: func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), lines...)
	}}
	if onGoroutines {
		tt.OnGoroutines()
	}
	served := make(chan error, 1)
	go func() { served <- tt.Serve(l) }()
	t.Cleanup(func() {
		tt.Close()
		if err := <-served; err != nil {
			t.Error("serving:", err)
		}
	})
	return tt
}

// through is a connection string with the tap's address in place of the server's.
func (tt *tapped) through(t testing.TB, dsn string) string {
	t.Helper()
	cc, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	a := tt.addr.(*net.TCPAddr)
	return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable", a.IP, a.Port, cc.User, cc.Password, cc.Database)
}

// virtual is a tap in a bubble, in front of a server in memory, and how an app connects
// to it.
func virtual(t *testing.T, cfg pgmem.Config) (*tapped, *pgx.ConnConfig) {
	t.Helper()
	network := &memnet.Network{}
	cfg.Network = network
	server := pgmem.Start(cfg)
	t.Cleanup(server.Close)
	l, err := network.Listen()
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*pgx.ConnConfig
	for i, dsn := range []string{server.DSN(), "postgres://lab@" + l.Addr().String() + "/lab?sslmode=disable"} {
		if ends[i], err = pgx.ParseConfig(dsn); err != nil {
			t.Fatal(err)
		}
		ends[i].DialFunc = network.Dial
	}
	tt := serve(t, &ends[0].Config, l)
	tt.direct = ends[0]
	return tt, ends[1]
}

// In virtual time, all that the ledger says is what the client did, to the nanosecond.
func TestTap_IsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tt, app := virtual(t, pgmem.Config{RoundTrip: 300 * time.Microsecond})
		app.RuntimeParams["application_name"] = "shop"
		conn, err := pgx.ConnectConfig(t.Context(), app)
		if err != nil {
			t.Fatal(err)
		}

		pgtest.Exec(t, conn, "set a = 1") // outside of a transaction
		time.Sleep(time.Hour)             // in its pool
		began := time.Now()
		pgtest.Exec(t, conn, "begin")
		time.Sleep(70 * time.Millisecond)
		pgtest.Exec(t, conn, "set search_path = 'secret' /*route='%2Fcheckout'*/")
		time.Sleep(2 * time.Second)
		pgtest.Exec(t, conn, "rollback")
		took := time.Since(began)
		time.Sleep(time.Second)
		pgtest.Exec(t, conn, "begin")
		conn.Exec(t.Context(), "no such statement")
		time.Sleep(3 * time.Second)
		open := tt.ledger.Report(time.Now())
		if open.InTransaction != 1 || open.LongestOpen != watch.Seconds(3*time.Second) || open.Listed[0].Open != true {
			t.Errorf("in a gap that is open: %d in transaction, the longest %v, first listed %+v", open.InTransaction, time.Duration(open.LongestOpen), open.Listed[0])
		}
		conn.Close(t.Context())
		synctest.Wait()

		r := tt.ledger.Report(time.Now())
		if r.Transactions != 2 || len(r.Listed) != 2 || r.Sessions != 0 || r.SessionsAll != 1 || r.InTransaction != 0 {
			t.Fatalf("got %d transactions, %d sessions of %d, %d in a gap; want 2, 0 of 1, 0: %+v", r.Transactions, r.Sessions, r.SessionsAll, r.InTransaction, r)
		}
		failed, good := r.Listed[0], r.Listed[1]
		if good.Application != "shop" || good.User != "lab" || good.Database != "lab" || good.Address != "127.0.0.1" || good.PID == 0 || good.Route != "/checkout" {
			t.Errorf("it is of %+v on %q", good.Client, good.Route)
		}
		if !good.StartedAt.Equal(began) || time.Duration(good.S) != took || good.Sums.Total() != took {
			t.Errorf("it began at %v and took %v, its sums %v; want %v and %v", good.StartedAt, time.Duration(good.S), good.Sums.Total(), began, took)
		}
		if want := watch.Seconds(2070 * time.Millisecond); good.Silent != want || good.Busy != watch.Seconds(took)-want {
			t.Errorf("silent for %v of %v, want %v", time.Duration(good.Silent), took, time.Duration(want))
		}
		wantGaps := []watch.Gap{
			{After: "begin", S: watch.Seconds(70 * time.Millisecond), Exact: true},
			{After: "SET search_path = ?", S: watch.Seconds(2 * time.Second), Exact: true},
		}
		if len(good.Gaps) != 2 || !strings.EqualFold(good.Gaps[0].After, "begin") || good.Gaps[0].S != wantGaps[0].S || good.Gaps[1] != wantGaps[1] {
			t.Errorf("gaps are %+v, want %+v", good.Gaps, wantGaps)
		}
		if failed.Aborted != watch.Seconds(3*time.Second) || failed.Silent != 0 || !failed.Lost {
			t.Errorf("aborted for %v, silent for %v, lost %v; want 3s, 0s, true", time.Duration(failed.Aborted), time.Duration(failed.Silent), failed.Lost)
		}
		time.Sleep(time.Minute) // timers
	})
}

// On a real server: what the client measured is at most what the tap says, and that is
// at most what the server counts. None is missing, none is invented.
func TestTap_BetweenClientAndServer(t *testing.T) {
	t.Parallel()
	const sessions, each = 100, 10
	dsn := pgtest.DSN(t)
	tt := start(t, dsn)
	through := tt.through(t, dsn)
	before := counted(t, dsn)
	measured := make([]time.Duration, sessions)
	var all sync.WaitGroup
	for i := range sessions {
		conn := pgtest.Connect(t, through, fmt.Sprint("app ", i))
		all.Go(func() {
			pgtest.Exec(t, conn, "begin")
			for n := range each {
				var one int
				if err := conn.QueryRow(t.Context(), "select 1", pgx.QueryExecModeSimpleProtocol).Scan(&one); err != nil {
					t.Error(err)
				}
				began := time.Now()
				// 5 ms to 3 s, as many of each order of magnitude, and each session has some of all.
				at := float64(n*sessions+i) / (sessions*each - 1)
				time.Sleep(time.Duration(float64(5*time.Millisecond) * math.Pow(600, at)))
				measured[i] += time.Since(began)
				if n%3 == 2 { // some transactions have several
					pgtest.Exec(t, conn, "commit")
					pgtest.Exec(t, conn, "begin")
				}
			}
			pgtest.Exec(t, conn, "commit")
			conn.Close(t.Context())
		})
	}
	all.Wait()
	tt.Close() // returns when all is counted
	server := counted(t, dsn) - before
	r := tt.ledger.Report(time.Now())

	var client time.Duration
	for _, d := range measured {
		client += d
	}
	if silent := time.Duration(r.Silent); client > silent || silent > server+time.Millisecond*sessions {
		// The counter has milliseconds of each session.
		t.Errorf("the client measured %v, the tap %v, the server %v: want these in order", client, silent, server)
	}
	long := 0
	byApplication := map[string]watch.Group{}
	for _, g := range r.Groups {
		if strings.Contains(g.After, "?") {
			byApplication[g.Application] = g
			long += g.Gaps
		}
	}
	if long != sessions*each {
		t.Errorf("%d gaps after the select, want %d", long, sessions*each)
	}
	for i, d := range measured {
		if g := byApplication[fmt.Sprint("app ", i)]; time.Duration(g.Silent) < d || g.Aborted != 0 {
			t.Errorf("session %d: the client measured %v, the tap has %v and aborted %v", i, d, time.Duration(g.Silent), time.Duration(g.Aborted))
		}
	}
}

// counted is what the server counts as idle in transaction in a database, when all
// sessions but the one that asks have ended.
func counted(t *testing.T, dsn string) time.Duration {
	t.Helper()
	conn := pgtest.Connect(t, dsn, "counter")
	defer conn.Close(t.Context())
	// Each session's counts are there when it has ended.
	for {
		var others int
		if err := conn.QueryRow(t.Context(), "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'").Scan(&others); err != nil {
			t.Fatal(err)
		}
		if others == 0 {
			break
		}
		runtime.Gosched()
	}
	var ms float64
	if err := conn.QueryRow(t.Context(), "select idle_in_transaction_time from pg_stat_database where datname = current_database()").Scan(&ms); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ms * float64(time.Millisecond))
}
