package upstream

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Failure is a way in which the API fails its clients.
type Failure int32

const (
	// None: it answers.
	None Failure = iota
	// Never: it does not answer, until its client leaves or it is closed.
	Never
	// Garbage: it answers 200 and the type that was expected, and a page of HTML.
	Garbage
	// BreaksOff: the connection is cut after half of the answer.
	BreaksOff
	// RateLimited: it refuses at once, with 429 and Retry-After: 7.
	RateLimited
)

// Fail has the calls that begin from now on fail like this. What fails is the
// answer: a charge is booked all the same, except where it was refused
// (RateLimited).
func (s *Server) Fail(f Failure) { s.failure.Store(int32(f)) }

const garbage = "<html><body><h1>Service temporarily unavailable</h1></body></html>\n"

// refuseRate answers that there were too many requests.
func refuseRate(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "7")
	refuse(w, http.StatusTooManyRequests, "requests", "rate_limit_exceeded", "Rate limit reached. Please try again in 7s.")
}

// reply answers with v as JSON, or fails.
func (f Failure) reply(w http.ResponseWriter, r *http.Request, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only a type that is no JSON, and this package has none
	}
	switch f {
	case Never:
		<-r.Context().Done()
		hangUp()
	case Garbage:
		b = []byte(garbage)
	case BreaksOff:
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		w.Write(b[:len(b)/2])
		http.NewResponseController(w).Flush()
		hangUp()
	}
	w.Write(b) // an error is the client's leaving
}
