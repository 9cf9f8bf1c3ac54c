package lab

import (
	"context"
	"net"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
	"github.com/pghold/pghold/internal/pg/connstring"
)

// Network is what connects the parts of the lab with each other and with the
// database. nil is this machine's: sockets on loopback, and the database wherever it
// is.
//
// One in memory, in a testing/synctest bubble, makes a run one in virtual time.
// Speed must be 1 then, and nothing of the lab runs in a process of its own. Where it
// also has a method Sleep(context.Context, time.Duration) error, that is how the routes
// that only sleep make their slow call, so that each can have a length of its own.
type Network interface {
	Listen() (net.Listener, error)
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// listen listens where the other parts of the lab can connect.
func listen(n Network) (net.Listener, error) {
	if n != nil {
		return n.Listen()
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// openSampler connects what watches the server's sessions.
func (db *Database) openSampler(ctx context.Context) (*activity.Sampler, error) {
	cc, err := connstring.Parse(db.dsn)
	if err != nil {
		return nil, err
	}
	if db.network != nil {
		cc.DialFunc = db.network.Dial
	}
	return activity.OpenConfig(ctx, cc)
}

// exactly returns what waits for a time that should not be too long by a millisecond.
func exactly(n Network) func(context.Context, time.Duration) error {
	if n != nil {
		return sleep // a clock in virtual time is always exact
	}
	return sleepExactly
}
