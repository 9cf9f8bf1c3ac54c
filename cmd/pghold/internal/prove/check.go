package prove

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Answer is what a target answered before the load.
type Answer struct {
	Status int
	Bytes  int
	Took   time.Duration
}

// shownBody is how much of an unexpected answer's body is shown, in bytes.
const shownBody = 500

// Check sends one request to a target. An answer other than 2xx is an error that shows it.
func Check(ctx context.Context, t Target, timeout time.Duration, dial Dial) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := t.Request()
	if err != nil {
		return Answer{}, err
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	began := time.Now()
	var body []byte
	res, err := client.Do(req.WithContext(ctx))
	if err == nil {
		body, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	shown := t.Attacked()
	what := shown.Method + " " + shown.URL
	switch {
	case errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err):
		return Answer{}, fmt.Errorf("%s gave no answer within %s, before there was any load: raise --client-timeout if it takes so long", what, words.Plain(timeout))
	case err != nil && ctx.Err() != nil:
		return Answer{}, context.Cause(ctx)
	case err != nil:
		var inner interface{ Unwrap() error }
		if errors.As(err, &inner) { // without the URL, which is shown already
			err = inner.Unwrap()
		}
		return Answer{}, fmt.Errorf("%s gave no answer: %w: check the address, and that the service listens there", what, err)
	}
	a := Answer{res.StatusCode, len(body), time.Since(began)}
	switch {
	case a.Status >= 300 && a.Status < 400:
		return a, fmt.Errorf("%s redirects to %s (%d): attack what it leads to, or add a --header, as a cookie of somebody who is logged in",
			what, printable.Line(res.Header.Get("Location")), a.Status)
	case a.Status < 200 || a.Status >= 300:
		text := printable.Line(strings.Join(strings.Fields(string(body[:min(len(body), shownBody)])), " "))
		if text == "" {
			text = "(no body)"
		}
		return a, fmt.Errorf("%s answers %d before there is any load: %s", what, a.Status, text)
	}
	return a, nil
}
