package main

import (
	"time"

	"github.com/pghold/pghold/experiment"
)

// settingsFlags are the experiment's settings, which all verbs that ask its
// question share.
type settingsFlags struct {
	Rate               float64       `default:"${rate}" help:"Requests per second, evenly sent." group:"Settings:"`
	Duration           time.Duration `default:"${duration}" help:"How long requests are sent." group:"Settings:"`
	Slow               time.Duration `default:"${slow}" help:"How long the slow call takes." group:"Settings:"`
	ClientTimeout      time.Duration `default:"${client_timeout}" help:"How long a client waits for its answer." group:"Settings:"`
	Pool               string        `default:"${pool}" help:"queuepool (SQLAlchemy's), pgxpool or sql (database/sql)." group:"Settings:"`
	PoolSize           int           `default:"${pool_size}" help:"Connections that the pool keeps." group:"Settings:"`
	MaxOverflow        int           `default:"${max_overflow}" help:"Connections that it may open beyond these." group:"Settings:"`
	PoolTimeout        time.Duration `default:"${pool_timeout}" help:"How long a request waits for a connection." group:"Settings:"`
	Threads            int           `default:"${threads}" help:"Sync handlers that run at once." group:"Settings:"`
	CancelOnDisconnect bool          `help:"End a handler's work when its client has gone." group:"Settings:"`
	Speed              float64       `default:"${speed}" help:"Run so many times as fast: durations divided, the rate multiplied, figures turned back." group:"Settings:"`
}

func (f settingsFlags) settings() (experiment.Settings, error) {
	s := experiment.Settings{
		Rate: f.Rate, Duration: f.Duration, Slow: f.Slow, ClientTimeout: f.ClientTimeout,
		Pool: f.Pool, PoolSize: f.PoolSize, MaxOverflow: f.MaxOverflow, PoolTimeout: f.PoolTimeout,
		Threads: f.Threads, CancelOnDisconnect: f.CancelOnDisconnect, Speed: f.Speed,
	}
	return s, usage(s.Validate())
}
