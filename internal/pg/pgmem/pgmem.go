// Package pgmem is a Postgres in memory, for tests in virtual time: in a
// testing/synctest bubble, where a real one stops the clock, the experiment runs
// against it in no time and comes out the same every time.
//
// It speaks the protocol: startup, simple and extended queries, errors, transaction
// status, cancel requests, termination. It has what the experiment's questions depend
// on: rows with locks and a queue of those who wait for them, what others see before a
// commit, idle_in_transaction_session_timeout, transaction_timeout, a limit of
// connections, and pg_stat_activity. A test gives the same statements to a real
// Postgres and compares the answers.
//
// It has no SQL: it knows the lab's statements by their text, each as a function
// (statements.go), and refuses any other. It has one isolation level, read committed,
// detects no deadlock, asks nobody for a password, and keeps nothing on disk.
package pgmem

import (
	"cmp"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/pghold/pghold/internal/memnet"
)

// Config says what the server is like.
type Config struct {
	// Network is where it listens. By default one of its own.
	Network *memnet.Network
	// RoundTrip is how long an answer is on its way, and a nanosecond more for each
	// session that came before: what two sessions do does not happen at one instant, of
	// which nobody knows the order. By default none.
	RoundTrip time.Duration
	// MaxConnections is how many it takes; what comes then is refused as a real server
	// does. By default 100.
	MaxConnections int
	// Version is what it says it is. By default "17.0".
	Version string
}

// Server is a Postgres with the lab's tables.
type Server struct {
	cfg      Config
	listener net.Listener
	known    map[string]*statement // by text
	serving  sync.WaitGroup

	mu       sync.Mutex // guards what follows, and what sessions and rows say it does
	sessions map[int32]*session
	lastPID  int32
	tables   tables
}

// firstPID is before the first session's.
const firstPID = 1000

// Start starts a server. In a bubble, end it with Close before the bubble does.
func Start(cfg Config) *Server {
	cfg.MaxConnections = cmp.Or(cfg.MaxConnections, 100)
	cfg.Version = cmp.Or(cfg.Version, "17.0")
	if cfg.Network == nil {
		cfg.Network = &memnet.Network{}
	}
	listener, _ := cfg.Network.Listen() // a port is always free
	s := &Server{cfg: cfg, listener: listener, sessions: map[int32]*session{}, lastPID: firstPID}
	s.tables.empty()
	s.known = s.statements()
	s.serving.Go(func() {
		for {
			c, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.serving.Go(func() { s.serve(c) })
		}
	})
	return s
}

// Close terminates all sessions and returns when they have ended.
func (s *Server) Close() {
	s.listener.Close()
	for _, pid := range s.pids() {
		s.Terminate(pid)
	}
	s.serving.Wait()
}

// DSN is its address in its network.
func (s *Server) DSN() string {
	return "postgres://lab@" + s.listener.Addr().String() + "/lab?sslmode=disable"
}

// Terminate ends a session, as pg_terminate_backend does.
func (s *Server) Terminate(pid int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.sessions[pid]; v != nil {
		v.kill(&failure{"FATAL", "57P01", "terminating connection due to administrator command"})
	}
}

// pids are those of the sessions, the oldest first.
func (s *Server) pids() []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var pids []int32
	for pid := range s.sessions {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids
}

// failure is an error as Postgres reports it.
type failure struct{ severity, code, message string }

func (f *failure) Error() string { return f.severity + ": " + f.message + " (SQLSTATE " + f.code + ")" }

func failed(code, message string) *failure { return &failure{"ERROR", code, message} }
