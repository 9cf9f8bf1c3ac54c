package queuepool

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Tracer is told of checkouts. A Config.ConnConfig.Tracer that has these methods
// beside those of pgx is used; pgxhold's has them. Where it also has a method
// Holders(context.Context) []string, a TimeoutError names who holds the pool's
// connections; it is asked once for each caller who timed out, by many at the same time,
// when that caller has left the queue. A method TracePool(func() (open, most int, closed bool)) is
// called by New, with what says how many connections are open and how many may be, 0 where
// there is no limit, and whether the pool was closed.
type Tracer interface {
	// TraceCheckoutStart is called at the beginning of Acquire. The context that
	// it returns is used for the rest of it.
	TraceCheckoutStart(ctx context.Context) context.Context
	// TraceCheckoutEnd is called at the end of Acquire, with a connection or an
	// error.
	TraceCheckoutEnd(ctx context.Context, conn *pgx.Conn, err error)
	// TraceCheckin is called by Release, after the rollback that it may have made
	// and before anybody else gets the connection.
	TraceCheckin(conn *pgx.Conn)
}

// Config says how a Pool behaves. Make one with NewConfig, which fills in
// SQLAlchemy's defaults, and change what should differ.
type Config struct {
	// ConnConfig is how connections are opened. Its ConnectTimeout, the string's
	// connect_timeout, bounds the attempt at each of its hosts; 0 means 10 s.
	ConnConfig *pgx.ConnConfig

	// Size is how many connections are kept when nobody uses them; 0 means that
	// there is no limit, neither of those kept nor of those open. Default 5.
	Size int

	// MaxOverflow is how many connections may be open beyond Size; -1 means that
	// there is no limit. Default 10.
	MaxOverflow int

	// Timeout is how long Acquire waits for a connection to come back. Opening
	// one is not included. Default 30 s.
	Timeout time.Duration

	// UseLIFO hands out the idle connection that was used last instead of the
	// one that has been idle longest. Default false.
	UseLIFO bool

	// Recycle is the age at which a connection is replaced when it is checked
	// out; 0 means never. Default 0.
	Recycle time.Duration

	// PrePing asks the server whether a connection still works before it is
	// checked out, at the price of a round trip. One that has not answered after
	// 2 s is replaced, and so are all that are as old. Default false.
	PrePing bool
}

// NewConfig returns SQLAlchemy's defaults for connections that are opened as cc says,
// which pgx.ParseConfig makes of a connection string. It panics where cc is nil.
func NewConfig(cc *pgx.ConnConfig) *Config {
	if cc == nil {
		panic("queuepool: NewConfig needs pgx's configuration, and got nil: make it with pgx.ParseConfig")
	}
	return &Config{ConnConfig: cc, Size: 5, MaxOverflow: 10, Timeout: 30 * time.Second}
}

func (c *Config) validate() error {
	switch {
	case c == nil || c.ConnConfig == nil:
		return fmt.Errorf("queuepool: no ConnConfig: make the Config with NewConfig")
	case c.Size < 0:
		return fmt.Errorf("queuepool: Size is %d: it must be 0 (no limit) or more", c.Size)
	case c.MaxOverflow < -1:
		return fmt.Errorf("queuepool: MaxOverflow is %d: it must be -1 (no limit) or more", c.MaxOverflow)
	case c.Timeout < 0:
		return fmt.Errorf("queuepool: Timeout is %v: it must not be negative", c.Timeout)
	case c.Recycle < 0:
		return fmt.Errorf("queuepool: Recycle is %v: it must be 0 (never) or more", c.Recycle)
	}
	return nil
}
