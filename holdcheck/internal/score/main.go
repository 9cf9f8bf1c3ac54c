// Command holdscore says how good pghold check is: it runs it over real
// repositories in which people have read where slow work is done under a held
// connection, and compares.
//
//	go run ./holdcheck/internal/score --places places.tsv --checkouts ~/checkouts
//
// The list is a table with tabs, a row for each place: those where a connection is
// held meanwhile (label TP), and near misses, where it is not and a careless check
// would say so (TN). parsePlaces names the columns. The checkouts are folders
// called OWNER+NAME, one for each repository, at the commits of the list; a
// repository's rows decide in which of its modules the check is run.
//
// A place is found when the check reports a call from the row's line in the row's
// file, or one under a hold that begins at the row's other line; in how many the slow
// call at the end is the row's, too, is a figure of its own. A near miss is reported when a chain under a hold in its file passes its
// line. matcher has the exact rules. The list is not complete, so that a finding
// that no row explains is not false by that alone: --unlabelled prints them, to be
// read.
//
// The check is judged by what it prints and nothing else; this package does not
// import it, so that the saved output of an older version can be scored too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `holdscore compares what pghold check finds in real repositories with a list of places that people have read.

  holdscore --places places.tsv --checkouts DIR    run the check in DIR/OWNER+NAME, and score it
  holdscore --places places.tsv --results DIR      score what an earlier run saved in DIR/OWNER+NAME.json

Example: save what the check says of all, then read what the list does not know of one.

  go run ./holdcheck/internal/score --places places.tsv --checkouts ~/checkouts --save /tmp/out
  go run ./holdcheck/internal/score --places places.tsv --results /tmp/out --only getfider/fider --unlabelled

It ends with 0, with 3 when a near miss is reported at high or medium, with 1 when a check failed, and with 2 when it was called wrongly.

`

// Exit statuses, as pghold has them.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 3 // it worked, and a near miss is reported that should not be
)

type options struct {
	places, checkouts, results, save, pghold, only string
	timeout                                        time.Duration
	json, unlabelled                               bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	o, err := parseOptions(args, errs)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		fmt.Fprintln(errs, "holdscore:", err)
		return exitUsage
	}
	s, err := score(ctx, o, errs)
	if err != nil {
		fmt.Fprintln(errs, "holdscore:", err)
		return exitFailed
	}
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		err = e.Encode(s)
	} else {
		err = s.print(out, o.unlabelled)
	}
	switch {
	case err != nil:
		fmt.Fprintln(errs, "holdscore:", err)
		return exitFailed
	case s.Failed > 0:
		return exitFailed
	case s.NearMisses.bad() > 0:
		return exitFound
	}
	return exitDone
}

func parseOptions(args []string, errs io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("holdscore", flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.Usage = func() {
		fmt.Fprint(errs, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&o.places, "places", "", "the list of `places`")
	fs.StringVar(&o.checkouts, "checkouts", "", "the `folder` of the checkouts, each called OWNER+NAME")
	fs.StringVar(&o.results, "results", "", "read saved results from this `folder` instead of running the check")
	fs.StringVar(&o.save, "save", "", "save each result in this `folder`, as OWNER+NAME.json with files relative to the checkout")
	fs.StringVar(&o.pghold, "pghold", "", "the command to `run`; the default is to build this repository's")
	fs.StringVar(&o.only, "only", "", "one repository of the list: `OWNER/NAME`")
	fs.DurationVar(&o.timeout, "timeout", 10*time.Minute, "for each module")
	fs.BoolVar(&o.json, "json", false, "print JSON, with all findings that no row explains")
	fs.BoolVar(&o.unlabelled, "unlabelled", false, "print the findings that no row explains, not just how many there are")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("%q is no flag; see --help", fs.Arg(0))
	case o.places == "":
		return o, errors.New("--places is missing; see --help")
	case (o.checkouts == "") == (o.results == ""):
		return o, errors.New("give one of --checkouts and --results; see --help")
	case o.results != "" && o.save != "":
		return o, errors.New("--save goes with --checkouts")
	}
	return o, nil
}

// score gets the result of every repository and compares it with its rows. progress
// is told about each.
func score(ctx context.Context, o options, progress io.Writer) (*Score, error) {
	f, err := os.Open(o.places)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	repos, err := parsePlaces(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.places, err)
	}
	if repos, err = only(repos, o.only); err != nil {
		return nil, fmt.Errorf("%s: %w", o.places, err)
	}
	get := func(r Repo) (*Result, error) { return readResult(o.results, r) }
	if o.checkouts != "" {
		c, done, err := newChecker(ctx, o, progress)
		if err != nil {
			return nil, err
		}
		defer done()
		get = func(r Repo) (*Result, error) { return c.check(ctx, r) }
	}
	var scores []RepoScore
	for _, r := range repos {
		res, err := get(r)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		scores = append(scores, compare(r, res, err))
	}
	return summarize(scores), nil
}
