package httphold

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pghold/pghold"
)

// Transport makes requests through base, or through http.DefaultTransport where it
// is nil, and tells of each as a slow call of the holds that are open in its
// context: from its start until its answer has been read or closed.
//
// A slow call is named by method, host and path, as in "POST
// api.example.com/v1/charges/{id}"; never by query, header or body. A path may be
// secret, or somebody's, so of it only what is known in public is shown: versions such
// as v1, and some words of widely used interfaces, such as chat and completions. What
// else there is becomes {…}. To see more, give patterns of paths, as http.ServeMux
// takes them: of a call that matches one, the name has the pattern's path.
//
//	httphold.Transport(nil, "/orders/{id}/lines", "POST pay.example.com/refund/{token}")
//
// Transport panics where a pattern is not one, or two are in conflict, as
// http.ServeMux.Handle does.
func Transport(base http.RoundTripper, patterns ...string) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	t := transport{base: base, patterns: patterns, mux: http.NewServeMux()}
	for _, pattern := range patterns {
		t.mux.Handle(pattern, http.NotFoundHandler())
	}
	return t
}

type transport struct {
	base     http.RoundTripper
	patterns []string
	mux      *http.ServeMux // of the patterns; it serves nothing
}

// CloseIdleConnections does what base does, for http.Client.CloseIdleConnections.
func (t transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	call := pghold.StartSlowCall(r.Context(), t.name(r))
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

func (t transport) name(r *http.Request) string {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	return method + " " + r.URL.Host + t.path(method, r)
}

func (t transport) path(method string, r *http.Request) string {
	// A mux may also answer with the path itself, to which it would redirect.
	_, pattern := t.mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.URL.Host})
	if slices.Contains(t.patterns, pattern) {
		return strings.TrimSuffix(pattern[strings.IndexByte(pattern, '/'):], "{$}")
	}
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(segments) > maxSegments {
		segments = append(segments[:maxSegments], "…")
	}
	for i, s := range segments[:min(len(segments), maxSegments)] {
		if s != "" && !slices.Contains(words, s) && !version.MatchString(s) {
			segments[i] = "{…}"
		}
	}
	return "/" + strings.Join(segments, "/")
}

var version = regexp.MustCompile(`^v[0-9]{1,2}((alpha|beta)[0-9]?)?$`)

// words are shown wherever they are in a path: they are known in public, and whoever
// has one of them as a name shares it with an interface.
var words = strings.Fields(`
	api rest graphql rpc oauth oauth2 token authorize userinfo .well-known openid-configuration jwks.json
	health healthz metrics search query users accounts orders events webhooks messages
	chat completions responses embeddings models moderations batches assistants threads runs
	images generations edits audio speech transcriptions translations files uploads
	charges customers payment_intents payments refunds invoices subscriptions checkout sessions products prices`)
