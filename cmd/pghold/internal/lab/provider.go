package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/httphold"
)

// provider is the app's side of the slow API (package upstream): a chat model and a
// payment provider.
type provider struct {
	url       string
	transport *http.Transport
	client    *http.Client
	model     model
	timeout   time.Duration // no call may take longer than a client waits
}

func newProvider(url string, s experiment.Settings, n Network) *provider {
	t := &http.Transport{MaxIdleConnsPerHost: s.InFlight() + 1} // keep as many alive as can be in use
	if n != nil {
		t.DialContext = n.Dial
	}
	client := &http.Client{Transport: httphold.Transport(t)}
	return &provider{
		url: url, transport: t, client: client, timeout: s.ClientTimeout,
		model: model{url + "/v1", client},
	}
}

func (p *provider) close() { p.transport.CloseIdleConnections() }

// callError is a call that failed, and what the route answers because of it.
type callError struct {
	status     int
	retryAfter int // seconds; 0 where the provider did not say
	err        error
}

func (e *callError) Error() string { return "the provider: " + e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// failed is the error of a call, made in ctx, that failed with err. A provider that
// does not answer is 504; one that asks to be left alone is 503, and who asked us
// should leave us alone as well; whatever else it does is 502.
func failed(ctx context.Context, res *http.Response, err error) error {
	e := &callError{status: http.StatusBadGateway, err: err}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err() // the client has gone, or the app is being stopped
	case ctx.Err() != nil:
		e.status = http.StatusGatewayTimeout
	case res != nil && res.StatusCode == http.StatusTooManyRequests:
		e.status = http.StatusServiceUnavailable
		e.retryAfter, _ = strconv.Atoi(res.Header.Get("Retry-After"))
		e.retryAfter = max(e.retryAfter, 1)
	}
	return e
}

// newRequest is a POST of JSON.
func newRequest(ctx context.Context, url string, body any) (*http.Request, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// maxAnswer is how long an answer, or an event of a stream, may be, in bytes.
const maxAnswer = 1 << 20

// charge has the provider book an amount of 1 for an update. With a key, what was
// booked before is not booked again.
func (a *App) charge(ctx context.Context, u update, key string) error {
	defer tripOf(ctx).slow(time.Now())
	ctx, cancel := context.WithTimeout(ctx, a.provider.timeout)
	defer cancel()
	req, err := newRequest(ctx, a.provider.url+"/v1/charges", map[string]any{"op": u.op, "account": u.account, "amount": 1})
	if err != nil {
		return err
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := a.provider.client.Do(req)
	if err != nil {
		return failed(ctx, nil, err)
	}
	defer res.Body.Close()
	var paid struct{ ID string }
	switch err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&paid); {
	case res.StatusCode != http.StatusOK:
		return failed(ctx, res, fmt.Errorf("POST /v1/charges: %s", res.Status))
	case err != nil:
		return failed(ctx, res, fmt.Errorf("POST /v1/charges: its answer is not JSON: %w", err))
	}
	return nil
}
