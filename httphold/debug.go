package httphold

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pghold/pghold"
)

//go:embed holds.html
var pageText string

var page = template.Must(template.New("holds").Funcs(template.FuncMap{
	"seconds": seconds, "percent": percent, "spell": spell, "mostly": mostly, "times": times, "short": short, "ago": ago,
	"silent": func(h pghold.Hold) time.Duration { return h.Silent() },
	"doing":  func(h pghold.Hold) string { return h.Doing() },
}).Parse(pageText))

// refresh is how often the page is read again, unless the request has ?refresh=off.
const refresh = 5 // seconds

// Handler serves what a recorder knows: a page for people, and the same as JSON
// (a pghold.Snapshot) where the request has ?format=json or accepts JSON only. The page is
// read again every 5 s, unless the request has ?refresh=off.
//
// It shows routes, hosts that are called, and lines of source code. It is for
// operators: put your own authentication in front of it, it has none. Without a
// recorder it panics.
func Handler(recorder *pghold.Recorder) http.Handler {
	if recorder == nil {
		panic("httphold: Handler needs a recorder, and got nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET", http.StatusMethodNotAllowed)
			return
		}
		s := recorder.SnapshotWithStacks()
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if wantsJSON(r) {
			b, err := json.MarshalIndent(s, "", "  ")
			if err != nil {
				http.Error(w, "the snapshot cannot be written", http.StatusInternalServerError)
				return
			}
			h.Set("Content-Type", "application/json")
			w.Write(append(b, '\n'))
			return
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		v := newView(s)
		if r.URL.Query().Get("refresh") != "off" {
			v.Refresh = refresh
		}
		page.Execute(w, v) // an error is the client's leaving
	})
}

func wantsJSON(r *http.Request) bool {
	if format := r.URL.Query().Get("format"); format != "" {
		return format == "json"
	}
	accept := strings.Split(r.Header.Get("Accept"), ",")
	return slices.ContainsFunc(accept, func(s string) bool { return strings.HasPrefix(strings.TrimSpace(s), "application/json") }) &&
		!slices.ContainsFunc(accept, func(s string) bool { return strings.HasPrefix(strings.TrimSpace(s), "text/html") })
}

// seconds writes a duration with a unit that suits it.
func seconds(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d < time.Millisecond:
		return strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', 0, 64) + " µs"
	case d < time.Second:
		return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64) + " ms"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Second), 'f', 1, 64) + " s"
}

func percent(ratio float64) string { return strconv.FormatFloat(ratio*100, 'f', 1, 64) + " %" }
