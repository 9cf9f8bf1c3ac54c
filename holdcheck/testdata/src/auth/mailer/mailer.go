// Package mailer writes mails and hands them to a client.
package mailer

import (
	"context"
	"errors"
	"strings"
)

// Mailer is what handlers know of mail.
type Mailer interface {
	Confirm(ctx context.Context, to string) error
	ChangeAddress(ctx context.Context, from, to string) error
	Valid(to string) error
}

// Client sends a mail that is written.
type Client interface {
	Mail(ctx context.Context, to, subject, body string) error
}

type templated struct{ client Client }

func New(c Client) Mailer { return &templated{c} }

func (m *templated) Valid(to string) error {
	if !strings.Contains(to, "@") {
		return errors.New("mailer: no address")
	}
	return nil
}

func (m *templated) Confirm(ctx context.Context, to string) error {
	return m.send(ctx, to, "confirm")
}

func (m *templated) send(ctx context.Context, to, what string) error {
	return m.client.Mail(ctx, to, "Please "+what, "Dear "+to)
}

// ChangeAddress writes to both addresses at once and waits for both.
func (m *templated) ChangeAddress(ctx context.Context, from, to string) error {
	sent := make(chan error)
	for _, address := range []string{from, to} {
		go func() { sent <- m.send(ctx, address, "change") }()
	}
	var err error
	for range 2 {
		err = errors.Join(err, <-sent)
	}
	return err
}
