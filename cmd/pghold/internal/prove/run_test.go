package prove_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/prove"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/tap"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
)

const (
	inside  = "async_session_sleep_inside_session"
	outside = "async_session_sleep_outside_session"
)

// stage is the lab's app as somebody's service, on a Postgres in memory behind a tap.
type stage struct {
	base    string
	network *memnet.Network
	wire    *prove.Wire
}

func setStage(t *testing.T, s experiment.Settings, routes ...string) *stage {
	t.Helper()
	network := &memnet.Network{}
	server := pgmem.Start(pgmem.Config{Network: network, RoundTrip: 307 * time.Microsecond})
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
	wire := prove.NewWire(ledger)
	l := listen(t, network)
	tapped := tap.New(tap.Config{Server: cc, Ledger: ledger})
	go tapped.Serve(l)
	t.Cleanup(tapped.Close)

	found, err := experiment.FindRoutes(routes)
	if err != nil {
		t.Fatal(err)
	}
	app, err := lab.NewApp(lab.AppConfig{Database: db, Settings: s, Routes: found, Application: "shop", Via: "postgres://lab@" + l.Addr().String() + "/lab?sslmode=disable"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	web := listen(t, network)
	service := &http.Server{Handler: app}
	go service.Serve(web)
	t.Cleanup(func() { service.Close() })
	return &stage{base: "http://" + web.Addr().String() + "/", network: network, wire: wire}
}

func TestRun_TheExperiment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := experiment.Defaults()
		st := setStage(t, s, inside, outside)
		res, err := prove.Run(t.Context(), prove.Options{
			Settings: s, Targets: st.targets(t, outside, inside), Dir: t.TempDir(), Wire: st.wire, Dial: st.network.Dial,
			Progress: func(prove.Progress) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		prove.Conclude(res)
		for _, r := range res.Routes {
			t.Logf("%+v %+v %+v", r, r.Wire, *r.SilentRatio)
		}
		for _, c := range res.Conclusions {
			t.Log(c.Cases, c.Sentence, c.Figures)
		}
		time.Sleep(time.Minute)
	})
}
