package queuepool

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrClosed is returned by Acquire once the pool has been closed.
var ErrClosed = errors.New("queuepool: the pool is closed")

// TimeoutError is returned by Acquire when no connection came back in time. Its
// text is that of SQLAlchemy's error 3o7r (https://sqlalche.me/e/20/3o7r), followed
// by the Holders where they are known.
type TimeoutError struct {
	Size        int           // Config.Size
	MaxOverflow int           // Config.MaxOverflow
	Waited      time.Duration // Config.Timeout
	// Holders says who held the connections at that moment, a line for each place, and
	// before these, whether the caller's own request held one, and whether all who did
	// waited for another: at most five lines, where the pool has a Tracer that knows it.
	Holders []string
}

func (e *TimeoutError) Error() string {
	s := fmt.Sprintf("QueuePool limit of size %d overflow %d reached, connection timed out, timeout %.2f",
		e.Size, e.MaxOverflow, e.Waited.Seconds())
	if len(e.Holders) > 0 {
		s += ": " + strings.Join(e.Holders, "; ")
	}
	return s
}

// Timeout is true, as net.Error has it.
func (e *TimeoutError) Timeout() bool { return true }

// Pool hands out connections. It is safe for concurrent use.
type Pool struct {
	cfg    Config
	limit  int    // of open; math.MaxInt where there is none
	tracer Tracer // nil where nobody asked

	// closing ends when Close is called, and with it every attempt to connect.
	closing  context.Context
	breakOff context.CancelFunc

	// generation is that of connections opened now. It moves on when one of the
	// current generation is lost; older ones are then replaced at checkout.
	generation atomic.Uint64

	// mu guards what follows and is never held across I/O. While anybody waits
	// there is neither an idle connection nor a free place: whoever frees one
	// hands it to the first waiter under the same lock.
	mu       sync.Mutex
	idle     []*member     // idle longest first
	open     int           // connections that are open, being opened or being closed; at most limit
	waiters  []*waiter     // longest wait first
	closed   bool          //
	emptied  chan struct{} // closed when the pool is closed and open is 0
	connects int64         // connections opened so far
	timeouts int64         // waits that ended in a TimeoutError so far
}

// member is a connection and what the pool knows about it.
type member struct {
	conn       *pgx.Conn
	generation uint64
	opened     time.Time
	watched    atomic.Bool // false until it is open and once it is being closed: its end is no loss then
}

// waiter is somebody in the queue. What it is given, a connection or, where nil,
// a place to open one in, comes through ready, which has room for it.
type waiter struct {
	ready chan *member
}

// New makes a pool. It opens no connection.
func New(cfg *Config) (*Pool, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := &Pool{cfg: *cfg, limit: cfg.Size + cfg.MaxOverflow, emptied: make(chan struct{})}
	p.closing, p.breakOff = context.WithCancel(context.Background())
	p.cfg.ConnConfig = cfg.ConnConfig.Copy()
	if p.cfg.ConnConfig.ConnectTimeout == 0 {
		p.cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	p.tracer, _ = cfg.ConnConfig.Tracer.(Tracer)
	if cfg.Size == 0 || cfg.MaxOverflow == -1 {
		p.limit = math.MaxInt
	}
	if t, ok := p.tracer.(interface {
		TracePool(stat func() (open, most int, closed bool))
	}); ok {
		t.TracePool(p.connections)
	}
	return p, nil
}

// Acquire checks out a connection: one that is idle, or a new one, or the next
// that comes back. It fails with a *TimeoutError when none came back within
// Config.Timeout, with the context's error when ctx ended first, with ErrClosed,
// or with pgx's error when a connection could not be opened. ctx bounds the
// checkout only, not the use of the connection. It does not break off an attempt
// to connect that has begun: what comes of it goes to the next. Such an attempt
// keeps one of the pool's places until it ends, which it does after
// ConnConfig.ConnectTimeout for each host (10 s where that is 0), after 1 min in
// all, or with Close.
func (p *Pool) Acquire(ctx context.Context) (*Conn, error) {
	if p.tracer == nil {
		return p.acquire(ctx)
	}
	ctx = p.tracer.TraceCheckoutStart(ctx)
	c, err := p.acquire(ctx)
	if err != nil {
		p.tracer.TraceCheckoutEnd(ctx, nil, err)
		return nil, err
	}
	p.tracer.TraceCheckoutEnd(ctx, c.Conn(), nil)
	return c, nil
}

func (p *Pool) acquire(ctx context.Context) (*Conn, error) {
	m, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	if m, err = p.ready(ctx, m); err != nil {
		return nil, err
	}
	return &Conn{pool: p, member: m}, nil
}

// take gets a connection or, where it returns nil, a place to open one in.
func (p *Pool) take(ctx context.Context) (*member, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	switch {
	case p.closed:
		p.mu.Unlock()
		return nil, ErrClosed
	case len(p.idle) > 0:
		i := 0
		if p.cfg.UseLIFO {
			i = len(p.idle) - 1
		}
		m := p.idle[i]
		p.idle = slices.Delete(p.idle, i, i+1)
		p.mu.Unlock()
		return m, nil
	case p.open < p.limit:
		p.open++
		p.mu.Unlock()
		return nil, nil
	}
	w := &waiter{ready: make(chan *member, 1)}
	p.waiters = append(p.waiters, w)
	p.mu.Unlock()
	return p.wait(ctx, w)
}

func (p *Pool) wait(ctx context.Context, w *waiter) (*member, error) {
	timer := time.NewTimer(p.cfg.Timeout)
	defer timer.Stop()
	var timedOut bool
	select {
	case m, ok := <-w.ready:
		if !ok {
			return nil, ErrClosed
		}
		return m, nil
	case <-timer.C:
		timedOut = true
	case <-ctx.Done():
	}

	p.mu.Lock()
	if i := slices.Index(p.waiters, w); i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
		if timedOut {
			p.timeouts++
		}
		p.mu.Unlock()
		if timedOut {
			return nil, p.timedOut(ctx) // which may take long: it is out of the queue by now, and gets no connection
		}
		return nil, ctx.Err()
	}
	p.mu.Unlock()

	// It was served in the same moment.
	m, ok := <-w.ready
	switch {
	case !ok:
		return nil, ErrClosed
	case ctx.Err() == nil:
		return m, nil
	case m == nil:
		p.vacate()
	default:
		p.put(m)
	}
	return nil, ctx.Err()
}

