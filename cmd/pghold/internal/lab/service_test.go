package lab_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// A service may run for days: it does not write down every checkout, as a run does.
func TestService_WritesNoCheckoutsDown(t *testing.T) {
	s := experiment.Defaults()
	s.Slow = time.Millisecond
	service, err := lab.StartService(t.Context(), openDatabase(t, pgtest.DSN(t), s), s, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	for range 10 {
		w := httptest.NewRecorder()
		service.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+asyncOutside, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("answered %d", w.Code)
		}
	}
	if n := service.Checkouts(); n < 10 {
		t.Errorf("there were %d checkouts, want 10 or more", n)
	}
	if n := service.Written(); n != 0 {
		t.Errorf("%d checkouts are written down, want none", n)
	}
}
