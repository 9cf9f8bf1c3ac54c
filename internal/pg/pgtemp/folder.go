//go:build linux || darwin

package pgtemp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// In the folder of a server:
//
//	owner.lock  marks the folder as ours; locked (flock) by whoever looks after it: the owner and its watchdog
//	alive       a named pipe that every process of the server holds open for writing, and nobody else
//	log         what initdb and the server printed
//
// PostgreSQL also has
//
//	data        the data folder
//	pgpass      the password, for psql
//
// and PgBouncer
//
//	pgbouncer.ini, userlist.txt  its settings, and the password
//	pgbouncer.pid                its process, once it listens
const (
	folderPrefix  = "pghold-pg-" // what a sweep looks for
	bouncerPrefix = folderPrefix + "bouncer-"
	lockName      = "owner.lock"
	marker        = "A throwaway server of pghold. It goes when nobody holds a lock on this file.\n"
)

// sweepLimit is how long a start waits for one leftover to go.
const sweepLimit = 10 * time.Second

type folder struct {
	path string
	lock *os.File
	log  *os.File
}

func (f *folder) in(name string) string { return filepath.Join(f.path, name) }
func (f *folder) data() string          { return f.in("data") }

// newFolder makes a folder that belongs to the account. Every file in it is made
// with O_EXCL: if we are root, somebody else may write there.
//
// The lock is taken before the file has the name that a sweep looks for.
func newFolder(base, prefix string, a account) (_ *folder, err error) {
	path, err := os.MkdirTemp(base, prefix)
	if err != nil {
		return nil, err
	}
	f := &folder{path: path}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.remove())
		}
	}()
	if err := os.Chown(path, a.uid, a.gid); err != nil {
		return nil, err
	}
	if f.lock, err = f.create("lock"); err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock of %s: %w", f.lock.Name(), err)
	}
	if _, err := f.lock.WriteString(marker); err != nil {
		return nil, err
	}
	if f.log, err = f.create("log"); err != nil {
		return nil, err
	}
	if err := unix.Mkfifo(f.in("alive"), 0o600); err != nil {
		return nil, &os.PathError{Op: "mkfifo", Path: f.in("alive"), Err: err}
	}
	return f, os.Rename(f.in("lock"), f.in(lockName))
}

func (f *folder) create(name string) (*os.File, error) {
	return os.OpenFile(f.in(name), os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
}

// remove removes the folder and then lets go of it.
func (f *folder) remove() error {
	err := os.RemoveAll(f.path)
	for _, file := range []*os.File{f.lock, f.log} {
		if file != nil {
			file.Close()
		}
	}
	return err
}

// openAlive opens an end of the pipe. Opening the end for writing fails while
// nobody has the other one.
func (f *folder) openAlive(flag int) (*os.File, error) {
	fd, err := unix.Open(f.in("alive"), flag|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: f.in("alive"), Err: err}
	}
	// A shell that reads it must wait, not fail.
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.in("alive")), nil
}

// alive says whether any process of the server is left, its children included.
func (f *folder) alive() bool {
	fd, err := unix.Open(f.in("alive"), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_, err = unix.Read(fd, make([]byte, 1)) // without a writer it is the end of the file
	return err == unix.EAGAIN
}

// waitGone waits until no process of the server is left.
func (f *folder) waitGone(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for f.alive() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("processes of the server in %s are still running: %w", f.path, ctx.Err())
		}
	}
	return nil
}

// logEnd returns the last lines of the log, indented.
func (f *folder) logEnd() string {
	const most, lines = 4096, 12
	size, err := f.log.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	text := make([]byte, min(size, most))
	n, _ := f.log.ReadAt(text, size-int64(len(text)))
	all := strings.Split(strings.TrimSpace(string(text[:n])), "\n")
	return "\n  " + strings.Join(all[max(0, len(all)-lines):], "\n  ")
}

// sweep removes the servers in base whose owner and watchdog are dead. What it
// cannot remove it tells, and leaves.
func sweep(ctx context.Context, base string, a account, say func(string, ...any)) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return // nothing that a start needs
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), folderPrefix) || !e.IsDir() {
			continue
		}
		f := adopt(filepath.Join(base, e.Name()), a)
		if f == nil {
			continue
		}
		if err := f.sweep(ctx, a); err != nil {
			say("Could not remove %s, left by an earlier run: %v.", f.path, err)
		} else {
			say("Removed %s, left by an earlier run.", f.path)
		}
	}
}

// adopt returns the folder with its lock held if it is ours and nobody's.
func adopt(path string, a account) *folder {
	var s unix.Stat_t
	if unix.Lstat(path, &s) != nil || s.Mode&unix.S_IFMT != unix.S_IFDIR || s.Uid != uint32(a.uid) {
		return nil
	}
	f := &folder{path: path}
	fd, err := unix.Open(f.in(lockName), unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	f.lock = os.NewFile(uintptr(fd), f.in(lockName))
	text := make([]byte, len(marker)+1)
	n, _ := syscall.Pread(fd, text, 0)
	if n < 0 || string(text[:n]) != marker || unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil {
		f.lock.Close()
		return nil
	}
	return f
}

// sweep ends what still runs in the folder and removes it: the work of a watchdog
// whose owner is dead.
func (f *folder) sweep(ctx context.Context, a account) error {
	if f.alive() {
		ctx, cancel := context.WithTimeout(ctx, sweepLimit)
		defer cancel()
		w, err := f.watch(a)
		if err == nil {
			w.leash.Close()
			err = f.waitGone(ctx)
			w.release()
		}
		if err != nil {
			f.lock.Close()
			return err
		}
	}
	return f.remove()
}
