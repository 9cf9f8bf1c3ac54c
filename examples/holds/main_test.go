package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdtest"
)

// The tests read from the Postgres that DATABASE_URL names.
func TestMain(m *testing.M) {
	if os.Getenv("DATABASE_URL") == "" {
		fmt.Println("NOT TESTED: set DATABASE_URL to a Postgres, which is only read")
		return
	}
	os.Exit(m.Run())
}

// The test that a team has of its own service: it fails on handlers that make a slow
// call while they hold a connection. Take the bad one off the list, and see.
func TestHandlersHoldNothingWhileTheyWait(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer slow.Close()
	recorder := pghold.NewRecorder(pghold.Config{})
	handler, closePool, err := service(t.Context(), recorder, os.Getenv("DATABASE_URL"), slow.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer closePool()
	for _, path := range []string{"/good/1", "/bad/1"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s answers %d", path, w.Code)
		}
	}
	holdtest.Fail(t, recorder, holdtest.Rules{
		MaxGap: time.Minute, // slow calls alone: the machine may be busy
		ToMend: []holdtest.Place{{Func: "holds.ask", Call: "GET 127.0.0.1:*/"}},
	})
	if found := holdtest.Find(recorder.Snapshot(), holdtest.Rules{MaxGap: time.Minute}); len(found) != 1 || found[0].Route != "GET /bad/{id}" {
		t.Errorf("found %v, want the bad handler only", found)
	}
}

// The recorder names the bad handler, with its line and its slow call, and not the
// good one.
func TestService(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer slow.Close()
	recorder := pghold.NewRecorder(pghold.Config{})
	handler, closePool, err := service(t.Context(), recorder, os.Getenv("DATABASE_URL"), slow.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer closePool()
	server := httptest.NewServer(handler)
	defer server.Close()
	get := func(path string) string {
		t.Helper()
		res, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, res.Status, err)
		}
		return string(b)
	}
	for _, path := range []string{"/bad/1", "/good/1", "/good/2"} {
		if got := get(path); got != "Hello user "+path[len(path)-1:]+"\n" {
			t.Errorf("%s answers %q", path, got)
		}
	}
	s, err := pghold.ReadSnapshot([]byte(get("/debug/holds?format=json")))
	if err != nil {
		t.Fatal(err)
	}
	what := "GET " + strings.TrimPrefix(slow.URL, "http://") + "/"
	seen := map[string]int{}
	for _, series := range s.Series {
		for _, call := range series.SlowCalls {
			if call.What != what {
				t.Errorf("%s made the slow call %q, want %q", series.Route, call.What, what)
			}
			seen[series.Route]++
			if !strings.HasSuffix(series.Site.File, "holds/main.go") {
				t.Errorf("%s took its connection at %+v", series.Route, series.Site)
			}
		}
	}
	if len(seen) != 1 || seen["GET /bad/{id}"] != 1 {
		t.Errorf("slow calls inside holds were seen in %v, want only in the bad handler", seen)
	}
}
