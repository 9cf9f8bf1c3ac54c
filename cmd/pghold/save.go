package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/pghold/pghold/experiment"
	"github.com/pghold/pghold/report"
)

// folder is a run's folder while it is being filled: under another name beside
// the one it will have, so that a folder of that name is always whole.
type folder struct {
	name    string
	staging string
}

// newFolder makes sure that the folder can be written before anything is run.
func newFolder(name string) (*folder, error) {
	if name == "" {
		name = filepath.Join("pghold-results", time.Now().Format("20060102-150405"))
	}
	if entries, err := os.ReadDir(name); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("the output folder %s is not empty: name another with --out", name)
	} else if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("the output folder cannot be used: %w", err)
	}
	parent := filepath.Dir(filepath.Clean(name))
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, fmt.Errorf("the output folder cannot be made: %w", err)
	}
	staging, err := os.MkdirTemp(parent, "."+filepath.Base(name)+"-unfinished-")
	if err != nil {
		return nil, fmt.Errorf("the output folder cannot be made: %w", err)
	}
	return &folder{name, staging}, nil
}

// draw makes the report with pictures of what the lab has written into the folder.
func (f *folder) draw(r *experiment.Result) ([]byte, error) {
	var b bytes.Buffer
	traces, err := report.LoadTraces(f.staging, r)
	if err == nil {
		err = report.HTML(&b, r, traces)
	}
	if err != nil {
		return nil, fmt.Errorf("report.html could not be drawn: %w", err)
	}
	return b.Bytes(), nil
}

// finish writes the result beside what the lab has written, and html where it could be
// drawn, and gives the folder its name. Of a run without a route nothing is kept.
func (f *folder) finish(r *experiment.Result, html []byte) (failed error) {
	if len(r.Routes) == 0 {
		return nil
	}
	defer func() {
		if failed != nil {
			failed = fmt.Errorf("the result could not be saved: %w", failed)
		}
	}()
	write := func(name string, write func(io.Writer, *experiment.Result) error) error {
		out, err := os.Create(filepath.Join(f.staging, name))
		if err != nil {
			return err
		}
		if err := write(out, r); err != nil {
			out.Close()
			return err
		}
		return out.Close()
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
		if err := os.WriteFile(filepath.Join(f.staging, "report.html"), html, 0o666); err != nil {
			return err
		}
	}
	if err := os.Chmod(f.staging, 0o755); err != nil {
		return err
	}
	os.Remove(f.name) // an empty folder may be there
	return os.Rename(f.staging, f.name)
}

// discard removes what was not finished.
func (f *folder) discard() {
	os.RemoveAll(f.staging)
	os.Remove(filepath.Dir(filepath.Clean(f.name))) // if it was made for this and is empty
}
