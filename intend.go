package pghold

import "context"

// Intend says that the connections which are taken in the context that it returns are
// held on purpose, and why: to listen for notifications, for an advisory lock, to lead an
// election. The reason takes the place of the route, so there should be few of them.
//
//	conn, err := pool.Acquire(pghold.Intend(ctx, "LISTEN orders"))
//
// Such holds are counted apart (Series.Intended, Hold.Intended). No alert is about them:
// holdtest finds nothing in them, Holders and shortages leave them out, and metrics of the
// longest open holds too. They are connections that others cannot have, all the same.
//
// A connection that is hijacked out of a pool counts as held until
// pgxhold.Released is called, or nobody has it any more: take it so where it is kept.
// What is done for others in the meantime is not intended: give it a context of its own,
// by [Do] or [WithRoute], or without.
func Intend(ctx context.Context, reason string) context.Context {
	if reason == "" {
		panic("pghold: Intend needs a reason, and got none")
	}
	s := newNamedScope(ctx, reason)
	s.intended = true
	return context.WithValue(ctx, scopeKey{}, s)
}
