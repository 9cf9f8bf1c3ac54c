package tap

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loop passes the bytes of all connections that are sockets on both sides, with TLS or
// without, in one goroutine, by epoll. Two goroutines a connection, as conn.pass has, cost
// more than all else: the runtime has to wake one for each message.
//
// Its descriptors are duplicates that nobody else knows: the runtime goes on polling
// those that it has. They are closed when a turn is over, so within one a number means
// one socket.
type loop struct {
	tap *Tap

	mu      sync.Mutex // guards what follows; held for a turn
	started bool
	closed  bool
	epoll   int
	wake    int // has the loop take a turn
	legs    map[int32]*leg
	again   []*leg // those to read from in the next turn, whatever epoll says

	// What follows is the goroutine's own.
	buffer  [bufferSize]byte // what is passed on
	sealed  []byte           // what TLS has written, until it is sent
	events  [128]unix.EpollEvent
	busy    bool      // there is something in again
	spare   []*leg    // again, of every other turn
	gone    []int     // descriptors to close
	latest  time.Time // when something was read
	yielded time.Time
}

// leg is one of a connection's two sockets, and the direction that begins there.
type leg struct {
	fd       int // -1 when the connection has ended
	conn     *conn
	other    *leg
	isServer bool
	in       scanner
	to       reader
	now      *time.Time // of to
	tls      *tls.Conn  // over a wire of this leg; nil without TLS

	readable bool // epoll said so, and reading has not shown otherwise
	ending   bool // so that a short read does not show otherwise
	queued   bool // it is in again
	tellRoom bool // epoll says when there is room to send

	failed error // by what reading has ended, when all that was read has gone on

	held  []byte    // what is to be sent here, and there is no room for; then nothing is read from the other
	since time.Time // when that was read
}

// maxHeld is how much is held before nothing more is read from the same side either. It is
// more than a buffer of what the other side sent. The rest is TLS's own: who has it change
// keys again and again, and does not read the answers, has to wait.
const maxHeld = 4 * bufferSize

