package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Result is what pghold check --json prints: the part of it that is scored.
type Result struct {
	Findings []Finding `json:"findings"`
	Errors   []string  `json:"errors,omitempty"`
	Unread   []string  `json:"unread,omitempty"`
	Elapsed  float64   `json:"elapsed_s,omitempty"` // the command does not print it; it is measured here
}

// Finding is one of the check's findings.
type Finding struct {
	ID      string `json:"id"`
	Message string `json:"message"`
	Hold    At     `json:"hold"`
	Way            // the first, in the same object
	Also    []Way  `json:"also,omitempty"`
}

// Way is a slow call and the calls that lead there.
type Way struct {
	Severity string `json:"severity"`
	Kind     string `json:"kind"`
	Slow     At     `json:"slow"`
	Chain    []At   `json:"chain"` // from the function that holds to the slow call, both included
}

// At is a line of source: a place, or a step of a chain.
type At struct {
	File string `json:"file"`
	Line int    `json:"line"`
	What string `json:"what,omitempty"` // of a place
	Func string `json:"func,omitempty"` // of a step
}

func (a At) String() string { return fmt.Sprintf("%s:%d", a.File, a.Line) }

// ways are the first and the others.
func (f *Finding) ways() []*Way {
	ways := []*Way{&f.Way}
	for i := range f.Also {
		ways = append(ways, &f.Also[i])
	}
	return ways
}

// rebase makes the files of a result, which are relative to a module's folder,
// relative to the repository.
func (r *Result) rebase(folder string) {
	move := func(a *At) {
		if a.File != "" && !path.IsAbs(a.File) {
			a.File = path.Join(folder, a.File)
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		move(&f.Hold)
		for _, w := range f.ways() {
			move(&w.Slow)
			for j := range w.Chain {
				move(&w.Chain[j])
			}
		}
	}
}

// readResult reads what a checker has saved.
func readResult(folder string, r Repo) (*Result, error) {
	name := filepath.Join(folder, r.folder()+".json")
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	res := new(Result)
	if err := json.Unmarshal(b, res); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return res, nil
}

// checker runs the command.
type checker struct {
	pghold, checkouts, save string
	timeout                 time.Duration // for each module
	progress                io.Writer
}

// newChecker builds the command where none is named. done removes it.
func newChecker(ctx context.Context, o options, progress io.Writer) (c *checker, done func(), err error) {
	c, done = &checker{o.pghold, o.checkouts, o.save, o.timeout, progress}, func() {}
	if c.save != "" {
		if err := os.MkdirAll(c.save, 0o755); err != nil {
			return nil, nil, err
		}
	}
	if c.pghold != "" {
		c.pghold, err = filepath.Abs(c.pghold) // it is run in other folders
		return c, done, err
	}
	dir, err := os.MkdirTemp("", "holdscore")
	if err != nil {
		return nil, nil, err
	}
	c.pghold, done = filepath.Join(dir, "pghold"), func() { os.RemoveAll(dir) }
	build := exec.CommandContext(ctx, "go", "build", "-o", c.pghold, "github.com/pghold/pghold/cmd/pghold")
	if text, err := build.CombinedOutput(); err != nil {
		done()
		return nil, nil, fmt.Errorf("%s: %w\n%s", build, err, text)
	}
	return c, done, nil
}

// check runs the command in every module of a checkout that has rows. Where one
// fails, the result is what the others said.
func (c *checker) check(ctx context.Context, r Repo) (*Result, error) {
	modules, err := modulesOf(os.DirFS(filepath.Join(c.checkouts, r.folder())), r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.folder(), err)
	}
	all := new(Result)
	var failed []error
	for _, m := range modules {
		fmt.Fprintf(c.progress, "checking %s\n", path.Join(r.Name, m))
		res, err := c.run(ctx, filepath.Join(c.checkouts, r.folder(), filepath.FromSlash(m)))
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", path.Join(r.folder(), m), err))
			continue
		}
		res.rebase(m)
		all.Findings = append(all.Findings, res.Findings...)
		all.Errors = append(all.Errors, res.Errors...)
		all.Unread = append(all.Unread, res.Unread...)
		all.Elapsed += res.Elapsed
	}
	if c.save != "" && len(failed) == 0 {
		b, err := json.MarshalIndent(all, "", "  ")
		if err == nil {
			err = os.WriteFile(filepath.Join(c.save, r.folder()+".json"), append(b, '\n'), 0o644)
		}
		failed = append(failed, err)
	}
	return all, errors.Join(failed...)
}

// run runs the command in a folder. What it prints counts, not how it ends: a check
// that finds something has an exit status of its own.
func (c *checker) run(ctx context.Context, dir string) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, c.pghold, "check", "--json", "./...")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.WaitDelay = 5 * time.Second // the go command that it runs can have its output open for longer
	start := time.Now()
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("stopped after %s: %w", time.Since(start).Round(time.Second), context.Cause(ctx))
	}
	res := new(Result)
	if jsonErr := json.Unmarshal(out.Bytes(), res); jsonErr != nil {
		if err == nil {
			err = jsonErr
		}
		return nil, fmt.Errorf("%w: %s", err, lastLines(errs.String(), 5))
	}
	res.Elapsed = time.Since(start).Seconds()
	return res, nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// modulesOf returns the folders of a repository, relative to it, that hold the
// modules of its rows: for each the nearest folder above with a go.mod.
func modulesOf(repo fs.FS, r Repo) ([]string, error) {
	var found []string
	for _, p := range r.Places {
		if _, err := fs.Stat(repo, p.Path); err != nil {
			return nil, fmt.Errorf("%s: %w; is the checkout at %s?", p, err, r.Commit)
		}
		dir := path.Dir(p.Path)
		for {
			if _, err := fs.Stat(repo, path.Join(dir, "go.mod")); err == nil {
				break
			}
			if dir == "." {
				return nil, fmt.Errorf("%s: there is no go.mod above it", p)
			}
			dir = path.Dir(dir)
		}
		if !slices.Contains(found, dir) {
			found = append(found, dir)
		}
	}
	return found, nil
}
