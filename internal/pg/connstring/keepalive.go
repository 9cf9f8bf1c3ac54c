package connstring

import (
	"cmp"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Keepalive has connections notice a network that is lost without a word when libpq's would.
// pgx does not know these parameters, and would send them to the server. Where none is
// given, it is when Go's do: after 15 s without a word it asks every 15 s, nine times.
// Parse does that.
func Keepalive(cc *pgx.ConnConfig) error {
	values := map[string]int{}
	for _, name := range []string{"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"} {
		text, ok := cc.RuntimeParams[name]
		if !ok {
			continue
		}
		delete(cc.RuntimeParams, name)
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("the value of " + name + " is not valid")
		}
		values[name] = n
	}
	if len(values) == 0 {
		return nil
	}
	on, given := values["keepalives"]
	d := net.Dialer{KeepAlive: -1}
	if !given || on != 0 {
		// As in libpq, 0 and less are the system's own, which is -1 here.
		d.KeepAliveConfig = net.KeepAliveConfig{
			Enable: true, Count: max(-1, cmp.Or(values["keepalives_count"], -1)),
			Idle:     time.Duration(max(-1, cmp.Or(values["keepalives_idle"], -1))) * time.Second,
			Interval: time.Duration(max(-1, cmp.Or(values["keepalives_interval"], -1))) * time.Second,
		}
	}
	if ms := values["tcp_user_timeout"]; ms > 0 {
		d.Control = userTimeout(ms)
	}
	cc.DialFunc = d.DialContext
	return nil
}
