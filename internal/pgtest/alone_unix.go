//go:build unix

package pgtest

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// machine is held, shared, by every package's tests while they run, and alone by
// a test that compares times. It is a lock on the module's go.mod, a file that is
// there anyway; nil where the tests run elsewhere.
var machine *os.File

// share takes the machine together with other packages' tests.
func share() {
	dir, err := os.Getwd()
	if err != nil {
		return
	}
	for ; machine == nil; dir = filepath.Dir(dir) {
		if f, err := os.Open(filepath.Join(dir, "go.mod")); err == nil {
			machine = f
		} else if dir == filepath.Dir(dir) {
			return
		}
	}
	lock(unix.LOCK_SH)
}

// Alone waits until no tests of other packages run beside this one, and lets them
// wait until it has ended. It is for tests that compare times.
func Alone(t testing.TB) {
	if machine == nil {
		return
	}
	lock(unix.LOCK_EX)
	t.Cleanup(func() { lock(unix.LOCK_SH) })
}

func lock(how int) {
	for unix.Flock(int(machine.Fd()), how) == unix.EINTR {
	}
}
