// Command main wires the service.
package main

import (
	"database/sql"
	"log"
	"net/http"

	"auth/api"
	"auth/hooks"
	"auth/mailer"
	"auth/sms"
	"auth/smtpclient"
	"auth/storage"
)

func main() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		log.Fatal(err)
	}
	client := &smtpclient.Checked{Next: &smtpclient.Client{Host: "mx:25", From: "a@example.com"}}
	a := api.New(storage.New(db), mailer.New(client), &sms.Twirl{Client: http.DefaultClient}, &hooks.Manager{})
	log.Fatal(http.ListenAndServe(":8080", a.Routes()))
}
