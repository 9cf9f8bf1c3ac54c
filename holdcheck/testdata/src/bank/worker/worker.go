// Package worker distributes and processes tasks.
package worker

import (
	"context"
	"net/smtp"

	"github.com/hibiken/asynq"

	"bank/db"
)

type Distributor interface {
	SendVerifyMail(ctx context.Context, name string) error
}

type redisDistributor struct{ client *asynq.Client }

func NewDistributor(addr string) Distributor { return &redisDistributor{asynq.NewClient(addr)} }

func (d *redisDistributor) SendVerifyMail(ctx context.Context, name string) error {
	_, err := d.client.EnqueueContext(ctx, asynq.NewTask("verify", []byte(name)))
	return err
}

type Processor struct{ Store db.Store }

// okProcess has two statements and no transaction.
func (p *Processor) okProcess(ctx context.Context, name string) error {
	u, err := p.Store.CreateUser(ctx, name)
	if err != nil {
		return err
	}
	if err := p.Store.AddBalance(ctx, 1, 1); err != nil {
		return err
	}
	return smtp.SendMail("mx:25", nil, "a@example.com", []string{u.Mail}, nil)
}

func (p *Processor) Process(ctx context.Context, name string) error { return p.okProcess(ctx, name) }
