package report

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// hits are what an attack on a route of the seed looks like to vegeta: so many
// requests, 10 ms apart, of which the first ok are answered.
func hits(route string, n, ok int) []vegeta.Result {
	start := time.Date(2026, 8, 30, 12, 0, 0, 0, time.UTC)
	var hs []vegeta.Result
	for i := range n {
		url := "http://localhost:8080/" + route
		h := vegeta.Result{Attack: route, Seq: uint64(i), Method: "GET", URL: url,
			Timestamp: start.Add(time.Duration(i) * 10 * time.Millisecond)}
		if i < ok {
			h.Code, h.BytesIn, h.Latency = 200, 26, 2004*time.Millisecond+time.Duration(i)*time.Microsecond
		} else {
			h.Latency = 30001 * time.Millisecond
			h.Error = fmt.Sprintf("Get %q: context deadline exceeded (Client.Timeout exceeded while awaiting headers)", url)
		}
		hs = append(hs, h)
	}
	return hs
}

func encode(t *testing.T, hs []vegeta.Result) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := vegeta.NewEncoder(&b)
	for i := range hs {
		if err := enc.Encode(&hs[i]); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// runFolder is a run's folder with a vegeta file for each route's hits.
func runFolder(t *testing.T, routes []string, of map[string][]vegeta.Result) string {
	t.Helper()
	dir := t.TempDir()
	r := &experiment.Result{Kind: experiment.Measured, Settings: experiment.Defaults()}
	for _, name := range routes {
		r.Routes = append(r.Routes, experiment.RouteResult{Name: name, Requests: len(of[name])})
		write(t, filepath.Join(dir, name+".bin"), encode(t, of[name]))
	}
	var b bytes.Buffer
	if err := experiment.WriteResult(&b, r); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "result.json"), b.Bytes())
	return dir
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// reference is what vegeta's own reporter prints.
func reference(t *testing.T, hs []vegeta.Result) string {
	t.Helper()
	var m vegeta.Metrics
	for i := range hs {
		m.Add(&hs[i])
	}
	m.Close()
	var b bytes.Buffer
	if err := vegeta.NewTextReporter(&m).Report(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestVegeta_printsWhatVegetaPrints(t *testing.T) {
	const out, in = "async_session_sleep_outside_session", "async_session_sleep_inside_session"
	of := map[string][]vegeta.Result{out: hits(out, 500, 500), in: hits(in, 500, 240)}
	dir := runFolder(t, []string{out, in}, of)

	want := out + "\n" + reference(t, of[out]) + "\n" + in + "\n" + reference(t, of[in])
	for _, from := range []string{dir, filepath.Join(dir, "result.json")} {
		var b bytes.Buffer
		if err := Vegeta(&b, from); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("want -, got +\n%s", diff)
		}
	}

	// The lines of the seed's README.
	for _, line := range []string{
		"Requests      [total, rate, throughput]         500, 100.20, 71.4",
		"Duration      [total, attack, wait]             34.991s, 4.99s, 30.001s",
		"Latencies     [min, mean, 50, 90, 95, 99, max]  2.004s, ",
		"Bytes In      [total, mean]                     13000, 26.00",
		"Bytes Out     [total, mean]                     0, 0.00",
		"Success       [ratio]                           48.00%",
		"Status Codes  [code:count]                      0:260  200:240",
		"Error Set:",
		`Get "http://localhost:8080/async_session_sleep_inside_session": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
	} {
		if !strings.Contains("\n"+want, "\n"+line) {
			t.Errorf("no line begins with %q in\n%s", line, want)
		}
	}
}

func TestVegeta_saysWhichFileAndWhatToDo(t *testing.T) {
	const name = "a_route"
	whole := encode(t, hits(name, 5, 5))
	for _, c := range []struct {
		what  string
		spoil func(path string)
		want  string
	}{
		{"missing", func(p string) { os.Remove(p) }, "is missing"},
		{"empty", func(p string) { write(t, p, nil) }, "is not a file of vegeta results"},
		{"something else", func(p string) { write(t, p, []byte("hello")) }, "is not a file of vegeta results"},
		{"cut in a result", func(p string) { write(t, p, whole[:len(whole)-3]) }, "breaks off after 4 results"},
		{"cut between results", func(p string) { write(t, p, encode(t, hits(name, 4, 4))) }, "has 4 results where result.json counts 5"},
	} {
		dir := runFolder(t, []string{name}, map[string][]vegeta.Result{name: hits(name, 5, 5)})
		path := filepath.Join(dir, name+".bin")
		c.spoil(path)
		var b bytes.Buffer
		err := Vegeta(&b, dir)
		if err == nil {
			t.Errorf("%s: no error", c.what)
			continue
		}
		for _, want := range []string{path, c.want, "pghold lab a_route again"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", c.what, err, want)
			}
		}
		if strings.Contains(err.Error(), "\n") || b.Len() > 0 {
			t.Errorf("%s: got error %q and output %q, want one line and none", c.what, err, b.String())
		}
		if c.what == "missing" && !errors.Is(err, fs.ErrNotExist) {
			t.Error("a missing file is not fs.ErrNotExist")
		}
	}
}

func TestVegeta_readsVariants(t *testing.T) {
	const name = "async_session_sleep_inside_session@pgxpool_lasting"
	of := map[string][]vegeta.Result{name: hits(name, 3, 3)}
	dir := runFolder(t, []string{name}, of)
	var b bytes.Buffer
	if err := Vegeta(&b, dir); err != nil {
		t.Fatal(err)
	}
	if want := name + "\n" + reference(t, of[name]); b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}

	// A variant is no route that could be named on the command line.
	r, err := rundir.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	r.Routes[0].Route = "async_session_sleep_inside_session"
	var doc bytes.Buffer
	if err := experiment.WriteResult(&doc, r); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "result.json"), doc.Bytes())
	os.Remove(filepath.Join(dir, name+".bin"))
	if err := Vegeta(&b, dir); err == nil || !strings.Contains(err.Error(), "or run pghold lab --group pools again") {
		t.Errorf("got %v, want the group's command", err)
	}
}

func TestVegeta_readsNothingOutsideTheFolder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"../secret", "/etc/passwd", `..\secret`, "", "a/b"} {
		var b bytes.Buffer
		if err := experiment.WriteResult(&b, &experiment.Result{Kind: experiment.Measured, Routes: []experiment.RouteResult{{Name: name}}}); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "result.json"), b.Bytes())
		if err := Vegeta(&b, dir); err == nil || !strings.Contains(err.Error(), "cannot be a file's name") {
			t.Errorf("%q: got %v, want a refusal", name, err)
		}
	}
}

func TestVegeta_takesRoutesThatWereSentNothing(t *testing.T) {
	dir := runFolder(t, []string{"a_route"}, nil)
	var b bytes.Buffer
	if err := Vegeta(&b, dir); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "0, 0.00, 0.00\n") || strings.Contains(b.String(), "NaN") {
		t.Errorf("got %s", b.String())
	}

	b.Reset()
	if err := Vegeta(&b, runFolder(t, nil, nil)); err != nil || b.String() != noRoutesText+"\n" {
		t.Errorf("no routes: got %q and %v", b.String(), err)
	}
}

func TestVegeta_quotesWhatDoesNotPrint(t *testing.T) {
	hs := hits("a_route", 2, 0)
	hs[0].Error = "500 \x1b[2Jgone\u009b\u202e"
	dir := runFolder(t, []string{"a_route"}, map[string][]vegeta.Result{"a_route": hs})
	var b bytes.Buffer
	if err := Vegeta(&b, dir); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `500 \x1b[2Jgone\x9b\u202e`+"\n") {
		t.Errorf("got %q", b.String())
	}
}
