package lab

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold/internal/memnet"
)

func TestEvents(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		stream io.Reader
		want   []string
		err    error
	}{
		"one":                        {strings.NewReader("data: {}\n\n"), []string{"{}"}, nil},
		"in pieces, with CRLF":       {iotest.OneByteReader(strings.NewReader("data: a\r\n\r\ndata:b\r\n\r\n")), []string{"a", "b"}, nil},
		"of several lines":           {strings.NewReader("data: a\ndata:  b\ndata\ndata:\n\n"), []string{"a\n b\n"}, nil},
		"comments and other fields":  {strings.NewReader(": still here\n\nevent: x\nid: 1\n\ndata: a\nretry: 5\n\n"), []string{"a"}, nil},
		"nothing after the last":     {strings.NewReader("data: a\n\ndata: [DONE]\n\ndata: b\n\n"), []string{"a"}, nil},
		"the last without a line":    {strings.NewReader("data: a\n\ndata: b"), []string{"a"}, nil},
		"a read that fails":          {io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(broken)), []string{"a"}, broken},
		"a line that is too long":    {strings.NewReader("data: " + strings.Repeat("x", maxAnswer) + "\n\n"), nil, bufio.ErrTooLong},
		"a page":                     {strings.NewReader("<html>\n\n"), nil, nil},
		"who is told has had enough": {strings.NewReader("data: a\n\ndata: stop\n\ndata: b\n\n"), []string{"a", "stop"}, broken},
	} {
		var got []string
		err := events(c.stream, func(data []byte) error {
			if got = append(got, string(data)); string(data) == "stop" {
				return broken
			}
			return nil
		})
		if !slices.Equal(got, c.want) || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: got %.60q and %v, want %.60q and %v", name, got, err, c.want, c.err)
		}
	}
}

// asked is a model that answers as it is told.
func asked(t *testing.T, status int, answer string) model {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/chat/completions" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("it was asked at %s, with a %s", r.URL, r.Header.Get("Content-Type"))
		}
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return model{server.URL + "/v1", server.Client()}
}

func TestModel_SaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		status       int
		answer, want string
	}{
		{429, `{"error": {"message": "Rate limit reached."}}`, "429 Too Many Requests: Rate limit reached."},
		{500, "<html>", "500 Internal Server Error: it does not say why"},
		{200, "<html>", "its answer is not JSON"},
		{200, "data: <html>\n\n", "is not JSON"},
	} {
		m := asked(t, c.status, c.answer)
		_, err := m.complete(t.Context(), "hello")
		if err == nil || !strings.Contains(err.Error(), c.want) && c.answer[0] != 'd' {
			t.Errorf("%d %s: got %v, want %q", c.status, c.answer, err, c.want)
		}
		err = m.stream(t.Context(), "hello", func(*completion) error { return nil })
		if page := c.status == 200 && c.answer[0] == '<'; page != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d %s, streamed: got %v, want %q", c.status, c.answer, err, c.want)
		}
	}
}

func TestModel_ReadsNoAnswerThatIsTooLong(t *testing.T) {
	m := asked(t, 200, `{"choices": [{"message": {"content": "`+strings.Repeat("x", maxAnswer)+`"}}]}`)
	if _, err := m.complete(t.Context(), "hello"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

// Whether it is the context that ends or who is told that has had enough: the stream ends
// after its first piece, and the server sees it.
func TestModel_HangsUp(t *testing.T) {
	enough := errors.New("enough")
	for want, each := range map[error]func(context.CancelFunc) error{
		context.Canceled: func(cancel context.CancelFunc) error { time.AfterFunc(time.Second, cancel); return nil },
		enough:           func(context.CancelFunc) error { return enough },
	} {
		synctest.Test(t, func(t *testing.T) {
			var network memnet.Network
			l, err := network.Listen()
			if err != nil {
				t.Fatal(err)
			}
			gone := make(chan bool, 1)
			server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body) // net/http sees a client leave only after that
				io.WriteString(w, "data: {\"choices\": [{}]}\n\n")
				http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
					gone <- true
				case <-time.After(time.Hour):
					gone <- false
				}
			})}
			go server.Serve(l)
			defer server.Close()
			transport := &http.Transport{DialContext: network.Dial}
			defer transport.CloseIdleConnections()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pieces := 0
			err = model{"http://" + l.Addr().String(), &http.Client{Transport: transport}}.stream(ctx, "hello", func(p *completion) error {
				pieces += len(p.Choices)
				return each(cancel)
			})
			if pieces != 1 || !errors.Is(err, want) {
				t.Errorf("got %d pieces and %v, want 1 and %v", pieces, err, want)
			}
			if !<-gone {
				t.Errorf("%v: the server still sends an hour later", want)
			}
		})
	}
}
