package prove

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Target is one kind of request.
type Target struct {
	Name string // of the route that it counts for
	vegeta.Target
}

// ParseTarget reads "METHOD URL" or "METHOD URL @FILE", as in vegeta's format for targets;
// FILE has the body. Without a method it is GET.
func ParseTarget(text string) (Target, error) {
	words := strings.Fields(text)
	if len(words) > 0 && strings.Contains(words[0], "://") {
		words = append([]string{http.MethodGet}, words...)
	}
	if len(words) < 2 || len(words) > 3 || len(words) == 3 && !strings.HasPrefix(words[2], "@") {
		return Target{}, fmt.Errorf("%q is not METHOD URL, as 'GET http://127.0.0.1:8080/checkout/1', or METHOD URL @FILE with the body in a file", text)
	}
	t := Target{Target: vegeta.Target{Method: words[0], URL: words[1], Header: http.Header{}}}
	if len(words) == 3 {
		body, err := os.ReadFile(words[2][1:])
		if err != nil {
			return Target{}, fmt.Errorf("the body of %s %s: %w", t.Method, t.URL, err)
		}
		t.Body = body
	}
	return t, t.check()
}

// ReadTargets reads a file in vegeta's format for HTTP targets.
func ReadTargets(file string) ([]Target, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all, err := vegeta.ReadAllTargets(vegeta.NewHTTPTargeter(bytes.NewReader(b), nil, http.Header{}))
	if err != nil {
		return nil, fmt.Errorf("%s is not in vegeta's format for targets, a line METHOD URL each, headers and @FILE below: %w", file, err)
	}
	var targets []Target
	for _, v := range all {
		t := Target{Target: v}
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		targets = append(targets, t)
	}
	return targets, nil
}

var method = regexp.MustCompile(`^[A-Z]+$`)

func (t *Target) check() error {
	u, err := url.Parse(t.URL)
	switch {
	case !method.MatchString(t.Method):
		return fmt.Errorf("%q is no HTTP method: write it as GET or POST", t.Method)
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q is no URL of HTTP: write it as http://127.0.0.1:8080/checkout/1", t.URL)
	case u.User != nil:
		return errors.New("a URL to attack must not have a password: give --header 'Authorization: …'")
	}
	return nil
}

// Writes reports whether the request may change something, by its method.
func (t *Target) Writes() bool {
	return !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}, t.Method)
}

// Writes counts, by method, the requests that may write: each route is sent the given number
// of requests, and each target one before.
func Writes(targets []Target, each int) map[string]int {
	writes := map[string]int{}
	for _, r := range routesOf(targets) {
		for i, v := range r.targets {
			t := Target{Target: v}
			if !t.Writes() {
				continue
			}
			turns := each / len(r.targets)
			if i < each%len(r.targets) {
				turns++
			}
			writes[t.Method] += turns + 1
		}
	}
	return writes
}

// Address is where the target listens, as host:port.
func (t *Target) Address() string {
	u, _ := url.Parse(t.URL) // was checked
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Loopback reports whether the target is on this machine, by its name.
func (t *Target) Loopback() bool {
	host, _, _ := net.SplitHostPort(t.Address())
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

var (
	number = regexp.MustCompile(`^[0-9]+$`)
	id     = regexp.MustCompile(`^(?i:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{16,}|[0-9A-HJKMNP-TV-Z]{26})$`)
)

// RouteName is the method and the path, in which numbers are {n}, and uuids, ulids and long
// hexadecimal numbers {id}. What is behind a question mark is left out.
func (t *Target) RouteName() string {
	u, _ := url.Parse(t.URL) // was checked
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		switch {
		case number.MatchString(s):
			segments[i] = "{n}"
		case id.MatchString(s):
			segments[i] = "{id}"
		}
	}
	path := strings.Join(segments, "/")
	if path == "" {
		path = "/"
	}
	return t.Method + " " + path
}

// Attacked describes the target, without what may be secret.
func (t *Target) Attacked() experiment.Attacked {
	u, _ := url.Parse(t.URL) // was checked
	if u.RawQuery != "" {
		pairs := strings.Split(u.RawQuery, "&")
		for i, p := range pairs {
			if name, _, ok := strings.Cut(p, "="); ok {
				pairs[i] = name + "=…"
			}
		}
		u.RawQuery = strings.Join(pairs, "&")
	}
	u.Fragment = ""
	return experiment.Attacked{Name: t.Name, Method: t.Method, URL: u.String(), Body: len(t.Body)}
}

// route is targets of one name: they take turns.
type route struct {
	name    string
	file    string // what its files' names begin with
	targets []vegeta.Target
}

func (r *route) targeter() vegeta.Targeter { return vegeta.NewStaticTargeter(r.targets...) }

// notInFiles is what names of files are better without.
var notInFiles = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// routesOf are the routes of targets, in order.
func routesOf(targets []Target) (routes []route) {
	files := map[string]bool{}
	for _, t := range targets {
		i := slices.IndexFunc(routes, func(r route) bool { return r.name == t.Name })
		if i < 0 {
			stem := strings.Trim(notInFiles.ReplaceAllString(t.Name, "-"), "-.")
			stem = cmp.Or(stem[:min(len(stem), 80)], "route")
			file := stem
			for n := 2; files[file]; n++ {
				file = fmt.Sprintf("%s-%d", stem, n)
			}
			files[file] = true
			i = len(routes)
			routes = append(routes, route{name: t.Name, file: file})
		}
		routes[i].targets = append(routes[i].targets, t.Target)
	}
	return routes
}
