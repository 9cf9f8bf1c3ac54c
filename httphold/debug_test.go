package httphold

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/pghold/pghold"
)

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "0",
		1500 * time.Nanosecond:   "2 µs",
		999 * time.Microsecond:   "999 µs",
		time.Millisecond:         "1.0 ms",
		12345 * time.Microsecond: "12.3 ms",
		time.Second:              "1.0 s",
		90 * time.Second:         "90.0 s",
	} {
		if got := seconds(d); got != want {
			t.Errorf("%d ns is %q, want %q", d, got, want)
		}
	}
}

// What it shows is of this moment, and a browser must not keep it or guess its type.
func TestHandler_IsNotKept(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(pghold.NewRecorder(pghold.Config{})).ServeHTTP(w, httptest.NewRequest("GET", "/debug/holds", nil))
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
