package lab

import (
	"context"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/session"
)

// User is what most routes answer.
type User struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// inside makes the slow call with its session open: connection and transaction
// are held through it.
func (a *App) inside(ctx context.Context) (reply, error) {
	s := session.New(a.pool, session.Options{})
	defer s.Close()
	u, err := a.readUser(ctx, s)
	if err != nil {
		return reply{}, err
	}
	//pghold:ignore that is what this route is there to measure
	if err := a.slowCall(ctx); err != nil {
		return reply{}, err
	}
	return reply{value: u}, nil
}

// outside closes its session before it makes the slow call.
func (a *App) outside(ctx context.Context) (reply, error) {
	var u *User
	err := session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) (err error) {
		u, err = a.readUser(ctx, s)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	if err := a.slowCall(ctx); err != nil {
		return reply{}, err
	}
	return reply{value: u}, nil
}

func (a *App) readUser(ctx context.Context, s *session.Session) (*User, error) {
	u := &User{}
	if err := s.QueryRow(ctx, a.sql.selectUser, 1).Scan(&u.ID, &u.Name); err != nil {
		return nil, err
	}
	return u, nil
}

// slowCall stands for the language model or the payment provider.
func (a *App) slowCall(ctx context.Context) error {
	if a.settings.Slow == 0 {
		return nil
	}
	defer pghold.StartSlowCall(ctx, "sleep").End()
	defer tripOf(ctx).slow(time.Now())
	return a.sleep(ctx, a.settings.Slow)
}

// sleep waits for d or until ctx ends, whose error it then returns.
func (a *App) sleep(ctx context.Context, d time.Duration) error {
	if n, ok := a.network.(interface {
		Sleep(context.Context, time.Duration) error
	}); ok {
		return n.Sleep(ctx, d)
	}
	if a.compressed {
		return exactly(a.network)(ctx, d)
	}
	return sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
