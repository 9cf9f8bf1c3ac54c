package httphold

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/pghold/pghold"
)

// Transport makes requests through base, or through http.DefaultTransport where it
// is nil, and tells of each as a slow call of the holds that are open in its
// context: from its start until its answer has been read or closed.
//
// A slow call is named by method, host and path, as in "POST
// api.example.com/v1/charges/{id}"; never by query, header or body. Of a path only
// what looks like plain words stays: lower-case, upper-case or Capitalised, at most
// three to a segment, and versions such as v1 and oauth2. All else becomes {id},
// because it may be somebody's, or secret; so does a name in camel case. A word that
// is somebody's cannot be told from others: where a path has user names or such,
// make those calls through another client and name them with pghold.Start.
func Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return transport{base}
}

type transport struct{ base http.RoundTripper }

// CloseIdleConnections does what base does, for http.Client.CloseIdleConnections.
func (t transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	call := pghold.Start(r.Context(), name(r))
	res, err := t.base.RoundTrip(r)
	if err != nil || res == nil || res.Body == nil { // http.Client knows what to do with these
		call.End()
		return res, err
	}
	b := &body{ReadCloser: res.Body, end: sync.OnceFunc(call.End)}
	res.Body = b
	if w, ok := b.ReadCloser.(io.Writer); ok { // of a connection that was switched to another protocol
		res.Body = stream{b, w}
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

// stream is the body of a connection that was switched to another protocol.
type stream struct {
	*body
	io.Writer
}

// CloseWrite is what httputil.ReverseProxy asks for beside Write.
func (s stream) CloseWrite() error {
	if c, ok := s.ReadCloser.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return fmt.Errorf("httphold: CloseWrite: %w", http.ErrNotSupported)
}

// maxSegments is how much of a path names a slow call.
const maxSegments = 6

func name(r *http.Request) string {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(segments) > maxSegments {
		segments = append(segments[:maxSegments], "…")
	}
	for i, s := range segments[:min(len(segments), maxSegments)] {
		if !words.MatchString(s) || random.MatchString(s) {
			segments[i] = "{id}"
		}
	}
	return method + " " + r.URL.Host + "/" + strings.Join(segments, "/")
}

// words are what stays of a path: what is longer, or mixed, is rather an identifier
// or a key.
var words = func() *regexp.Regexp {
	const (
		word    = `([a-z]{1,16}|[A-Z]{1,5}|[A-Z][a-z]{1,15})`
		version = `v[0-9]{1,2}((alpha|beta)[0-9]?)?`
	)
	return regexp.MustCompile(`^(\.?` + word + `([-_.]` + word + `){0,2}([0-9]|[-_.]` + version + `)?|` + version + `)?$`)
}()

// random is what no word is like, but many a key: six consonants in a row ("healthcheck" has five).
var random = regexp.MustCompile(`(?i)[b-df-hj-np-tv-xz]{6}`)
