// Package rate is a stub.
package rate

import "context"

type Limiter struct{ n int }

func (l *Limiter) Wait(ctx context.Context) error { return nil }
func (l *Limiter) Allow() bool                    { return l.n > 0 }
