package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// errKept says that a folder is not a run's alone any more, or has a route in it.
var errKept = errors.New("kept")

// Sweep tidies up after runs that were killed and whose folders are in dir. What they
// have of finished routes, and what is not theirs, stays.
func Sweep(dir string, log func(line string)) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // nothing that a run needs
	}
	for _, e := range entries {
		f := &Dir{name: filepath.Join(dir, e.Name())}
		if !e.IsDir() || !f.adopt() {
			continue
		}
		err := f.disposable()
		if err == nil {
			err = os.RemoveAll(f.name)
		}
		switch {
		case err == nil:
			log(fmt.Sprintf("Removed %s, left by a run that was killed before a route was finished.", f.name))
		case errors.Is(err, errKept):
			os.Remove(f.in(unfinished))
			log(fmt.Sprintf("Kept %s, left by a run that was killed: it has files of finished routes, or of yours.", f.name))
		default:
			log(fmt.Sprintf("Could not remove %s, left by a run that was killed: %v.", f.name, err))
		}
		f.lock.Close()
	}
}

// adopt takes a folder whose run is surely dead: its lock can be had.
func (f *Dir) adopt() bool {
	lock, err := openLock(f.in(unfinished))
	if err != nil {
		return false
	}
	text := make([]byte, len(f.marker())+1)
	n, _ := lock.ReadAt(text, 0)
	if string(text[:n]) != f.marker() || !tryLock(lock) {
		lock.Close()
		return false
	}
	// It may have become whole, or another's, between the opening and the locking.
	is, err := lock.Stat()
	there, thereErr := os.Lstat(f.in(unfinished))
	if err != nil || thereErr != nil || !os.SameFile(is, there) {
		lock.Close()
		return false
	}
	f.lock = lock
	return true
}

// disposable returns errKept unless the folder has only what the lab leaves of routes that
// were not finished. A finished one has its holds, which are written last.
func (f *Dir) disposable() error {
	return filepath.WalkDir(f.name, func(path string, e fs.DirEntry, err error) error {
		name := e.Name()
		switch {
		case err != nil:
			return err
		case path == f.name, path == f.in(unfinished), e.IsDir() && strings.HasPrefix(name, rounds):
			return nil
		case e.Type().IsRegular() && (name == OutputFile || name == SetupFile || strings.HasSuffix(name, string(Requests)) || strings.HasSuffix(name, string(Connections))):
			return nil
		}
		return errKept
	})
}
