package tap

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loop passes the bytes of all connections that are plain sockets on both sides, in one
// goroutine, by epoll. Two goroutines a connection, as conn.pass has, cost more than all
// else: the runtime has to wake one for each message.
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
	wake    int // an event that close sends
	legs    map[int32]*leg

	// What follows is the goroutine's own.
	buffer  [bufferSize]byte // what is passed on
	events  [128]unix.EpollEvent
	again   []*leg    // those to read from in the next turn, whatever epoll says
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

	readable bool // epoll said so, and reading has not shown otherwise
	ending   bool // so that a short read does not show otherwise
	queued   bool // it is in again
	tellRoom bool // epoll says when there is room to send

	held  []byte    // what was read here, and the other has no room for; nothing is read then
	since time.Time // when it was read
}

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
	return true
}

// duplicate is another descriptor of a plain socket. It does not block, as the socket
// does not.
func duplicate(c net.Conn) (fd int, err error) {
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
	if err = l.control(unix.EPOLL_CTL_ADD, l.wake, unix.EPOLLIN); err != nil {
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
		unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

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
	return nil
}

// turn waits for events, for some milliseconds or for ever (-1), and passes on what has
// come: of each direction as much as the buffer holds, so that each has its turn. It is
// false when the loop has ended.
func (l *loop) turn(wait int) bool {
	if len(l.again) > 0 {
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
	if events&unix.EPOLLOUT != 0 && len(leg.other.held) > 0 {
		l.resume(leg.other)
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
func (l *loop) resume(from *leg) {
	if !l.send(from, from.held) || len(from.held) > 0 {
		return
	}
	if from.isServer {
		from.conn.taken(time.Since(from.since))
	}
	l.pass(from)
}

// pass passes on what can be read from a socket, as much as the buffer holds.
func (l *loop) pass(from *leg) {
	if !from.readable || from.queued || len(from.held) > 0 || from.fd < 0 {
		return
	}
	n, err := unix.Read(from.fd, l.buffer[:])
	if err == unix.EAGAIN {
		from.readable = false
		return
	}
	now := time.Now()
	l.latest = now
	if n <= 0 && err != unix.EINTR {
		l.sideEnded(from, err, now)
		return
	}
	if n > 0 {
		*from.now = now
		if err := from.conn.read(&from.in, l.buffer[:n], from.to); err != nil {
			l.broken(from, err)
			return
		}
		if !l.send(from, l.buffer[:n]) {
			return
		}
		if len(from.held) > 0 {
			from.since = now
			return
		}
		if n < len(l.buffer) && !from.ending {
			from.readable = false // until there is an event
			return
		}
	}
	from.queued = true
	l.again = append(l.again, from)
}

// send sends what was read from a socket to the other, and holds back what that has no
// room for. It is false if the connection has ended.
func (l *loop) send(from *leg, b []byte) bool {
	to := from.other
	for len(b) > 0 {
		n, err := unix.Write(to.fd, b)
		if err == unix.EAGAIN {
			break
		}
		if err != nil && err != unix.EINTR {
			l.sideEnded(to, err, time.Now())
			return false
		}
		b = b[max(n, 0):]
	}
	if len(b) == 0 {
		from.held = nil
		return true
	}
	from.held = append(from.held[:0], b...)
	if !to.tellRoom { // for good: most sockets are never full, some are all the time
		to.tellRoom = true
		l.control(unix.EPOLL_CTL_MOD, to.fd, arrivals|unix.EPOLLOUT)
	}
	return true
}

// broken ends a connection that cannot go on.
func (l *loop) broken(from *leg, err error) {
	app, who := from, "the app"
	if from.isServer {
		app, who = from.other, "the server"
	}
	line, told := from.conn.broken(who, err)
	if len(app.other.held) == 0 { // otherwise it would be in the middle of a message
		unix.Write(app.fd, told)
	}
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
		if len(side.held) == 0 { // otherwise it would be in the middle of a message
			unix.Write(side.other.fd, told)
		}
		l.tap.serving.Go(func() { l.tap.lost(why) }) // who is told may take his time
	}
	l.drop(side, at)
}

// drop ends a connection. Its sockets are closed when the turn is over.
func (l *loop) drop(one *leg, at time.Time) {
	one.conn.ended(at)
	for _, leg := range [...]*leg{one, one.other} {
		// Closing would do, were it not for a process that is just being started and has them, too.
		l.control(unix.EPOLL_CTL_DEL, leg.fd, 0)
		delete(l.legs, int32(leg.fd))
		l.gone = append(l.gone, leg.fd)
		leg.fd = -1
	}
}
