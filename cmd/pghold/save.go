package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/report"
)

// folder is a run's folder. It is the run's own from the start on; as long as there is
// a file of the name unfinished in it, it is not whole.
type folder struct {
	name string
	made bool // for this run; else it was there, and empty
	nest bool // the folder above it was made for this run, too
	kept bool
	lock *os.File // the file unfinished, locked as long as the run lives
}

const unfinished = "unfinished"

// marker is what the file says, so that a sweep knows whose it is. A lock may say
// nothing on another machine that has the folder too.
func (f *folder) marker() string {
	host, _ := os.Hostname()
	return "pghold fills this folder, on " + host + ", or was killed while it did. The next run there that is saved beside it tidies up.\n"
}

// newFolder takes a folder of that name before anything is run, so that no other run
// can. Without a name it is one for the moment. What runs that were killed have left
// beside it is swept.
func newFolder(s streams, name string) (*folder, error) {
	if name != "" {
		name = filepath.Clean(name)
		sweepFolders(s, filepath.Dir(name))
		f, err := takeFolder(name)
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("the output folder %s is not empty: name another with --out", name)
		}
		return f, err
	}
	return newFolderLike(s, filepath.Join("pghold-results", time.Now().Format("20060102-150405")))
}

// newFolderLike is newFolder for any name that begins so.
func newFolderLike(s streams, name string) (*folder, error) {
	sweepFolders(s, filepath.Dir(name))
	f, err := takeFolder(name)
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		f, err = takeFolder(fmt.Sprintf("%s-%d", name, n))
	}
	return f, err
}

// takeFolder makes a folder, or takes one that is empty. fs.ErrExist says that it is
// not, or another run's.
func takeFolder(name string) (*folder, error) {
	f := &folder{name: name, nest: !exists(filepath.Dir(name))}
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
func (f *folder) release() error {
	defer f.lock.Close()
	return os.Remove(f.in(unfinished))
}

func (f *folder) in(name string) string { return filepath.Join(f.name, name) }

// holdsOnly returns fs.ErrExist where there are more files in the folder.
func (f *folder) holdsOnly(files int) error {
	entries, err := os.ReadDir(f.name)
	switch {
	case err != nil:
		return fmt.Errorf("the output folder cannot be used: %w", err)
	case len(entries) > files:
		return fs.ErrExist
	}
	return nil
}

// draw makes the report with pictures of what the lab has written into the folder.
func (f *folder) draw(r *experiment.Result) ([]byte, error) {
	var b bytes.Buffer
	traces, err := report.LoadTraces(f.name, r)
	if err == nil {
		err = report.HTML(&b, r, traces)
	}
	if err != nil {
		return nil, fmt.Errorf("report.html could not be drawn: %w", err)
	}
	return b.Bytes(), nil
}

// finish writes the result beside what the lab has written, and html where it could be
// drawn, and then the folder is whole. Of a run without a route nothing is kept; where
// the result cannot be written, what the lab has written is.
func (f *folder) finish(r *experiment.Result, html []byte) (failed error) {
	if len(r.Routes) == 0 {
		return nil
	}
	f.kept = true
	defer func() {
		if failed != nil {
			failed = fmt.Errorf("the result could not be saved: %w", failed)
		}
	}()
	write := func(name string, write func(io.Writer, *experiment.Result) error) error {
		out, err := os.Create(f.in(name))
		if err != nil {
			return err
		}
		err = cmp.Or(write(out, r), out.Close())
		if err != nil {
			os.Remove(out.Name())
		}
		return err
	}
	for _, file := range []struct {
		name  string
		write func(io.Writer, *experiment.Result) error
	}{
		{"result.json", report.JSON},
		{"report.md", report.Markdown},
	} {
		if err := write(file.name, file.write); err != nil {
			return err
		}
	}
	if html != nil {
		if err := os.WriteFile(f.in("report.html"), html, 0o666); err != nil {
			return err
		}
	}
	return f.release()
}

// discard removes what was not finished.
func (f *folder) discard() {
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
