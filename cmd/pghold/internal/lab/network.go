package lab

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// traffic is what an app's connections did on their way to the database.
type traffic struct {
	roundTrips atomic.Int64

	mu      sync.Mutex
	opening []time.Duration // how long each took, from the dialling until it can be used
}

func (t *traffic) opened(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opening = append(t.opening, d)
}

// openings are those of by now, in the experiment's own time.
func (t *traffic) openings(speed float64) experiment.Quantiles {
	t.mu.Lock()
	defer t.mu.Unlock()
	return experiment.NewQuantiles(experiment.StretchAll(t.opening, speed))
}

// distant is a connection to a database that is some way off: what the server answers
// arrives a round trip's time later. It counts the round trips, a read after
// something was written being one.
type distant struct {
	net.Conn
	distance time.Duration // the time of a round trip
	sleep    func(context.Context, time.Duration) error
	traffic  *traffic
	dialled  time.Time
	counting atomic.Bool // opening the connection is over
	wrote    atomic.Bool
}

// install makes a configuration's connections distant, and count what they do.
func install(cc *pgconn.Config, distance time.Duration, sleep func(context.Context, time.Duration) error, t *traffic) {
	dial, after := cc.DialFunc, cc.AfterConnect
	var opening sync.Map // from local address to *distant: pools and TLS wrap connections further
	cc.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		began := time.Now()
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		d := &distant{Conn: c, distance: distance, sleep: sleep, traffic: t, dialled: began}
		opening.Store(c.LocalAddr().String(), d)
		return d, nil
	}
	cc.AfterConnect = func(ctx context.Context, pc *pgconn.PgConn) error {
		if after != nil {
			if err := after(ctx, pc); err != nil {
				return err
			}
		}
		if d, ok := opening.LoadAndDelete(pc.Conn().LocalAddr().String()); ok {
			d := d.(*distant)
			t.opened(time.Since(d.dialled))
			d.counting.Store(true)
		}
		return nil
	}
}

func (d *distant) Write(b []byte) (int, error) {
	d.wrote.Store(true)
	return d.Conn.Write(b)
}

// Read delivers the first part of an answer a round trip's time after the server gave
// it. A time-out of the connection that falls into this time is noticed at its end.
// Whether it is the first is asked when it has come: where a write takes long, pgx
// begins to read in the background, and that read may end with a later answer.
func (d *distant) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if n == 0 || !d.wrote.Swap(false) {
		return n, err
	}
	if d.counting.Load() {
		d.traffic.roundTrips.Add(1)
	}
	if d.distance > 0 {
		d.sleep(context.Background(), d.distance)
	}
	return n, err
}