// maxHolders is how many places a TimeoutError names.
const maxHolders = 5

func (p *Pool) timedOut(ctx context.Context) error {
	e := &TimeoutError{Size: p.cfg.Size, MaxOverflow: p.cfg.MaxOverflow, Waited: p.cfg.Timeout}
	if t, ok := p.tracer.(interface {
		Holders(context.Context) []string
	}); ok {
		e.Holders = t.Holders(ctx)
		e.Holders = e.Holders[:min(len(e.Holders), maxHolders)]
	}
	return e
}

// ready makes m fit for use, replacing it where it is too old, of a generation
// that was lost, or dead; a nil m is opened. On an error its place is free again,
// or will be.
func (p *Pool) ready(ctx context.Context, m *member) (*member, error) {
	switch {
	case m == nil:
		return p.connect(ctx, nil)
	case m.generation != p.generation.Load(), p.cfg.Recycle > 0 && time.Since(m.opened) > p.cfg.Recycle:
		return p.connect(ctx, m)
	case p.cfg.PrePing && !ping(ctx, m):
		if ctx.Err() != nil { // which says nothing about m, but a ping that was broken off has closed it
			go p.drop(m)
			return nil, ctx.Err()
		}
		p.lost(m)
		return p.connect(ctx, m)
	}
	return m, nil
}

// put takes back a connection that works: for the first who waits, for the idle
// ones, or to be closed.
func (p *Pool) put(m *member) {
	p.mu.Lock()
	switch {
	case len(p.waiters) > 0:
		p.next() <- m
	case !p.closed && (p.cfg.Size == 0 || len(p.idle) < p.cfg.Size):
		p.idle = append(p.idle, m)
	default:
		p.mu.Unlock()
		p.drop(m)
		return
	}
	p.mu.Unlock()
}

// drop closes a connection and gives up its place.
func (p *Pool) drop(m *member) {
	hangUp(m)
	p.vacate()
}

// vacate gives up a place whose connection is gone or never came to be.
func (p *Pool) vacate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) > 0 {
		p.next() <- nil
		return
	}
	p.open--
	if p.closed && p.open == 0 {
		close(p.emptied)
	}
}

// next takes the first waiter from the queue. The caller holds mu.
func (p *Pool) next() chan<- *member {
	w := p.waiters[0]
	p.waiters = slices.Delete(p.waiters, 0, 1)
	return w.ready
}

// Close closes the idle connections, breaks off attempts to connect, turns away who
// waits and who comes, and returns when the connections in use have come back and
// are closed too. For each the server has 1 s to let go of it.
func (p *Pool) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		<-p.emptied
		return
	}
	p.closed = true
	idle, waiters := p.idle, p.waiters
	p.idle, p.waiters = nil, nil
	if p.open == 0 {
		close(p.emptied)
	}
	p.mu.Unlock()

	for _, w := range waiters {
		close(w.ready)
	}
	p.breakOff()
	for _, m := range idle {
		go p.drop(m)
	}
	<-p.emptied
}

// Stat is a pool's state at one moment.
type Stat struct {
	Size       int   // Config.Size
	CheckedIn  int   // idle connections
	CheckedOut int   // connections in use, being opened or being closed
	Overflow   int   // connections beyond Size; negative while fewer are open
	Waiting    int   // callers who wait for a connection
	Connects   int64 // connections opened so far
	Timeouts   int64 // waits that ended in a TimeoutError so far
}

// connections is how many are open, and how many may be, 0 where there is no limit; and
// whether the pool was closed.
func (p *Pool) connections() (open, most int, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit == math.MaxInt {
		return p.open, 0, p.closed
	}
	return p.open, p.limit, p.closed
}

// Stat returns the pool's state.
func (p *Pool) Stat() Stat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stat{
		Size: p.cfg.Size, CheckedIn: len(p.idle), CheckedOut: p.open - len(p.idle), Overflow: p.open - p.cfg.Size,
		Waiting: len(p.waiters), Connects: p.connects, Timeouts: p.timeouts,
	}
}
