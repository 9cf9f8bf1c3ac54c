package httphold_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
	"github.com/pghold/pghold/internal/memnet"
)

// inHold makes a request through Transport with a hold open, which lasts a second
// longer than use, and returns the hold. It is called in a bubble; network is where
// the URL is.
func inHold(t *testing.T, network *memnet.Network, url string, use func(*http.Response, error)) pghold.Hold {
	t.Helper()
	recorder := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /")
	c := recorder.Pool("main").Checkout(ctx)
	req, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader("a secret body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "secret")
	client := &http.Client{Transport: httphold.Transport(&http.Transport{DialContext: network.Dial})}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	use(res, err)
	time.Sleep(time.Second)
	c.Release()
	return recorder.Snapshot().Series[0].Worst
}

// serve serves h in a network until the test ends, and returns its host.
func serve(t *testing.T, network *memnet.Network, h http.HandlerFunc) (host string) {
	t.Helper()
	l, err := network.Listen()
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	go server.Serve(l)
	t.Cleanup(func() { server.Shutdown(context.Background()) })
	return l.Addr().String()
}

func TestTransport_TellsOfTheSlowCall(t *testing.T) { synctest.Test(t, transportTellsOfTheSlowCall) }

func transportTellsOfTheSlowCall(t *testing.T) {
	var network memnet.Network
	host := serve(t, &network, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Minute)
		io.WriteString(w, "begin")
		w.(http.Flusher).Flush()
		time.Sleep(time.Hour)
	})
	h := inHold(t, &network, "http://"+host+"/v1/users/4711/token-8c1f2a90?key=secret", func(res *http.Response, err error) {
		if err != nil {
			t.Fatal(err)
		}
		// The answer has begun and is still being read.
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	})
	if len(h.SlowCalls) != 1 {
		t.Fatalf("got %+v, want one slow call", h.SlowCalls)
	}
	c := h.SlowCalls[0]
	if want := "POST " + host + "/v1/users/{…}/{…}"; c.What != want {
		t.Errorf("it is named %q, want %q", c.What, want)
	}
	if c.Duration != time.Hour+time.Minute || c.Open {
		t.Errorf("it took %v, want it to last until the answer was read, 1 h 1 min", c.Duration)
	}
	if !strings.HasSuffix(c.Site.File, "transport_test.go") {
		t.Errorf("it was made at %+v, want this test", c.Site)
	}
}

func TestTransport_EndsWithTheBodyOrTheError(t *testing.T) {
	synctest.Test(t, transportEndsWithTheBodyOrTheError)
}

func transportEndsWithTheBodyOrTheError(t *testing.T) {
	var network memnet.Network
	host := serve(t, &network, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Minute)
		w.Write(make([]byte, 1<<20))
	})
	h := inHold(t, &network, "http://"+host, func(res *http.Response, err error) {
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close() // unread
	})
	if len(h.SlowCalls) != 1 || h.SlowCalls[0].Duration != time.Minute || h.Held != time.Minute+time.Second {
		t.Errorf("closed unread: %+v in a hold of %v, want a minute in one of a second more", h.SlowCalls, h.Held)
	}
	h = inHold(t, &network, "http://127.0.0.1:9999/refused", func(_ *http.Response, err error) {
		if err == nil {
			t.Fatal("no error")
		}
	})
	if len(h.SlowCalls) != 1 || h.SlowCalls[0].Duration != 0 || h.Held != time.Second {
		t.Errorf("refused: %+v in a hold of %v, want a call that ended at once in one of a second", h.SlowCalls, h.Held)
	}
}

type answering struct{ res *http.Response }

func (a answering) RoundTrip(*http.Request) (*http.Response, error) { return a.res, nil }

