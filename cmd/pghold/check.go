package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"

	holds "github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/listing"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/holdcheck"
)

type checkCmd struct {
	Packages []string `arg:"" optional:"" name:"packages" help:"Packages to check, as the go command takes them; ./... where none is named."`

	JSON         bool   `name:"json" help:"Print the result as JSON, and nothing else, on standard output."`
	Format       string `default:"text" enum:"text,sarif,github" help:"text, sarif (2.1.0, for code scanning) or github (annotations of a workflow's run)."`
	Severity     string `default:"low" enum:"low,medium,high" help:"The least that is shown: low, medium or high. Default ${default}."`
	FailOn       string `default:"" enum:"low,medium,high," placeholder:"medium" help:"The least for which the exit status is 3. Default medium, or --severity where that is more."`
	NoUnresolved bool   `help:"Leave out calls that could not be followed."`
	Tests        bool   `help:"Check test files too, and functions for tests in other files."`

	Config        string `placeholder:"FILE" help:"Further slow calls, openers, and what is not slow here. Default .pghold.json, in this folder or one above it up to the module's root."`
	Baseline      string `placeholder:"FILE" help:"What is known already, and not told of. Default .pghold-baseline.json, looked for in the same folders."`
	WriteBaseline bool   `help:"Write what is found now to the baseline, and show nothing: all for which the exit status would be 3."`
	Holds         string `placeholder:"SNAPSHOT.json" help:"Put what costs most first, as a service's recorder measured it."`
}

func (checkCmd) Help() string {
	return `Reads Go source, runs nothing, and finds slow calls that are made while a database connection is held: an HTTP request inside a transaction, a mail sent while rows are open. What is meant is marked in the source with its reason:

  //pghold:ignore the provider answers within 5 ms

Exit status: 0 nothing found, 1 it failed or the code does not compile, 2 the command line was wrong, 3 it found something.

Examples:
  pghold check
  pghold check ./internal/... --severity medium
  pghold check --write-baseline                 what there is now is for later: from here on only what is new is told of
  pghold check --format sarif > pghold.sarif
  pghold check --no-unresolved --fail-on high
  curl -s 'localhost:8080/debug/holds?format=json' > holds.json
  pghold check --holds holds.json               what costs most first`
}

const (
	configName   = ".pghold.json"
	baselineName = ".pghold-baseline.json"
)

func (c *checkCmd) Run(ctx context.Context, s streams) error {
	failOn, err := c.failOn()
	if err != nil {
		return err
	}
	p, err := projectOf(".")
	if err != nil {
		return err
	}
	o := holdcheck.Options{Patterns: c.Packages, Tests: c.Tests}
	if o.Config, err = c.config(p); err != nil {
		return err
	}
	baseline, baselineFile, err := c.baseline(p)
	if err != nil {
		return err
	}
	snapshot, err := c.snapshot()
	if err != nil {
		return err
	}
	r, err := c.read(ctx, s, o)
	if err != nil {
		return err
	}

	for _, message := range r.Errors {
		fmt.Fprintln(s.err, message)
	}
	if c.WriteBaseline {
		return c.write(s, r, failOn, baselineFile)
	}
	if snapshot != nil {
		holdcheck.ApplySnapshot(r, snapshot)
	}
	if baseline != nil {
		baseline.Apply(r)
	}
	if len(r.Errors) > 0 || len(c.Packages) > 0 && !slices.Contains(c.Packages, "./...") {
		r.Unused, r.OutOfDate = nil, nil // not all was read: they may be about the rest
	}
	found := c.found(r, failOn)
	left := c.leaveOut(r)
	if err := c.show(s, p, r, left); err != nil {
		return err
	}
	switch {
	case len(r.Errors) > 0:
		return errNotCompiled
	case found:
		return errFound
	}
	return nil
}

var errNotCompiled = errors.New("the code does not compile, and what could not be read was not checked")

// failOn is the least for which the exit status is 3. What is not shown must not
// fail.
func (c *checkCmd) failOn() (holdcheck.Severity, error) {
	shown, fails := holdcheck.Severity(c.Severity), holdcheck.Severity(c.FailOn)
	switch {
	case fails == "" && shown.AtLeast(holdcheck.Medium):
		return shown, nil
	case fails == "":
		return holdcheck.Medium, nil
	case !fails.AtLeast(shown):
		return "", usage(fmt.Errorf("--fail-on %s would fail for what --severity %s does not show", fails, shown))
	}
	return fails, nil
}

// config reads the configuration: the one that is named, or the project's.
func (c *checkCmd) config(p project) (holdcheck.Config, error) {
	file := cmp.Or(c.Config, p.find(configName))
	if file == "" {
		return holdcheck.Config{}, nil
	}
	config, err := holdcheck.ReadConfig(file)
	return config, usage(err)
}

