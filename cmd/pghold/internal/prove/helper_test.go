package prove_test

import (
	"context"
	"net"
	"net/http"
	"regexp"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/prove"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/tap"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
)

// roundTrip is how long the Postgres in memory takes for an answer.
const roundTrip = 307 * time.Microsecond

// untied are the seed's settings but for a moment more here and there, so that no two
// events fall on the same instant.
func untied() experiment.Settings {
	s := experiment.Defaults()
	s.Slow += 137 * time.Microsecond
	s.ClientTimeout += 318 * time.Microsecond
	s.PoolTimeout += time.Millisecond
	return s
}

// stage is the lab's app as somebody's service, on a Postgres in memory behind a tap.
type stage struct {
	settings experiment.Settings
	base     string
	dsn      string // by way of the tap
	network  *memnet.Network
	wire     *prove.Wire
	open     atomic.Int64 // connections to the service
}

func (st *stage) openConnections() int64 {
	synctest.Wait()
	return st.open.Load()
}

// inBubble runs f in virtual time beside a service that has some of the lab's routes.
func inBubble(t *testing.T, f func(*testing.T, *stage), routes ...string) {
	t.Helper()
	inBubbleOf(t, broken(nil), f, routes...)
}

// inBubbleOf is inBubble for an app that something stands in front of.
func inBubbleOf(t *testing.T, before func(http.Handler) http.Handler, f func(*testing.T, *stage), routes ...string) {
	t.Helper()
	inBubbleWith(t, untied(), before, f, routes...)
}

// inBubbleWith is inBubbleOf with other settings.
func inBubbleWith(t *testing.T, s experiment.Settings, before func(http.Handler) http.Handler, f func(*testing.T, *stage), routes ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t, setStage(t, s, before, routes))
		t.Cleanup(func() { time.Sleep(time.Hour) }) // for timers of net/http
	})
}

func setStage(t *testing.T, s experiment.Settings, before func(http.Handler) http.Handler, routes []string) *stage {
	t.Helper()
	network := &memnet.Network{}
	server := pgmem.Start(pgmem.Config{Network: network, RoundTrip: roundTrip})
	t.Cleanup(server.Close)
	db, err := lab.OpenDatabaseIn(t.Context(), network, server.DSN(), s.ServerConnections())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })

	cc, err := pgconn.ParseConfig(server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	cc.DialFunc = network.Dial
	ledger := watch.New(time.Now())
	st := &stage{settings: s, network: network, wire: prove.NewWire(ledger)}
	l := listen(t, network)
	tapped := tap.New(tap.Config{Server: cc, Ledger: ledger})
	go tapped.Serve(l)
	t.Cleanup(tapped.Close)
	st.dsn = "postgres://lab@" + l.Addr().String() + "/lab?sslmode=disable"

	found, err := experiment.FindRoutes(routes)
	if err != nil {
		t.Fatal(err)
	}
	app, err := lab.NewApp(lab.AppConfig{Database: db, Settings: s, Routes: found, Application: "shop", Via: st.dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	web := listen(t, network)
	service := &http.Server{Handler: before(app), ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			st.open.Add(1)
		case http.StateClosed:
			st.open.Add(-1)
		}
	}}
	go service.Serve(web)
	t.Cleanup(func() { service.Close() })
	st.base = "http://" + web.Addr().String() + "/"
	return st
}

// options are those of an attack on some routes.
func (st *stage) options(t *testing.T, routes ...string) prove.Options {
	t.Helper()
	return prove.Options{
		Settings: st.settings, Targets: st.targets(t, routes...), Dir: t.TempDir(), Wire: st.wire, Dial: st.network.Dial,
	}
}

// targets are those of routes of the stage.
func (st *stage) targets(t *testing.T, routes ...string) (targets []prove.Target) {
	t.Helper()
	for _, r := range routes {
		target, err := prove.ParseTarget("GET " + st.base + r)
		if err != nil {
			t.Fatal(err)
		}
		target.Name = target.RouteName()
		targets = append(targets, target)
	}
	return targets
}

// use opens a connection by way of the tap, which stays.
func (st *stage) use(t *testing.T) *pgx.Conn {
	t.Helper()
	cc, err := pgx.ParseConfig(st.dsn)
	if err != nil {
		t.Fatal(err)
	}
	cc.DialFunc = st.network.Dial
	conn, err := pgx.ConnectConfig(t.Context(), cc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

var schema = regexp.MustCompile(`pghold_lab_[0-9a-f]{8}`)

// hideSchema is a text in which the lab's schema, of which the name is chance, is lab.
func (st *stage) hideSchema(text string) string { return schema.ReplaceAllString(text, "lab") }

func listen(t *testing.T, n *memnet.Network) net.Listener {
	t.Helper()
	l, err := n.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