// Transports that tests and caches make leave out what net/http's always has.
// http.Client puts up with an answer without a body, and reports one that is nil.
func TestTransport_AnswersWithoutABody(t *testing.T) {
	for name, res := range map[string]*http.Response{"no body": {StatusCode: http.StatusNoContent}, "no answer": nil} {
		recorder := pghold.NewRecorder(pghold.Config{})
		ctx := pghold.WithRoute(t.Context(), "r")
		c := recorder.Pool("main").Checkout(ctx)
		req, err := http.NewRequestWithContext(ctx, "GET", "http://h/", nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := httphold.Transport(answering{res}).RoundTrip(req)
		if err != nil || got != res || res != nil && got.Body != nil {
			t.Errorf("%s: got %+v, %v; want what the transport inside gave", name, got, err)
		}
		if calls := recorder.Snapshot().Open[0].SlowCalls; len(calls) != 1 || calls[0].Open {
			t.Errorf("%s: %+v, want one slow call that has ended", name, calls)
		}
		c.Release()
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestTransport_Names(t *testing.T) {
	for url, want := range map[string]string{
		"http://h":                           "GET h/",
		"http://h/v1/chat/completions":       "GET h/v1/chat/completions",
		"http://h/users/42":                  "GET h/users/{…}",
		"http://h/v1/v2/v3/v4/v5/v6":         "GET h/v1/v2/v3/v4/v5/v6",
		"http://h/v1/v1/v1/v1/v1/v1/v1/v1":   "GET h/v1/v1/v1/v1/v1/v1/…",
		"http://h/a/1/api/d/e/6/7/h":         "GET h/{…}/{…}/api/{…}/{…}/{…}/…",
		"http://user:password@h/x?token=y#z": "GET h/{…}",
		"http://h/v1//charges/":              "GET h/v1//charges",
	} {
		if got := named(t, url); got != want {
			t.Errorf("%s is named %q, want %q", url, got, want)
		}
	}
}

// Of a path only words that are known in public are shown. All others may be
// somebody's, or secret.
func TestTransport_NamesKeepKnownWordsOnly(t *testing.T) {
	for _, word := range []string{"v1", "v2", "v12", "v1beta", "v1beta3", "oauth2", "chat", "completions", "users", "payment_intents", ".well-known"} {
		if got := named(t, "http://h/"+word+"/embeddings"); got != "GET h/"+word+"/embeddings" {
			t.Errorf("%q is named %q, want it kept", word, got)
		}
	}
	for what, segment := range map[string]string{
		"a password":                "geheim",
		"a token of letters":        "deadbeefcafe",
		"a user":                    "alice",
		"a word":                    "charge",
		"a known one, capitalised":  "Chat",
		"a known one and more":      "chat-geheim",
		"a version and more":        "v1-geheim",
		"a version that is none":    "v123",
		"a number":                  "42",
		"one digit":                 "7",
		"a Stripe id":               "cus_NffrFeUfNVHibX",
		"an API key":                "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
		"a Slack team":              "T024BE7LD",
		"a Telegram token":          "bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11",
		"a UUID":                    "6f9619ff-8b86-d011-b42d-00c04fc964ff",
		"a user with a number":      "bob42",
		"an e-mail address":         "me@example.com",
		"one that was encoded":      "me%40example.com",
		"a telephone number":        "+4930123456",
		"a date":                    "2010-04-01",
		"a JWT":                     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
		"a pass phrase":             "correct-horse-battery-staple",
		"parameters":                "x;jsessionid=abc",
		"parameters of a known one": "chat;jsessionid=abc",
		"another alphabet":          "m\u00fcller",
		"a space":                   "john%20doe",
		"only punctuation":          "-",
	} {
		if got := named(t, "http://h/v1/"+segment+"/chat"); got != "GET h/v1/{…}/chat" {
			t.Errorf("%s, %q, is named %q", what, segment, got)
		}
	}
}

// The service's own code says what may be shown, as patterns of paths.
func TestTransport_Patterns(t *testing.T) {
	patterns := []string{"GET /reset/{token}", "POST other/reset/{token}", "h/orders/{id}/lines/{$}", "/files/", "/rest/of/{path...}"}
	for url, want := range map[string]string{
		"http://h/reset/geheim":       "GET h/reset/{token}",
		"http://h:8443/reset/geheim":  "GET h:8443/reset/{token}",
		"http://h/reset/geheim/x":     "GET h/{…}/{…}/{…}",
		"http://h/orders/7/lines/":    "GET h/orders/{id}/lines/",
		"http://g/orders/7/lines/":    "GET g/orders/{…}/{…}",
		"http://h/files/geheim/x":     "GET h/files/",
		"http://h/rest/of/geheim/a/b": "GET h/rest/of/{path...}",
		"http://h/rest//of/geheim":    "GET h/rest/of/{path...}",
		"http://h/v1/geheim":          "GET h/v1/{…}",
		"http://h":                    "GET h/",
	} {
		if got := named(t, url, patterns...); got != want {
			t.Errorf("%s is named %q, want %q", url, got, want)
		}
	}
	// A mux would redirect this one to a path that it makes of the request's own.
	if got := namedBy(t, "CONNECT", "http://h/reset/geheim", "/reset/{token}/"); got != "CONNECT h/{…}/{…}" {
		t.Errorf("CONNECT is named %q", got)
	}
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "reset/{token") {
			t.Errorf("a pattern that is none: got %v, want a panic that names it", got)
		}
	}()
	httphold.Transport(nil, "reset/{token")
}

// named returns the name of a request's slow call.
func named(t *testing.T, url string, patterns ...string) string {
	t.Helper()
	return namedBy(t, "GET", url, patterns...)
}

func namedBy(t *testing.T, method, url string, patterns ...string) string {
	t.Helper()
	recorder := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "r")
	c := recorder.Pool("main").Checkout(ctx)
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Method = method
	refused := errors.New("refused")
	if _, err := httphold.Transport(failing{refused}, patterns...).RoundTrip(req); err != refused {
		t.Errorf("got %v, want the transport's own error", err)
	}
	c.Release()
	return recorder.Snapshot().Series[0].Worst.SlowCalls[0].What
}

