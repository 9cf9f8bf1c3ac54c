//go:build !unix

package rundir

import (
	"errors"
	"os"
)

// openLock fails: nothing is swept where locks do not tell who is alive.
func openLock(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func tryLock(*os.File) bool { return false }
