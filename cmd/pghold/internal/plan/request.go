package plan

// request is one request on its way. The places of requests that have ended are used
// again.
type request struct {
	arrived int64 // ns
	since   int64 // of the wait that it is in, or of its last
	held    int64 // since when it has its connection; -1 while that is on its way
	silent  int64 // since when it is silent in a transaction; -1 where it is not

	threadWait, poolWait, busy, call int64

	next, prev int32  // in a queue; next is the index in it where the queue has no order
	gen        uint32 // of what it waits for; it grows for ever
	life       uint32 // of the request among those that had this place
	replica    int32
	account    int32
	version    int32 // of the account, as it was read
	balance    int32

	at     int16
	class  int16   // the index of its route
	doing  opcode  // what evDone ends
	in     waitFor // what it is in the queue of
	has    uint8   // of what follows
	called bool    // it has made its slow call
	wrote  bool    // it has changed the account's row, and not committed yet
	lost   bool    // the server has ended its session
	done   bool    // its client has its answer, and the rest is done without it
	failed outcome
}

type waitFor uint8

const (
	nothing waitFor = iota
	aThread
	aConnection
	aServer
	aCore
	aRow
	aWorker
)

const (
	hasThread uint8 = 1 << iota
	hasConnection
	hasServer
	hasCore
	hasRow
	hasWorker
)

// places are what a request may have, by what it waited for.
var places = [...]uint8{aThread: hasThread, aConnection: hasConnection, aServer: hasServer, aCore: hasCore, aRow: hasRow, aWorker: hasWorker}

type outcome uint8

const (
	noFailure outcome = iota
	poolTimeout
	otherError
)

// replica is one process of the app.
type replica struct {
	threads station
	pool    station
	workers station // of the outbox
	open    int     // connections, those in use among them
	running int     // requests in flight

	attached int // idle connections that have one of a PgBouncer's, in session mode
}

// account is a row that updates change.
type account struct {
	row              station // one place: its lock
	version, balance int32
	leasedUntil      int64
}
