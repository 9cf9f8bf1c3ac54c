package lab_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// A provider that fails, in each way: the route answers with the right status, holds
// nothing afterwards, and the recorder knows where it waited.
func TestRoutes_WhenTheProviderFails(t *testing.T) {
	s := experiment.Defaults()
	s.Slow, s.ClientTimeout, s.PoolSize, s.MaxOverflow = time.Millisecond, 200*time.Millisecond, 2, 0
	db := openDatabase(t, pgtest.DSN(t), s)
	provider, err := upstream.Start(upstream.Config{Delay: s.Slow})
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Close()
	if err := db.EmptyAccounts(t.Context(), s.Accounts); err != nil {
		t.Fatal(err)
	}
	routes := append(experiment.RoutesOf("streaming"), experiment.RoutesOf("price")[:6]...)
	for _, failure := range []struct {
		what       upstream.Failure
		name       string
		status     int
		retryAfter string
	}{
		{upstream.None, "none", 200, ""},
		{upstream.Never, "never answers", 504, ""},
		{upstream.Garbage, "answers garbage", 502, ""},
		{upstream.BreaksOff, "breaks off", 502, ""},
		{upstream.RateLimited, "429", 503, "7"},
	} {
		for _, route := range routes {
			t.Run(failure.name+"/"+route.Name, func(t *testing.T) {
				app, err := lab.NewApp(lab.AppConfig{Database: db, Settings: s, Routes: []experiment.Route{route}, Application: "lab test", Provider: provider.URL()})
				if err != nil {
					t.Fatal(err)
				}
				defer app.Close()
				server := httptest.NewServer(app)
				defer server.Close()
				provider.Fail(failure.what)
				defer provider.Fail(upstream.None)

				req, err := http.NewRequestWithContext(context.Background(), route.Method(), server.URL+route.Path(), nil)
				if err != nil {
					t.Fatal(err)
				}
				res, err := server.Client().Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				var body strings.Builder
				_, bodyErr := io.Copy(&body, res.Body)
				streams := strings.HasPrefix(route.Name, "stream_")
				switch {
				case failure.what == upstream.BreaksOff && streams: // the status was sent with the first piece
					if res.StatusCode != 200 || bodyErr == nil {
						t.Errorf("answered %d and ended with %v, want a stream that breaks off", res.StatusCode, bodyErr)
					}
				case res.StatusCode != failure.status || bodyErr != nil || res.Header.Get("Retry-After") != failure.retryAfter:
					t.Errorf("answered %d %s (%v), Retry-After %q; want %d and %q", res.StatusCode, body.String(), bodyErr,
						res.Header.Get("Retry-After"), failure.status, failure.retryAfter)
				}
				server.Close() // returns when the handler has
				snapshot := app.Snapshot()
				for _, p := range snapshot.Pools {
					if p.Checkouts == 0 || p.Checkouts != p.Releases || p.Waiting != 0 {
						t.Errorf("the pool is left with %+v", p)
					}
				}
				var inside []string
				for _, series := range snapshot.Series {
					for _, c := range series.SlowCalls {
						inside = append(inside, c.What)
					}
				}
				if got := strings.Contains(strings.Join(inside, " "), "POST 127.0.0.1:"); got != route.HoldsThroughCall() {
					t.Errorf("slow calls inside of holds: %q, want one of the provider's: %v", inside, route.HoldsThroughCall())
				}
			})
		}
	}
}
