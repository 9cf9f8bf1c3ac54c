package lab

import (
	"context"

	"github.com/pghold/pghold/session"
)

// thinkOfNothing has a session from its framework, reads with it, and makes its slow
// call. It does not show that the connection is held, but it is.
func (a *App) thinkOfNothing(ctx context.Context) (reply, error) {
	u, err := a.readUser(ctx, session.FromContext(ctx))
	if err != nil {
		return reply{}, err
	}
	//pghold:ignore that is what this route is there to measure
	if err := a.slowCall(ctx); err != nil {
		return reply{}, err
	}
	return reply{value: u}, nil
}

// commitBeforeCall keeps the request's session, and commits before the slow call:
// that gives the connection back.
func (a *App) commitBeforeCall(ctx context.Context) (reply, error) {
	s := session.FromContext(ctx)
	u, err := a.readUser(ctx, s)
	if err != nil {
		return reply{}, err
	}
	if err := s.Commit(ctx); err != nil {
		return reply{}, err
	}
	if err := a.slowCall(ctx); err != nil {
		return reply{}, err
	}
	return reply{value: u}, nil
}

// commitThenTouch is what becomes of it where objects expire at the commit, as they
// do in SQLAlchemy unless expire_on_commit is off: reading the user's name after the
// commit reads it from the database again, which takes a connection and begins a
// transaction, and the slow call is inside of both.
func (a *App) commitThenTouch(ctx context.Context) (reply, error) {
	s := session.FromContext(ctx)
	if _, err := a.readUser(ctx, s); err != nil {
		return reply{}, err
	}
	if err := s.Commit(ctx); err != nil {
		return reply{}, err
	}
	u, err := a.readUser(ctx, s) // user.name, in SQLAlchemy
	if err != nil {
		return reply{}, err
	}
	//pghold:ignore that is what this route is there to measure
	if err := a.slowCall(ctx); err != nil {
		return reply{}, err
	}
	return reply{value: u}, nil
}

// releaseAndResume keeps the request's session, which is released for the slow call
// and goes on after it.
func (a *App) releaseAndResume(ctx context.Context) (reply, error) {
	s := session.FromContext(ctx)
	u, err := a.readUser(ctx, s)
	if err != nil {
		return reply{}, err
	}
	if err := s.Outside(ctx, a.slowCall); err != nil {
		return reply{}, err
	}
	if err := a.writeVisit(ctx, s, u); err != nil {
		return reply{}, err
	}
	return reply{value: u}, s.Commit(ctx)
}

// autocommitInside reads without a transaction, and keeps its session open through
// the slow call. The server has nothing open, but the connection is held all the
// same: only a PgBouncer in between has something from it.
func (a *App) autocommitInside(ctx context.Context) (reply, error) {
	s := session.New(a.pool, session.Options{Autocommit: true})
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

// autocommitLocal reads without a transaction in a session of its own: one round
// trip, and the connection is back.
func (a *App) autocommitLocal(ctx context.Context) (reply, error) {
	var u *User
	err := session.Local(ctx, a.pool, session.Options{Autocommit: true}, func(s *session.Session) (err error) {
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

// twoLocalSessions reads in one session and writes in another, with the slow call
// in between and no connection held.
func (a *App) twoLocalSessions(ctx context.Context) (reply, error) {
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
	err = session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) error {
		return a.writeVisit(ctx, s, u)
	})
	return reply{value: u}, err
}

func (a *App) writeVisit(ctx context.Context, s *session.Session, u *User) error {
	_, err := s.Exec(ctx, a.sql.insertVisit, u.ID)
	return err
}
