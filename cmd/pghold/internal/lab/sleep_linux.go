package lab

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sleepExactly waits for d or until ctx ends, whose error it then returns. The
// runtime's timers may be late by a millisecond, because the poller that they wait
// in counts whole ones. That is nothing to a slow call of 2 s, but at ten times the
// speed it is up to 10 ms of the experiment's time in every round of the
// connections, of which sixteen follow each other. The kernel's timers are
// exact; each takes a file while it runs.
func sleepExactly(ctx context.Context, d time.Duration) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return sleep(ctx, d)
	}
	f := os.NewFile(uintptr(fd), "timer")
	defer f.Close()
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil); err != nil {
		return sleep(ctx, d)
	}
	defer context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })()
	var expirations [8]byte
	if _, err := f.Read(expirations[:]); err != nil && ctx.Err() == nil {
		return err
	}
	return ctx.Err()
}
