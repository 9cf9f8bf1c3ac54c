// Package amqp091 is a stub: signatures only.
package amqp091

import "context"

type Publishing struct{ Body []byte }

type Channel struct{ id int }

func (ch *Channel) PublishWithContext(ctx context.Context, exchange, key string, mandatory, immediate bool, msg Publishing) error {
	return nil
}