// take takes a connection that is ready to be passed on. It is false if it cannot. The
// caller still has to close the connection's sockets, which does not end it.
func (l *loop) take(c *conn) bool {
	app, err := duplicate(c.app)
	if err != nil {
		return false
	}
	server, err := duplicate(c.server)
	if err != nil {
		unix.Close(app)
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.start() || l.add(c, app, server) != nil {
		unix.Close(app)
		unix.Close(server)
		return false
	}
	if len(l.again) > 0 {
		l.takeTurn()
	}
	return true
}

// duplicate is another descriptor of a connection's socket. It does not block, as the
// socket does not.
func duplicate(c net.Conn) (fd int, err error) {
	c = socketOf(c)
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return 0, errors.ErrUnsupported
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	if err := raw.Control(func(of uintptr) { fd, failed = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return 0, err
	}
	return fd, failed
}

// yieldAfter is how long the loop keeps its processor at most. To the runtime it seems to
// run without end: every message is there within a system call. After 10 ms the runtime
// would take the processor away, and then look every 20 µs whether to do so again: measured
// with one client, that cost up to half as much as all that the loop does.
const yieldAfter = 8 * time.Millisecond

// start starts the loop if it does not run. It is false if it cannot. Its caller has the
// lock.
func (l *loop) start() bool {
	if l.started || l.closed {
		return !l.closed
	}
	if l.open() != nil {
		return false
	}
	l.started = true
	l.tap.serving.Go(func() {
		for l.turn(-1) {
			if l.latest.Sub(l.yielded) > yieldAfter {
				runtime.Gosched()
				l.yielded = l.latest
			}
		}
	})
	return true
}

func (l *loop) open() (err error) {
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(l.epoll)
		return err
	}
	if err = l.control(unix.EPOLL_CTL_ADD, l.wake, unix.EPOLLIN|unix.EPOLLET); err != nil {
		unix.Close(l.wake)
		unix.Close(l.epoll)
		return err
	}
	l.legs = map[int32]*leg{}
	return nil
}

func (l *loop) control(op, fd int, events uint32) error {
	return unix.EpollCtl(l.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// close has the loop end its connections and itself, and take no more.
func (l *loop) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed { // the descriptor below may be somebody else's by now
		return
	}
	l.closed = true
	if l.started {
		l.takeTurn()
	}
}

// takeTurn has the loop take a turn, if it waits. Its caller has the lock.
func (l *loop) takeTurn() { unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// arrivals are the events that say that there is more to read than before.
const arrivals = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// add passes a connection on from now on. Its caller has the lock.
func (l *loop) add(c *conn, appFD, serverFD int) error {
	fromApp, fromServer := &fromApp{conn: c}, &fromServer{conn: c}
	app := &leg{fd: appFD, conn: c, to: fromApp, now: &fromApp.now}
	server := &leg{fd: serverFD, conn: c, to: fromServer, now: &fromServer.now, isServer: true}
	app.other, server.other = server, app
	if err := l.control(unix.EPOLL_CTL_ADD, appFD, arrivals); err != nil {
		return err
	}
	if err := l.control(unix.EPOLL_CTL_ADD, serverFD, arrivals); err != nil {
		l.control(unix.EPOLL_CTL_DEL, appFD, 0)
		return err
	}
	l.legs[int32(appFD)], l.legs[int32(serverFD)] = app, server
	app.secure(c.app)
	server.secure(c.server)
	return nil
}

// turn waits for events, for some milliseconds or for ever (-1), and passes on what has
// come: of each direction as much as the buffer holds, so that each has its turn. It is
// false when the loop has ended.
func (l *loop) turn(wait int) bool {
	if l.busy {
		wait = 0
	}
	n, err := unix.EpollWait(l.epoll, l.events[:], wait)
	if err != nil { // a signal
		n = 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.end()
		return false
	}
	again := l.again
	l.again, l.spare = l.spare[:0], again
	for _, from := range again {
		from.queued = false
		l.pass(from)
	}
	for _, e := range l.events[:n] {
		if leg := l.legs[e.Fd]; leg != nil {
			l.happened(leg, e.Events)
		}
	}
	l.closeGone()
	l.busy = len(l.again) > 0
	return true
}

func (l *loop) end() {
	now := time.Now()
	for _, leg := range l.legs {
		l.drop(leg, now)
	}
	l.closeGone()
	unix.Close(l.wake)
	unix.Close(l.epoll)
}

func (l *loop) closeGone() {
	for _, fd := range l.gone {
		unix.Close(fd)
	}
	l.gone = l.gone[:0]
}

// happened is told of a socket's events.
func (l *loop) happened(leg *leg, events uint32) {
	if events&unix.EPOLLOUT != 0 && len(leg.held) > 0 {
		l.resume(leg)
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		leg.ending = true
	}
	if events != unix.EPOLLOUT {
		leg.readable = true
		l.pass(leg)
	}
}

// resume sends what is held back.
func (l *loop) resume(to *leg) {
	rest, ok := l.push(to, to.held)
	if !ok {
		return
	}
	if len(rest) > 0 {
		to.held = append(to.held[:0], rest...)
		return
	}
	to.held = nil
	if !to.isServer {
		to.conn.taken(time.Since(to.since))
	}
	l.pass(to.other)
	l.pass(to)
}

// pass passes on what can be read from a side, as much as the buffer holds.
func (l *loop) pass(from *leg) {
	to := from.other
	if from.queued || len(to.held) > 0 || len(from.held) > maxHeld || from.fd < 0 {
		return
	}
	n, err := from.read(l.buffer[:])
	if n == 0 && err == unix.EAGAIN && len(l.sealed) == 0 {
		return
	}
	now := time.Now()
	l.latest = now
	if !l.flush(from) { // answers of TLS to what was read
		return
	}
	if n > 0 {
		*from.now = now
		b := l.buffer[:n]
		var failed error
		if from.isServer {
			b, failed = from.conn.greeted(b)
		}
		if failed == nil {
			failed = from.conn.read(&from.in, b, from.to)
		}
		if failed != nil {
			l.broken(from, failed)
			return
		}
		if !l.send(to, b) {
			return
		}
	}
	if err == unix.EAGAIN {
		return // until there is an event
	}
	from.failed = err
	if n == 0 {
		l.sideEnded(from, err, now)
		return
	}
	from.queued = true
	l.again = append(l.again, from)
}

// read reads what there is, as much as fits. The error EAGAIN says that this was all for
// now; with any other, too, something may have been read.
func (g *leg) read(b []byte) (n int, err error) {
	if g.failed != nil {
		return 0, g.failed
	}
	if g.tls == nil {
		n, err = g.receive(b)
		if err == nil && !g.readable {
			err = unix.EAGAIN
		}
		return n, err
	}
	for n < len(b) && err == nil { // of a record each time
		var more int
		more, err = g.tls.Read(b[n:])
		n += more
	}
	return n, err
}

// receive reads from the socket, where it is not known that nothing is there.
func (g *leg) receive(b []byte) (n int, err error) {
	if !g.readable {
		return 0, unix.EAGAIN
	}
	n, err = transfer(unix.SYS_READ, g.fd, b)
	switch {
	case err == unix.EAGAIN:
		g.readable = false
	case err == nil && n == 0:
		return 0, io.EOF
	case n < len(b) && !g.ending:
		g.readable = false
	}
	return n, err
}

// send sends a side what has come from the other, and holds back what there is no room for.
// It is false if the connection has ended.
func (l *loop) send(to *leg, b []byte) bool {
	if to.tls == nil {
		return l.sendRaw(to, b)
	}
	if len(b) > 0 {
		if _, err := to.tls.Write(b); err != nil {
			l.takeSealed()
			l.sideEnded(to, err, time.Now())
			return false
		}
	}
	return l.flush(to)
}

// flush sends a side what its TLS has written.
func (l *loop) flush(to *leg) bool {
	return l.sendRaw(to, l.takeSealed())
}

// takeSealed takes what TLS has written. It is good until TLS writes more.
func (l *loop) takeSealed() []byte {
	b := l.sealed
	l.sealed = l.sealed[:0]
	return b
}

func (l *loop) sendRaw(to *leg, b []byte) bool {
	if len(to.held) == 0 {
		var ok bool
		if b, ok = l.push(to, b); !ok || len(b) == 0 {
			return ok
		}
		to.since = l.latest
	}
	to.held = append(to.held, b...)
	return true
}

// push writes what there is room for, and returns the rest. It is false if the connection
// has ended.
func (l *loop) push(to *leg, b []byte) (rest []byte, ok bool) {
	for len(b) > 0 {
		n, err := transfer(unix.SYS_WRITE, to.fd, b)
		if err == unix.EAGAIN {
			if !to.tellRoom { // for good: most sockets are never full, some are all the time
				to.tellRoom = true
				l.control(unix.EPOLL_CTL_MOD, to.fd, arrivals|unix.EPOLLOUT)
			}
			break
		}
		if err != nil {
			l.sideEnded(to, err, time.Now())
			return nil, false
		}
		b = b[n:]
	}
	return b, true
}

// tell sends a side a last message, unless it would be in the middle of another.
func (l *loop) tell(to *leg, message []byte) {
	if len(to.held) > 0 {
		return
	}
	if to.tls != nil {
		to.tls.Write(message)
		message = l.takeSealed()
	}
	unix.Write(to.fd, message)
}

// broken ends a connection that cannot go on.
func (l *loop) broken(from *leg, err error) {
	app, who := from, "the app"
	if from.isServer {
		app, who = from.other, "the server"
	}
	line, told := from.conn.broken(who, err)
	l.tell(app, told)
	l.drop(from, time.Now())
	if line != "" {
		l.tap.serving.Go(func() { l.tap.cfg.Log(line) }) // which may take its time
	}
}

// sideEnded is told that a side has ended the connection, or that the network to it is
// lost: is it the server's, the app is told, as by conn.serverEnded.
func (l *loop) sideEnded(side *leg, err error, at time.Time) {
	if side.isServer && !gone(err) {
		why, told := lostServer(err)
		l.tell(side.other, told)
		l.tap.serving.Go(func() { l.tap.lost(why) }) // who is told may take his time
	}
	l.drop(side, at)
}

// drop ends a connection. Its sockets are closed when the turn is over.
func (l *loop) drop(one *leg, at time.Time) {
	one.conn.ended(at)
	for _, leg := range [...]*leg{one, one.other} {
		if leg.tls != nil && len(leg.held) == 0 {
			leg.tls.CloseWrite() // so that it is no network that is lost
			unix.Write(leg.fd, l.takeSealed())
		}
		// Closing would do, were it not for a process that is just being started and has them, too.
		l.control(unix.EPOLL_CTL_DEL, leg.fd, 0)
		delete(l.legs, int32(leg.fd))
		l.gone = append(l.gone, leg.fd)
		leg.fd = -1
	}
}
