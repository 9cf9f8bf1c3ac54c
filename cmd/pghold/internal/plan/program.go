package plan

import (
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Overheads are what a run costs beyond what its settings say: what the lab measures,
// and a prediction from settings alone leaves at zero. All are in the experiment's own
// time.
type Overheads struct {
	// Statement is how long a round trip to the database takes, its statement
	// included.
	Statement time.Duration
	// Connect is how long it takes to open a connection.
	Connect time.Duration
	// Request is what a request takes beside waiting, statements and the call: the
	// network between client and app, and the handler's own work.
	Request time.Duration
	// Call is how much longer the slow call takes than it should, in the mean. A pause
	// before another try is a sleep too, and as late.
	Call time.Duration
	// Handover is the time from the release of a connection of the app's pool until somebody
	// who was queued for one has it.
	Handover time.Duration
	// CallJitter is by how much calls differ from that mean, and pauses from theirs.
	CallJitter Spread
	// Late is how long after their time requests are sent that should come evenly.
	Late Spread
}

// op is one thing that a request does; a route's steps become some of them.
type op struct {
	what opcode
	d    int64 // ns, of opStatement and opPause
	way  int64 // ns, of opStatement: how far away the database is
	tx   bool  // opStatement: a transaction is open after it
	to   int16 // of opGoto; of opWrite and opLease, where to go on where they fail
}

type opcode uint8

const (
	opAcquire   opcode = iota // a connection of the app's pool
	opServer                  // one of PgBouncer's, where there is one
	opLock                    // the row of the request's account
	opRead                    // the request knows the row as it is now
	opWrite                   // the row is changed, as of opEnd, if it is still as the request knows it
	opLease                   // the row is the request's, if it is nobody's
	opStatement               // d of a core's time, and the way
	opWay                     // is in no program: what is left of a statement when it needs no core any more
	opEnd                     // the transaction: lock and PgBouncer's connection go back
	opRelease                 // the connection goes back
	opCall                    // the slow call
	opPause                   // before another try
	opAnswer                  // the client has its answer; a worker does the rest
	opGoto
	opFinish
)

// compiler turns a route's steps into a program.
type compiler struct {
	program    []op
	statement  int64 // ns
	way        int64 // ns
	held, open bool
	bouncer    bool
}

// shortestPause is how long a request waits at least before it tries again to lease a
// row: where nothing else takes time it would not let any pass.
const shortestPause = 100 * time.Microsecond

// compile returns what a request of the route does.
func compile(r experiment.Route, s experiment.Settings, o Overheads) []op {
	c := &compiler{statement: int64(o.Statement), way: int64(s.Distance), bouncer: s.PgBouncer > 0}
	written, read := false, false
	var failing []int // the ops that may fail
	begin := 0        // of the part that writes
	for i, step := range r.Steps {
		switch step {
		case experiment.Begin:
			c.connect()
			c.run(true)
		case experiment.Statement:
			c.connect()
			if r.Updates() && !read {
				read = true
				c.add(op{what: opRead})
			}
			c.run(true)
		case experiment.Autocommit:
			c.connect()
			c.run(false)
			c.add(op{what: opEnd})
			c.open = false
		case experiment.Lock:
			begin = len(c.program)
			c.connect()
			switch {
			case r.Conflict == experiment.Lease && !read:
				failing = append(failing, len(c.program))
				c.add(op{what: opLease})
				c.add(op{what: opRead})
				read = true
			case r.AnswersEarly() && slices.Contains(r.Steps[i:], experiment.SlowCall): // a worker's claim, which nobody else wants
			default:
				c.add(op{what: opLock})
				if !read {
					c.add(op{what: opRead})
				}
				if !slices.Contains(r.Steps[i:], experiment.SlowCall) {
					written = true
					if r.Conflict == experiment.ReadAgain || r.Conflict == experiment.CallAgain {
						failing = append(failing, len(c.program))
					}
					c.add(op{what: opWrite})
				}
				read = true
			}
			c.run(true)
		case experiment.SlowCall:
			c.add(op{what: opCall})
		case experiment.Release:
			if slices.Contains(r.Steps[:i], experiment.SlowCall) && r.Updates() && !written {
				c.add(op{what: opWrite}) // in the one transaction, whose lock is held
				written = true
			}
			c.release()
		case experiment.Answer:
			c.add(op{what: opAnswer})
		}
	}
	c.add(op{what: opFinish})
	for _, at := range failing {
		c.program[at].to = int16(len(c.program))
		c.open = true // the statement that found nothing to change, and the rollback
		c.held = true
		c.run(true)
		c.release()
		switch r.Conflict {
		case experiment.Lease:
			c.add(op{what: opPause, d: int64(max(s.Slow/2+o.Call, shortestPause))})
			c.add(op{what: opGoto})
		case experiment.CallAgain:
			c.add(op{what: opGoto})
		case experiment.ReadAgain:
			c.connect()
			c.add(op{what: opRead})
			c.run(true)
			c.release()
			c.add(op{what: opGoto, to: int16(begin)})
		}
	}
	return c.program
}

func (c *compiler) add(o op) { c.program = append(c.program, o) }

func (c *compiler) run(tx bool) { c.add(op{what: opStatement, d: c.statement, way: c.way, tx: tx}) }

// connect takes what a statement needs and the request has not.
func (c *compiler) connect() {
	if !c.held {
		c.add(op{what: opAcquire})
		c.held = true
	}
	if !c.open {
		if c.bouncer {
			c.add(op{what: opServer})
		}
		c.open = true
	}
}

// release ends the transaction, where one is open, and gives the connection back.
func (c *compiler) release() {
	if c.open {
		c.run(false)
		c.add(op{what: opEnd})
	}
	c.add(op{what: opRelease})
	c.held, c.open = false, false
}
