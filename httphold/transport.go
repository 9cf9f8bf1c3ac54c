package httphold

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/pghold/pghold"
)

// Transport makes requests through base, or through http.DefaultTransport where it
// is nil, and tells of each as a slow call of the holds that are open in its
// context: from its start until its answer has been read or closed. A slow call is
// named by method, host and path, as in "POST api.example.com/v1/charges/{}", where
// whatever looks like an identifier is left out; never by query, header or body.
func Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return transport{base}
}

type transport struct{ base http.RoundTripper }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	call := pghold.Start(r.Context(), name(r))
	res, err := t.base.RoundTrip(r)
	if err != nil {
		call.End()
		return res, err
	}
	b := &body{ReadCloser: res.Body, end: sync.OnceFunc(call.End)}
	res.Body = b
	if w, ok := b.ReadCloser.(io.Writer); ok { // of a connection that was switched to another protocol
		res.Body = struct {
			*body
			io.Writer
		}{b, w}
	}
	return res, nil
}

// body is an answer that ends its call.
type body struct {
	io.ReadCloser
	end func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *body) Close() error {
	b.end()
	return b.ReadCloser.Close()
}

// maxSegments is how much of a path names a slow call.
const maxSegments = 6

func name(r *http.Request) string {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	for i, s := range segments {
		if identifies(s) {
			segments[i] = "{}"
		}
	}
	if len(segments) > maxSegments {
		segments = append(segments[:maxSegments], "…")
	}
	return method + " " + r.URL.Host + "/" + strings.Join(segments, "/")
}

// identifies tells whether a segment of a path looks like an identifier rather
// than a word: it has more digits than a version number does, or it is long.
func identifies(segment string) bool {
	digits := 0
	for _, r := range segment {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	version := len(segment) <= 4 && strings.HasPrefix(segment, "v") && digits > 0
	return digits > 0 && digits == len(segment) || digits >= 3 || len(segment) > 24 && !version ||
		strings.ContainsAny(segment, "@%=") // mail addresses, and what was encoded
}
