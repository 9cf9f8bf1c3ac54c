package lab

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/pghold/pghold/session"
)

// chatInside asks the model with its session open.
func (a *App) chatInside(ctx context.Context) (reply, error) {
	s := session.New(a.pool, session.Options{})
	defer s.Close()
	u, err := a.readUser(ctx, s)
	if err != nil {
		return reply{}, err
	}
	//pghold:ignore that is what this route is there to measure
	text, err := a.ask(ctx, u)
	return reply{value: text}, err
}

// chatOutside closes its session, then asks the model.
func (a *App) chatOutside(ctx context.Context) (reply, error) {
	u, err := a.localUser(ctx)
	if err != nil {
		return reply{}, err
	}
	text, err := a.ask(ctx, u)
	return reply{value: text}, err
}

// streamInside passes the model's answer on with its session open: the connection is
// held for as long as the model talks, and as slowly as the client reads.
func (a *App) streamInside(ctx context.Context) (reply, error) {
	s := session.New(a.pool, session.Options{})
	u, err := a.readUser(ctx, s)
	if err != nil {
		s.Close()
		return reply{}, err
	}
	return reply{stream: func(ctx context.Context, send func(string) error) error {
		defer s.Close()
		return a.passOn(ctx, u, send)
	}}, nil
}

// streamOutside closes its session, then passes the model's answer on.
func (a *App) streamOutside(ctx context.Context) (reply, error) {
	u, err := a.localUser(ctx)
	if err != nil {
		return reply{}, err
	}
	return reply{stream: func(ctx context.Context, send func(string) error) error {
		return a.passOn(ctx, u, send)
	}}, nil
}

// streamAnswer has a session from its framework, which also ends it: at the end of
// the response (session.PerRequest), or already at the end of the handler
// (perHandler). Nothing in the handler tells which.
func (a *App) streamAnswer(ctx context.Context) (reply, error) {
	u, err := a.readUser(ctx, session.FromContext(ctx))
	if err != nil {
		return reply{}, err
	}
	return reply{stream: func(ctx context.Context, send func(string) error) error {
		return a.passOn(ctx, u, send)
	}}, nil
}

// perHandler is the framework that gives a handler a session for as long as it runs.
// What it answers is sent when the session has ended.
func perHandler(h handler) handler {
	return func(a *App, ctx context.Context) (answer reply, err error) {
		err = session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) error {
			answer, err = h(a, session.NewContext(ctx, s))
			return err
		})
		return answer, err
	}
}

func (a *App) localUser(ctx context.Context) (u *User, err error) {
	err = session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) error {
		u, err = a.readUser(ctx, s)
		return err
	})
	return u, err
}

func greeting(u *User) string { return "Greet " + u.Name }

// ask returns the model's whole answer.
func (a *App) ask(ctx context.Context, u *User) (string, error) {
	defer tripOf(ctx).slow(time.Now())
	ctx, cancel := context.WithTimeout(ctx, a.provider.timeout)
	defer cancel()
	answer, err := a.provider.model.complete(ctx, greeting(u))
	if err != nil {
		return "", failed(ctx, responseOf(err), err)
	}
	if len(answer.Choices) == 0 {
		return "", failed(ctx, nil, errors.New("its answer has no choice"))
	}
	return answer.Choices[0].Message.Content, nil
}

// passOn sends the model's answer piece by piece. A stream that ends without its
// last piece is an error.
func (a *App) passOn(ctx context.Context, u *User, send func(string) error) error {
	defer tripOf(ctx).slow(time.Now())
	ctx, cancel := context.WithTimeout(ctx, a.provider.timeout)
	defer cancel()
	whole := false
	var unsent error
	err := a.provider.model.stream(ctx, greeting(u), func(piece *completion) error {
		for _, c := range piece.Choices {
			if unsent = send(c.Delta.Content); unsent != nil {
				return unsent
			}
			whole = whole || c.FinishReason != ""
		}
		return nil
	})
	switch {
	case unsent != nil:
		return unsent
	case err != nil:
		return failed(ctx, responseOf(err), err)
	case !whole:
		return failed(ctx, nil, errors.New("its stream ended before the answer did"))
	}
	return nil
}

// responseOf is the response that an error of the model is about, or nil.
func responseOf(err error) *http.Response {
	var e *modelError
	if errors.As(err, &e) {
		return e.response
	}
	return nil
}