// baseline reads the baseline, which is nil where there is none, and says where it
// is, or is to be written.
func (c *checkCmd) baseline(p project) (b *holdcheck.Baseline, file string, err error) {
	file = cmp.Or(c.Baseline, p.find(baselineName), p.inRoot(baselineName))
	if c.WriteBaseline {
		return nil, file, nil
	}
	b, err = holdcheck.ReadBaseline(file)
	if errors.Is(err, fs.ErrNotExist) && c.Baseline == "" {
		return nil, file, nil
	}
	return b, file, usage(err)
}

func (c *checkCmd) snapshot() (*holds.Snapshot, error) {
	if c.Holds == "" {
		return nil, nil
	}
	b, err := os.ReadFile(c.Holds)
	if err != nil {
		return nil, usage(fmt.Errorf("--holds: %w", err))
	}
	snapshot, err := holds.ReadSnapshot(b)
	if err != nil {
		return nil, usage(fmt.Errorf("--holds: %s is %w", c.Holds, err))
	}
	return snapshot, nil
}

// read reads the program, and says on a terminal how far it is.
func (c *checkCmd) read(ctx context.Context, s streams, o holdcheck.Options) (*holdcheck.Result, error) {
	line := newStatusLine(s.err)
	defer line.end()
	o.Progress = line.show
	type done struct {
		r   *holdcheck.Result
		err error
	}
	ended := make(chan done, 1)
	go func() { // it does not look all the time whether it was told to end
		debug.SetGCPercent(50) // a third less memory for a tenth more time
		r, err := holdcheck.Check(ctx, o)
		ended <- done{r, err}
	}()
	select {
	case <-ctx.Done():
		return nil, errInterrupted
	case d := <-ended:
		if d.err != nil && ctx.Err() != nil {
			return nil, errInterrupted
		}
		return d.r, d.err
	}
}

// write writes the baseline.
func (c *checkCmd) write(s streams, r *holdcheck.Result, least holdcheck.Severity, file string) error {
	for _, remark := range r.Complaints {
		fmt.Fprintln(s.err, remark)
	}
	if len(r.Errors) > 0 {
		return fmt.Errorf("%w: no baseline was written", errNotCompiled)
	}
	c.leaveUnresolved(r)
	b := holdcheck.NewBaseline(r, least)
	if err := b.Write(file); err != nil {
		return fmt.Errorf("the baseline could not be written: %w", err)
	}
	entries := "entries"
	if len(b.Findings) == 1 {
		entries = "entry"
	}
	fmt.Fprintf(s.err, "wrote %d %s to %s\n", len(b.Findings), entries, file)
	return nil
}

// found reports whether there is what the exit status is 3 for.
func (c *checkCmd) found(r *holdcheck.Result, failOn holdcheck.Severity) bool {
	return len(r.Complaints) > 0 || slices.ContainsFunc(r.Findings, func(f holdcheck.Finding) bool {
		worst := f.Worst()
		return worst.Severity.AtLeast(failOn) && !(c.NoUnresolved && worst.Kind == holdcheck.Unresolved)
	})
}

// leaveOut leaves out what is not to be shown, and says how many findings were below
// --severity.
func (c *checkCmd) leaveOut(r *holdcheck.Result) (left int) {
	c.leaveUnresolved(r)
	all := len(r.Findings)
	r.Findings = slices.DeleteFunc(r.Findings, func(f holdcheck.Finding) bool { return !f.Worst().Severity.AtLeast(holdcheck.Severity(c.Severity)) })
	return all - len(r.Findings)
}

func (c *checkCmd) leaveUnresolved(r *holdcheck.Result) {
	if c.NoUnresolved {
		r.Findings = slices.DeleteFunc(r.Findings, func(f holdcheck.Finding) bool { return f.Worst().Kind == holdcheck.Unresolved })
	}
}

func (c *checkCmd) show(s streams, p project, r *holdcheck.Result, left int) error {
	switch {
	case c.JSON:
		return printJSON(s.out, r)
	case c.Format == "sarif":
		return listing.SARIF(s.out, r, listing.Options{Folder: p.folder, Version: version()})
	case c.Format == "github":
		return listing.GitHub(s.out, r, listing.Options{Folder: p.folder})
	}
	o := textOptions(s.out)
	return listing.Text(s.out, r, listing.TextOptions{Color: o.Color, Width: o.Width, Left: left, Leave: "--severity " + c.Severity})
}

func printJSON(w io.Writer, r *holdcheck.Result) error {
	if r.Findings == nil {
		r.Findings = []holdcheck.Finding{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // there is a > in each ID
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return err
	}
	_, err := w.Write(printable.JSON(b.Bytes()))
	return err
}
