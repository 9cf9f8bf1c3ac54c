//go:build unix

package lab

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// spareFiles are for everything that is not a request: connections to Postgres,
// the run's files, the program's own.
const spareFiles = 64

// allowFiles raises the soft limit of open files to what the settings need, and
// fails where the hard limit is lower. Client and server are one process, so
// every request that is under way has two sockets, and may have a timer.
func allowFiles(s experiment.Settings) error {
	need := uint64(3*s.InFlight() + s.Connections() + spareFiles)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) >= need {
		return nil
	}
	hard := uint64(limit.Max)
	if hard >= need {
		limit.Cur = limit.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
			return nil
		}
	}
	return fmt.Errorf("up to %d requests can be under way at once (--rate × --client-timeout, or all of them), which takes %d open files, "+
		"and this process may have %d: raise the limit (ulimit -n), or lower --rate, --duration or --client-timeout", s.InFlight(), need, hard)
}
