package experiment

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

type settingsJSON struct {
	Rate               float64 `json:"rate_per_s"`
	Duration           seconds `json:"duration_s"`
	Slow               seconds `json:"slow_s"`
	SlowShape          string  `json:"slow_shape"`
	ClientTimeout      seconds `json:"client_timeout_s"`
	Pool               string  `json:"pool"`
	PoolSize           int     `json:"pool_size"`
	MaxOverflow        int     `json:"max_overflow"`
	PoolTimeout        seconds `json:"pool_timeout_s"`
	Threads            int     `json:"threads"`
	CancelOnDisconnect bool    `json:"cancel_on_disconnect"`
	MaxInFlight        int     `json:"max_in_flight,omitempty"`
	IdleInTransaction  seconds `json:"idle_in_transaction_session_timeout_s,omitempty"`
	Transaction        seconds `json:"transaction_timeout_s,omitempty"`
	Distance           seconds `json:"distance_s,omitempty"`
	PgBouncer          int     `json:"pgbouncer_connections,omitempty"`
	Accounts           int     `json:"accounts"`
	Speed              float64 `json:"speed"`
	Postgres           string  `json:"postgres,omitempty"`
}

// MarshalJSON writes every duration as seconds. What is off is left out.
func (s Settings) MarshalJSON() ([]byte, error) {
	return json.Marshal(settingsJSON{
		s.Rate, seconds(s.Duration), seconds(s.Slow), s.SlowShape, seconds(s.ClientTimeout), s.Pool, s.PoolSize,
		s.MaxOverflow, seconds(s.PoolTimeout), s.Threads, s.CancelOnDisconnect, s.MaxInFlight,
		seconds(s.IdleInTransactionTimeout), seconds(s.TransactionTimeout), seconds(s.Distance), s.PgBouncer, s.Accounts,
		s.Speed, s.Postgres,
	})
}

// UnmarshalJSON reads what MarshalJSON wrote. What an earlier version did not write
// has its default.
func (s *Settings) UnmarshalJSON(b []byte) error {
	d := Defaults()
	j := settingsJSON{SlowShape: d.SlowShape, Accounts: d.Accounts}
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*s = Settings{
		Rate: j.Rate, Duration: time.Duration(j.Duration), Slow: time.Duration(j.Slow), SlowShape: j.SlowShape,
		ClientTimeout: time.Duration(j.ClientTimeout), Pool: j.Pool, PoolSize: j.PoolSize, MaxOverflow: j.MaxOverflow,
		PoolTimeout: time.Duration(j.PoolTimeout), Threads: j.Threads, CancelOnDisconnect: j.CancelOnDisconnect,
		MaxInFlight: j.MaxInFlight, IdleInTransactionTimeout: time.Duration(j.IdleInTransaction),
		TransactionTimeout: time.Duration(j.Transaction), Distance: time.Duration(j.Distance), PgBouncer: j.PgBouncer,
		Accounts: j.Accounts, Speed: j.Speed, Postgres: j.Postgres,
	}
	return nil
}

// seconds is a duration as JSON has it: a number of seconds.
type seconds time.Duration

func (s seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(s) / float64(time.Second))
}

func (s *seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	if math.Abs(f) > math.MaxInt64/float64(time.Second) {
		return fmt.Errorf("%v s is longer than a duration can be", f)
	}
	*s = seconds(math.Round(f * float64(time.Second)))
	return nil
}
