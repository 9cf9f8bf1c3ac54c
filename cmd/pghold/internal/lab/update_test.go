package lab_test

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

func dsnOf(t *testing.T) string { return pgtest.DSN(t) }

// raceDetector is true where it slows everything down.
var raceDetector bool

// updates is how many updates each of the ways makes; with the race detector 200, if
// nothing else is said.
var updates = flag.Int("updates", 1_000, "how many updates each way of making them makes, to see whether it loses one")

// So many clients at once make them, on so few accounts that they meet all the time.
const (
	updateClients = 40
	contended     = 20
)

// The naive split loses updates; nothing else loses one: -updates 10000.
func TestUpdates_LostOnlyByTheNaiveSplit(t *testing.T) {
	t.Parallel()
	n := *updates
	for _, route := range experiment.RoutesOf("price") {
		t.Run(route.Name, func(t *testing.T) {
			s := experiment.Defaults()
			s.Slow, s.Accounts, s.PoolSize, s.MaxOverflow = 500*time.Microsecond, contended, 15, 0
			db := openDatabase(t, pgtest.DSN(t), s)
			provider, err := upstream.Start(upstream.Config{Delay: s.Slow})
			if err != nil {
				t.Fatal(err)
			}
			defer provider.Close()
			app, err := lab.NewApp(lab.AppConfig{Database: db, Settings: s, Routes: []experiment.Route{route}, Application: "lab test", Provider: provider.URL()})
			if err != nil {
				t.Fatal(err)
			}
			defer app.Close()
			if err := db.EmptyAccounts(t.Context(), contended); err != nil {
				t.Fatal(err)
			}
			var clients sync.WaitGroup
			next := make(chan struct{})
			for range updateClients {
				clients.Go(func() {
					for range next {
						w := httptest.NewRecorder()
						app.ServeHTTP(w, httptest.NewRequest("POST", route.Path(), nil))
						if w.Code != http.StatusOK && w.Code != http.StatusAccepted {
							t.Errorf("an update was answered %d %s", w.Code, w.Body)
						}
					}
				})
			}
			for range n {
				next <- struct{}{}
			}
			close(next)
			clients.Wait()
			if err := db.DrainOutbox(t.Context()); err != nil {
				t.Fatal(err)
			}
			recorded, sum, err := db.CountUpdates(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(recorded) != n {
				t.Errorf("%d updates are recorded, want all %d", len(recorded), n)
			}
			lost := n - sum
			t.Logf("%d of %d updates were lost", lost, n)
			if naive := route.Name == "update_split_naive"; naive && lost <= 0 || !naive && lost != 0 {
				t.Errorf("%d of %d updates were lost", lost, n)
			}
		})
	}
}

// What a killed process leaves behind: who calls in the middle may have paid for what
// is recorded nowhere; with an outbox all is recorded, and with the key none is paid
// twice.
func TestUpdates_Killed(t *testing.T) {
	t.Parallel()
	s := small()
	s.Rate, s.Duration, s.PoolSize, s.MaxOverflow = 20, time.Second, 15, 0
	s = patient(s)
	res, _ := run(t, s, names(experiment.RoutesOf("price"))...)
	for _, r := range res.Routes {
		u := r.Updates
		if u == nil || u.Killed == nil {
			t.Fatalf("%s: its updates are %+v", r.Name, u)
		}
		k := u.Killed
		if r.SuccessRatio != 1 || u.Recorded != r.Requests || u.Calls-u.CallsRepeated != r.Requests {
			t.Errorf("%s: %+v, updates %+v; want all %d answered and recorded, with a call for each", r.Name, r.Outcomes, u, r.Requests)
		}
		if k.Kills != 5 || k.Begun == 0 || !raceDetector && k.Calls == 0 || k.Recorded > k.Begun {
			t.Errorf("%s: killed: %+v", r.Name, k)
		}
		switch r.Name {
		case "update_outbox":
			if k.PaidNotRecorded != 0 || k.PaidTwice != 0 || k.Lost != 0 || !raceDetector && k.CallsAgain == 0 {
				t.Errorf("%s: killed: %+v; want calls made again, nothing paid twice, all recorded", r.Name, k)
			}
		case "update_outbox_without_key":
			if k.PaidNotRecorded != 0 || !raceDetector && k.PaidTwice == 0 || k.PaidTwice > k.CallsAgain {
				t.Errorf("%s: killed: %+v; want all recorded, and some paid twice", r.Name, k)
			}
		default:
			if !raceDetector && k.PaidNotRecorded == 0 {
				t.Errorf("%s: killed: %+v; want some paid for and not recorded", r.Name, k)
			}
		}
	}
}

// The app's processes die with the lab, and their connections with them.
func TestUpdates_KilledLeavesNothing(t *testing.T) {
	s := small()
	s.Rate, s.Duration = 5, time.Second
	dsn := pgtest.DSN(t)
	db := openDatabase(t, dsn, s)
	routes, err := experiment.FindRoutes([]string{"update_split_naive"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Run(t.Context(), db, lab.Options{Settings: s, Cases: experiment.CasesOf(routes, s), Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for left := -1; left != 0; { // the server ends them a moment after the processes
		if err := conn.QueryRow(ctx, "select count(*) from pg_stat_activity where application_name like 'pghold % update_split_naive' and datname = current_database()").Scan(&left); err != nil {
			t.Fatalf("%d connections of the killed processes are left: %v", left, err)
		}
	}
}
