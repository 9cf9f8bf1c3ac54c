// Package rundir owns the folder of a run: what its files are called, who writes it,
// whether it is whole, how it is read again, and what becomes of one whose run was
// killed. It measures nothing and draws nothing: what the lab measures it writes itself,
// under the names that are here, and reports come ready.
package rundir

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// The files of a run.
const (
	ResultFile   = "result.json"
	MarkdownFile = "report.md"
	HTMLFile     = "report.html"
	OutputFile   = "service.log" // what a service printed
	SetupFile    = "setup.log"   // and what filled its database
	unfinished   = "unfinished"  // there until all others are
)

// Kind is a kind of file of which each case of a run has one, named after it.
type Kind string

const (
	Requests    Kind = ".bin"             // each request, as vegeta writes it
	Connections Kind = ".connections.csv" // samples of the connections, as the server saw them
	Checkouts   Kind = ".checkouts.csv"   // each checkout, as the app saw it
	Holds       Kind = ".holds.json"      // a pghold.Snapshot in wall-clock time; written last
)

// Kinds are all.
func Kinds() []Kind { return []Kind{Requests, Connections, Checkouts, Holds} }

// Of is the name of a case's file in the folder.
func (k Kind) Of(dir, name string) string { return filepath.Join(dir, name+string(k)) }

// Round makes a folder in a run's for the files of one of several rounds.
func Round(dir string, round int) (string, error) {
	of, err := os.MkdirTemp(dir, fmt.Sprintf("%s%d-", rounds, round))
	if err != nil {
		return "", fmt.Errorf("making a folder for the files of a run: %w", err)
	}
	return of, nil
}

const rounds = ".run-"

// Dir is a run's folder. It is the run's own from the start on; as long as there is
// a file of the name unfinished in it, it is not whole.
type Dir struct {
	name string
	made bool // for this run; else it was there, and empty
	nest bool // the folder above it was made for this run, too
	kept bool
	lock *os.File // the file unfinished, locked as long as the run lives
}

// marker is what the file says, so that a sweep knows whose it is. A lock may say
// nothing on another machine that has the folder too.
func (f *Dir) marker() string {
	host, _ := os.Hostname()
	return "pghold fills this folder, on " + host + ", or was killed while it did. The next run there that is saved beside it tidies up.\n"
}

// New takes a folder of that name before anything is run, so that no other run can.
// Without a name it is one for the moment, in pghold-results. What runs that were killed
// have left beside it is swept, and logged.
func New(name string, log func(line string)) (*Dir, error) {
	if name != "" {
		name = filepath.Clean(name)
		Sweep(filepath.Dir(name), log)
		f, err := take(name)
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("the output folder %s is not empty: name another with --out", name)
		}
		return f, err
	}
	return NewLike(filepath.Join("pghold-results", time.Now().Format("20060102-150405")), log)
}

// NewLike is New for any name that begins so.
func NewLike(name string, log func(line string)) (*Dir, error) {
	Sweep(filepath.Dir(name), log)
	f, err := take(name)
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		f, err = take(fmt.Sprintf("%s-%d", name, n))
	}
	return f, err
}

// take makes a folder, or takes one that is empty. fs.ErrExist says that it is
// not, or another run's.
func take(name string) (*Dir, error) {
	f := &Dir{name: name, nest: !exists(filepath.Dir(name))}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return nil, fmt.Errorf("the output folder cannot be made: %w", err)
	}
	switch err := os.Mkdir(name, 0o777); {
	case err == nil:
		f.made = true
	case !errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("the output folder cannot be made: %w", err)
	}
	if err := f.holdsOnly(0); err != nil {
		return nil, err
	}
	var err error
	if f.lock, err = os.OpenFile(f.in(unfinished), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, fmt.Errorf("the output folder cannot be used: %w", err)
	}
	if tryLock(f.lock) {
		f.lock.WriteString(f.marker()) // without it there is no sweep
	} else {
		f.lock.Close()
	}
	if err := f.holdsOnly(1); err != nil { // another run came, and went, in between
		f.release()
		return nil, err
	}
	return f, nil
}

// release says that the folder is whole. The lock goes last: until then a sweep stays away.
func (f *Dir) release() error {
	defer f.lock.Close()
	return os.Remove(f.in(unfinished))
}

// Name is its path, as the run was given it.
func (f *Dir) Name() string { return f.name }

func (f *Dir) in(name string) string { return filepath.Join(f.name, name) }

// holdsOnly returns fs.ErrExist where there are more files in the folder.
func (f *Dir) holdsOnly(files int) error {
	entries, err := os.ReadDir(f.name)
	switch {
	case err != nil:
		return fmt.Errorf("the output folder cannot be used: %w", err)
	case len(entries) > files:
		return fs.ErrExist
	}
	return nil
}

// Finish writes the result beside what the lab has written, with its reports, and then
// the folder is whole. A report that is nil could not be made. Of a run without a route
// nothing is kept; where the result cannot be written, what the lab has written is.
func (f *Dir) Finish(r *experiment.Result, markdown, html []byte) (failed error) {
	if len(r.Routes) == 0 {
		return nil
	}
	f.kept = true
	defer func() {
		if failed != nil {
			failed = fmt.Errorf("the result could not be saved: %w", failed)
		}
	}()
	err := f.write(ResultFile, func(w io.Writer) error { return experiment.WriteResult(w, r) })
	if err != nil {
		return err
	}
	for _, report := range []struct {
		name string
		text []byte
	}{{MarkdownFile, markdown}, {HTMLFile, html}} {
		if report.text == nil {
			continue
		}
		err := f.write(report.name, func(w io.Writer) error {
			_, err := w.Write(report.text)
			return err
		})
		if err != nil {
			return err
		}
	}
	return f.release()
}

// write writes a file, or leaves none.
func (f *Dir) write(name string, write func(io.Writer) error) error {
	out, err := os.Create(f.in(name))
	if err != nil {
		return err
	}
	if err := cmp.Or(write(out), out.Close()); err != nil {
		os.Remove(out.Name())
		return err
	}
	return nil
}

// Discard removes what was not finished.
func (f *Dir) Discard() {
	defer f.lock.Close()
	switch {
	case f.kept:
	case f.made:
		os.RemoveAll(f.name)
		if f.nest {
			os.Remove(filepath.Dir(f.name)) // if nothing else is there by now
		}
	default:
		entries, _ := os.ReadDir(f.name)
		for _, e := range entries {
			os.RemoveAll(f.in(e.Name()))
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
