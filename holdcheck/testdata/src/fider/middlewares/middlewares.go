// Package middlewares wraps handlers.
package middlewares

import (
	"time"

	"fider/dbx"
	"fider/web"
)

// Setup opens a transaction for each request.
func Setup() web.MiddlewareFunc {
	return func(next web.HandlerFunc) web.HandlerFunc {
		return func(c *web.Context) error {
			trx, err := dbx.BeginTx(c.Request.Context())
			if err != nil {
				return err
			}
			c.Trx = trx
			defer func() {
				if v := recover(); v != nil {
					trx.Rollback()
				}
			}()
			if err := next(c); err != nil { // wantcheck "medium http"
				trx.Rollback()
				return err
			}
			return c.Commit()
		}
	}
}

// okLog opens nothing.
func okLog(clock func() time.Time) web.MiddlewareFunc {
	return func(next web.HandlerFunc) web.HandlerFunc {
		return func(c *web.Context) error {
			begin := clock()
			err := next(c)
			println(c.Request.URL.Path, clock().Sub(begin))
			return err
		}
	}
}

// okCount writes in a transaction of its own, before the handler runs.
func okCount(next web.HandlerFunc) web.HandlerFunc {
	return func(c *web.Context) error {
		trx, err := dbx.BeginTx(c.Request.Context())
		if err != nil {
			return err
		}
		if err := trx.Execute("insert into visits"); err != nil {
			trx.Rollback()
			return err
		}
		trx.MustCommit()
		return next(c)
	}
}

func All() []web.MiddlewareFunc { return []web.MiddlewareFunc{okLog(time.Now), okCount, Setup()} }
