// Package experiment holds the question that pghold asks and the answer to it,
// as types and JSON: Settings (how much load, how many connections, how slow
// the slow call), Route (what a handler does with its session) and Result (what
// was measured or predicted). The lab measures a Result, plan predicts one, and
// report shows either; they meet only here.
//
// It starts nothing, measures nothing and draws nothing.
package experiment

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The pools that the app can run on.
const (
	QueuePool = "queuepool" // SQLAlchemy's QueuePool: size, overflow, timeout
	PgxPool   = "pgxpool"   // github.com/jackc/pgx/v5/pgxpool
	SQLPool   = "sql"       // database/sql over pgx's driver
)

// Pools are the values that Settings.Pool may have.
var Pools = []string{QueuePool, PgxPool, SQLPool}

// Settings is the question: the load, the pool and the slow call. All times are
// the experiment's own, whatever Speed it is run at.
type Settings struct {
	// Rate is how many requests are sent per second, evenly. Default 100.
	Rate float64
	// Duration is how long requests are sent. Default 5 s.
	Duration time.Duration
	// Slow is how long the slow call takes; it may be zero. Default 2 s.
	Slow time.Duration
	// ClientTimeout is how long a client waits for its answer. Default 30 s.
	ClientTimeout time.Duration
	// Pool is the pool that hands out connections, one of Pools. Default queuepool.
	Pool string
	// PoolSize is how many connections the pool keeps. Default 5.
	PoolSize int
	// MaxOverflow is how many connections it may open beyond PoolSize while all
	// are in use. Default 10.
	MaxOverflow int
	// PoolTimeout is how long a request waits for a connection. Default 30 s.
	PoolTimeout time.Duration
	// Threads is how many sync handlers run at once. Default 40.
	Threads int
	// CancelOnDisconnect ends a handler's work when its client has gone, as
	// net/http does by default and FastAPI does not. Default false.
	CancelOnDisconnect bool
	// Speed runs the experiment so many times as fast: every duration divided,
	// the rate multiplied. Default 1.
	Speed float64
	// Postgres is the server's version, as it reports it; empty before a run.
	Postgres string
}

// Defaults are the seed experiment's settings.
func Defaults() Settings {
	return Settings{
		Rate:          100,
		Duration:      5 * time.Second,
		Slow:          2 * time.Second,
		ClientTimeout: 30 * time.Second,
		Pool:          QueuePool,
		PoolSize:      5,
		MaxOverflow:   10,
		PoolTimeout:   30 * time.Second,
		Threads:       40,
		Speed:         1,
	}
}

// Connections is the most connections that the pool may have open.
func (s Settings) Connections() int { return s.PoolSize + s.MaxOverflow }

// Requests is how many requests an attack of these settings sends, at most.
func (s Settings) Requests() int { return int(math.Round(s.Rate * s.Duration.Seconds())) }

// InFlight is the most requests that can be under way at once: no client waits
// longer than its timeout.
func (s Settings) InFlight() int {
	return min(s.Requests(), int(math.Ceil(s.Rate*s.ClientTimeout.Seconds())))
}

// Compressed returns the settings in wall-clock time: the durations divided by
// Speed, the rate multiplied.
func (s Settings) Compressed() Settings {
	s.Rate *= s.Speed
	for _, d := range []*time.Duration{&s.Duration, &s.Slow, &s.ClientTimeout, &s.PoolTimeout} {
		*d = time.Duration(float64(*d) / s.Speed)
	}
	s.Speed = 1
	return s
}

// SameQuestion reports whether two settings ask the same: it leaves out how fast
// the experiment was run and which server it ran on.
func (s Settings) SameQuestion(other Settings) bool {
	s.Speed, s.Postgres = other.Speed, other.Postgres
	return s == other
}

// Collapses reports whether a lasting overload would bring the goodput of a
// route that holds its connection through the slow call down to nothing: the
// load is more than the pool can carry, and a request may wait so long for its
// connection that its client has gone before the answer is there.
func (s Settings) Collapses() bool {
	overloaded := s.Rate*s.Slow.Seconds() > float64(s.Connections())
	return overloaded && s.PoolTimeout >= s.ClientTimeout-s.Slow
}

// Validate says in one sentence what is wrong with the settings, naming the flag.
func (s Settings) Validate() error {
	positive := func(flag string, v float64, unit string) error {
		if v > 0 && !math.IsInf(v, 0) {
			return nil
		}
		return fmt.Errorf("--%s must be above zero, not %v%s", flag, v, unit)
	}
	for _, err := range []error{
		positive("rate", s.Rate, " per second"),
		positive("duration", s.Duration.Seconds(), " s"),
		positive("client-timeout", s.ClientTimeout.Seconds(), " s"),
		positive("pool-timeout", s.PoolTimeout.Seconds(), " s"),
		positive("pool-size", float64(s.PoolSize), ""),
		positive("threads", float64(s.Threads), ""),
		positive("speed", s.Speed, ""),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case s.Slow < 0:
		return fmt.Errorf("--slow must not be negative, not %v", s.Slow)
	case s.MaxOverflow < 0:
		return fmt.Errorf("--max-overflow must not be negative, not %d", s.MaxOverflow)
	case s.Requests() < 1:
		return fmt.Errorf("--rate %v for --duration %v sends no request: make one of them larger", s.Rate, s.Duration)
	case !slices.Contains(Pools, s.Pool):
		return fmt.Errorf("--pool must be one of %s, not %q", strings.Join(Pools, ", "), s.Pool)
	}
	return nil
}

type settingsJSON struct {
	Rate               float64 `json:"rate_per_s"`
	Duration           seconds `json:"duration_s"`
	Slow               seconds `json:"slow_s"`
	ClientTimeout      seconds `json:"client_timeout_s"`
	Pool               string  `json:"pool"`
	PoolSize           int     `json:"pool_size"`
	MaxOverflow        int     `json:"max_overflow"`
	PoolTimeout        seconds `json:"pool_timeout_s"`
	Threads            int     `json:"threads"`
	CancelOnDisconnect bool    `json:"cancel_on_disconnect"`
	Speed              float64 `json:"speed"`
	Postgres           string  `json:"postgres,omitempty"`
}

// MarshalJSON writes every duration as seconds.
func (s Settings) MarshalJSON() ([]byte, error) {
	return json.Marshal(settingsJSON{
		s.Rate, seconds(s.Duration), seconds(s.Slow), seconds(s.ClientTimeout), s.Pool, s.PoolSize,
		s.MaxOverflow, seconds(s.PoolTimeout), s.Threads, s.CancelOnDisconnect, s.Speed, s.Postgres,
	})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Settings) UnmarshalJSON(b []byte) error {
	var j settingsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*s = Settings{
		j.Rate, time.Duration(j.Duration), time.Duration(j.Slow), time.Duration(j.ClientTimeout), j.Pool, j.PoolSize,
		j.MaxOverflow, time.Duration(j.PoolTimeout), j.Threads, j.CancelOnDisconnect, j.Speed, j.Postgres,
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
