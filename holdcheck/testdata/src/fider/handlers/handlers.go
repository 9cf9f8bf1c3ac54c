// Package handlers answers requests, inside the transaction of the middleware.
package handlers

import (
	"encoding/json"
	"net/http"
	"net/smtp"

	"golang.org/x/oauth2"

	"fider/web"
)

var provider = &oauth2.Config{}

// OAuth exchanges a code: the middleware's transaction waits.
func OAuth() web.HandlerFunc {
	return func(c *web.Context) error {
		t, err := provider.Exchange(c.Request.Context(), c.Request.FormValue("code"))
		if err != nil {
			return err
		}
		return c.Trx.Execute("insert into tokens", t.AccessToken)
	}
}

// okSignIn enqueues its mail until after the commit.
func okSignIn() web.HandlerFunc {
	return func(c *web.Context) error {
		if err := c.Trx.Execute("insert into keys"); err != nil {
			return err
		}
		c.Enqueue(func() error { return smtp.SendMail("mx:25", nil, "a@example.com", nil, nil) })
		return json.NewEncoder(c.Response).Encode(http.StatusOK)
	}
}

func Routes(e *web.Engine) {
	e.Handle("/oauth", OAuth())
	e.Handle("/signin", okSignIn())
}
