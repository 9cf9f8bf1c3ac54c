package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// readiness is what a command has to do to be ready.
type readiness struct {
	addresses []string // that it listens on
	url       string   // that it answers, where there is one
}

func newReadiness(cfg Config) (readiness, error) {
	r := readiness{addresses: cfg.Listens, url: cfg.Ready}
	if r.url == "" {
		return r, nil
	}
	u, err := url.Parse(r.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return r, errors.New("--ready is no URL: write it as http://127.0.0.1:8080/health")
	}
	r.addresses = append([]string{address(u)}, r.addresses...)
	return r, nil
}

// address is where a URL leads.
func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = u.Scheme // which is the name of its port
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// free is an error if somebody is there already: what is measured then would be
// another program.
func (r readiness) free(ctx context.Context) error {
	for _, a := range r.addresses {
		if dial(ctx, a) == nil {
			return inUse("is in use already", a)
		}
	}
	return ctx.Err()
}

func inUse(how, address string) error {
	_, port, _ := net.SplitHostPort(address)
	return fmt.Errorf("port %s %s by another program, at %s: end that, or have the command listen on another port and attack it there", port, how, address)
}

func dial(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	return err
}

// ask is nil if the command is ready.
func (r readiness) ask(ctx context.Context) error {
	if r.url != "" {
		return get(ctx, r.url)
	}
	for _, a := range r.addresses {
		if err := dial(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// client asks each time anew and directly, and follows nothing: a redirect is an answer.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func get(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return errors.Unwrap(err) // without the URL
	}
	res.Body.Close()
	if res.StatusCode >= 500 {
		return fmt.Errorf("it answers %s", printable.Line(res.Status))
	}
	return nil
}

var (
	errEnded = errors.New("it has ended")
	errLate  = errors.New("it is late")
)

// ready waits until the service is.
func (s *Service) ready(ctx context.Context, r readiness, late <-chan time.Time) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.done:
			cancel(errEnded)
		case <-late:
			cancel(errLate)
		case <-ctx.Done():
		}
	}()
	last := await(ctx, r.ask, func(waited time.Duration, last error) {
		s.cfg.say("%s is not ready after %s: %v.", s.cfg.name(), words.Short(waited), last)
	})
	if last == nil { // who has answered may be another program, that came in between
		for _, a := range r.addresses {
			if s.family.taken(a) {
				return inUse("was taken, while "+s.cfg.name()+" started,", a)
			}
		}
		select {
		case <-s.done:
			cancel(errEnded)
		default:
			return nil
		}
	}
	switch cause := context.Cause(ctx); cause {
	case errEnded:
		hint := ""
		if s.how == success {
			hint = "; it has to stay in the foreground"
		}
		return fmt.Errorf("%s ended before it was ready: %s%s; %s", s.cfg.name(), s.how, hint, s.Printed())
	case errLate:
		return fmt.Errorf("%s %s; %s", s.cfg.name(), s.lateness(r, last), s.Printed())
	default:
		return fmt.Errorf("%s was not waited for: %w", s.cfg.name(), cause)
	}
}

// slow is how often the user is told what is being waited for.
const slow = 10 * time.Second

// await asks again and again until the answer is nil or ctx ends, and then returns the
// last answer before that. Now and then it tells somebody.
func await(ctx context.Context, ask func(context.Context) error, tell func(waited time.Duration, last error)) error {
	const pause = 50 * time.Millisecond
	began := time.Now()
	tick := time.NewTicker(slow)
	defer tick.Stop()
	last := errors.New("it has not answered")
	for {
		answer := make(chan error, 1)
		go func() { answer <- ask(ctx) }()
		for asking := true; asking; {
			select {
			case err := <-answer:
				asking = false
				if ctx.Err() != nil {
					break // whatever it is, it is no answer
				}
				if last = err; err == nil {
					return nil
				}
			case <-tick.C:
				tell(time.Since(began), last)
			}
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(pause):
		}
	}
}

// lateness says what the command does not do, and what it does instead.
func (s *Service) lateness(r readiness, last error) string {
	after := words.Plain(s.cfg.Within)
	listening, known := s.family.listening()
	if r.url != "" {
		text := fmt.Sprintf("does not answer GET %s after %s (%v)", printable.Line(r.url), after, last)
		if !known || onPortOf(r.addresses[0], listening) {
			return text
		}
		return text + ", and it listens " + places(listening)
	}
	text := fmt.Sprintf("does not listen on %s after %s", strings.Join(r.addresses, " and "), after)
	if !known {
		return text
	}
	return text + ", but " + places(listening)
}

// places says where a command listens in the middle of a sentence.
func places(listening []string) string {
	if len(listening) == 0 {
		return "on no port at all"
	}
	return "on " + strings.Join(listening, " and ") + ": is that the port of --attack?"
}

// onPortOf reports whether somebody listens on the port of an address, on whichever host.
func onPortOf(address string, listening []string) bool {
	_, port, _ := net.SplitHostPort(address)
	for _, l := range listening {
		if strings.HasSuffix(l, ":"+port) {
			return true
		}
	}
	return false
}
