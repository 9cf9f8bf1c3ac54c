// Package upstream is somebody else's slow API: a language model
// ([POST /v1/chat/completions], as OpenAI has it) and a payment provider
// (POST /v1/charges), over real HTTP on loopback. It keeps a ledger of its own, in
// which an experiment finds what was really asked for and really paid, whatever its
// clients believe.
//
// It knows nothing of databases, does not judge its clients, and has no
// authentication: it is for experiments and tests.
//
// [POST /v1/chat/completions]: https://platform.openai.com/docs/api-reference/chat
package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how slow the API is.
type Config struct {
	// Delay is the wall-clock time that a call takes; with Lognormal, its mean.
	Delay time.Duration
	// Shape says how calls differ: Fixed, Lognormal or Stalls. By default Fixed.
	Shape string
	// Sleep waits for d or until ctx ends, whose error it then returns. By default
	// it is a time.Timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// Seed is Lognormal's: the same seed, the same delays in the same order.
	Seed uint64
}

// Server is the API and its ledger.
type Server struct {
	delays  *delays
	sleep   func(context.Context, time.Duration) error
	mux     *http.ServeMux
	failure atomic.Int32
	pending atomic.Int64
	books   atomic.Pointer[books]

	chatIDs, chargeIDs atomic.Int64

	ctx  context.Context // of all requests, and of charges whose clients have left
	stop context.CancelFunc
	wg   sync.WaitGroup // the listener, its connections, and charges
	url  string
	http *http.Server
}

// Start serves on a free port of 127.0.0.1.
func Start(cfg Config) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	return Serve(l, cfg)
}

// Serve serves on a listener, which Close closes.
func Serve(l net.Listener, cfg Config) (*Server, error) {
	s, err := newServer(cfg)
	if err != nil {
		l.Close()
		return nil, err
	}
	s.url = "http://" + l.Addr().String()
	s.http = &http.Server{Handler: s, ConnState: s.watch, BaseContext: func(net.Listener) context.Context { return s.ctx }}
	s.wg.Go(func() { s.http.Serve(l) }) // it always ends with an error, and here with ErrServerClosed
	return s, nil
}

func newServer(cfg Config) (*Server, error) {
	d, err := newDelays(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{delays: d, sleep: cfg.Sleep, mux: http.NewServeMux()}
	if s.sleep == nil {
		s.sleep = sleep
	}
	s.Reset()
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.mux.HandleFunc("POST /v1/chat/completions", s.chat)
	s.mux.HandleFunc("POST /v1/charges", s.charge)
	return s, nil
}

// URL is where it is, without a slash at its end. OpenAI's clients want "/v1" after it.
func (s *Server) URL() string { return s.url }

// Pending is the number of requests that are under way now.
func (s *Server) Pending() int { return int(s.pending.Load()) }

// Close hangs up on whoever waits, and returns when all has ended. A charge that
// was not booked by then never is.
func (s *Server) Close() {
	s.stop()
	s.http.Close()
	s.wg.Wait()
}

// watch has Close wait for connections, and so for their handlers.
func (s *Server) watch(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.wg.Add(1)
		if s.ctx.Err() != nil { // accepted just then: http.Server.Close may not have seen it
			c.Close()
		}
	case http.StateClosed:
		s.wg.Done()
	}
}

// ServeHTTP serves the API's paths.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.pending.Add(1)
	defer s.pending.Add(-1)
	s.mux.ServeHTTP(w, r)
}

// call is a request that was understood: how it goes from here.
type call struct {
	start   time.Time
	delay   time.Duration
	failure Failure
}

func (s *Server) begin() call {
	c := call{start: time.Now(), failure: Failure(s.failure.Load())}
	if c.failure == RateLimited {
		return c // it takes no time and is not the 20th of anything
	}
	var stalls bool
	if c.delay, stalls = s.delays.next(); stalls {
		c.failure = Never
	}
	return c
}

// until waits until d after start, so that several waits add up to what they should.
func (s *Server) until(ctx context.Context, start time.Time, d time.Duration) error {
	left := d - time.Since(start)
	if left <= 0 {
		return ctx.Err()
	}
	return s.sleep(ctx, left)
}

// hangUp cuts the connection. A handler that just returned would have answered 200.
func hangUp() { panic(http.ErrAbortHandler) }

// maxBody is more than anybody has to say here.
const maxBody = 1 << 20

// decode reads a request's JSON, and answers 400 where it is none.
func decode(w http.ResponseWriter, r *http.Request, v any) bool {
	// To its end: net/http sees a client leave only after that.
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "", "We could not parse the JSON body of your request: "+err.Error())
		return false
	}
	return true
}

// refuse answers an error as OpenAI does.
func refuse(w http.ResponseWriter, status int, kind, code, message string) {
	e := map[string]any{"message": message, "type": kind, "param": nil, "code": nil}
	if code != "" {
		e["code"] = code
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": e}) // an error is the client's leaving
}