type closing struct {
	http.RoundTripper
	closed int
}

func (c *closing) CloseIdleConnections() { c.closed++ }

func TestTransport_ClosesIdleConnections(t *testing.T) {
	base := &closing{}
	client := &http.Client{Transport: httphold.Transport(base)}
	client.CloseIdleConnections()
	if base.closed != 1 {
		t.Errorf("the transport inside was told %d times, want once", base.closed)
	}
	client.Transport = httphold.Transport(failing{}) // which has no such method
	client.CloseIdleConnections()
}

// A connection that was switched to another protocol is written to through the
// answer's body.
func TestTransport_SwitchedProtocol(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, stream, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		all, err := io.ReadAll(stream)
		if err != nil {
			t.Error(err)
		}
		conn.Write(all)
	}))
	defer server.Close()
	recorder := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /")
	c := recorder.Pool("main").Checkout(ctx)
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	res, err := httphold.Transport(nil).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	both, ok := res.Body.(io.ReadWriteCloser)
	if res.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("answered %s with a body that is a %T, want one to write to", res.Status, res.Body)
	}
	if _, err := io.WriteString(both, "hello\n"); err != nil {
		t.Error(err)
	}
	if h := recorder.OpenHolds()[0]; len(h.SlowCalls) != 1 || !h.SlowCalls[0].Open {
		t.Errorf("while the connection is open: %+v, want one slow call that is open", h.SlowCalls)
	}
	if half, ok := both.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil { // as httputil.ReverseProxy does
		t.Error("its writing half cannot be closed alone")
	}
	if got, err := io.ReadAll(both); string(got) != "hello\n" {
		t.Errorf("read %q (%v), want what was written", got, err)
	}
	both.Close()
	if h := recorder.OpenHolds()[0]; len(h.SlowCalls) != 1 || h.SlowCalls[0].Open {
		t.Errorf("after its end: %+v, want one slow call that has ended", h.SlowCalls)
	}
	c.Release()
}

// A call ends with its answer, whenever its body is closed.
func TestTransport_ACallEndsWithItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorder := pghold.NewRecorder(pghold.Config{})
		ctx := pghold.WithRoute(t.Context(), "GET /")
		c := recorder.Pool("main").Checkout(ctx)
		req, err := http.NewRequestWithContext(ctx, "GET", "http://example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer := roundTripper(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return &http.Response{Body: io.NopCloser(strings.NewReader("done"))}, nil
		})
		res, err := httphold.Transport(answer).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		time.Sleep(time.Minute)
		res.Body.Close()
		c.Release()
		if calls := recorder.Snapshot().Series[0].Worst.SlowCalls; len(calls) != 1 || calls[0].Duration != time.Second {
			t.Errorf("got %+v, want a call of 1 s", calls)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
