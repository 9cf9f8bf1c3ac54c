package lab

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// reply is what a handler answers: a value, as JSON, or a stream.
type reply struct {
	status int // default 200
	value  any
	// stream writes the answer while it comes. What it returns is told to nobody
	// but the lab: the status has been sent.
	stream func(ctx context.Context, send func(text string) error) error
}

func (r reply) write(ctx context.Context, w http.ResponseWriter) error {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.stream != nil {
		return r.writeStream(ctx, w)
	}
	b, err := json.Marshal(r.value)
	if err != nil {
		writeError(w, err)
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_, err = w.Write(b)
	tripOf(ctx).brokenOff = err != nil
	return err
}

// writeStream sends the status with the first text, so that an error before it is
// still one. After it, an error can only break the connection off.
func (r reply) writeStream(ctx context.Context, w http.ResponseWriter) error {
	flusher := http.NewResponseController(w)
	begun := false
	err := r.stream(ctx, func(text string) error {
		if !begun {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(r.status)
			begun = true
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
		return flusher.Flush()
	})
	switch {
	case err != nil && !begun:
		writeError(w, err)
	case err != nil:
		t := tripOf(ctx)
		t.err, t.brokenOff = err, true
		panic(http.ErrAbortHandler)
	}
	return err
}

// writeError answers an error. A pool that had no connection in time is 503 here, so
// that a client can tell it from a mistake; FastAPI answers 500.
func writeError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var call *callError
	switch {
	case isPoolTimeout(err):
		status = http.StatusServiceUnavailable
	case errors.As(err, &call):
		status = call.status
		if call.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(call.retryAfter))
		}
	case errors.Is(err, context.Canceled):
		status = 499 // the client has gone, as nginx has it
	case errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	}
	b, _ := json.Marshal(map[string]string{"error": err.Error()})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(b)
}
