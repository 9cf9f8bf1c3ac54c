// Command pghold shows what it costs to hold a database connection while
// waiting for something else. Each verb has a file of its own; here they are put
// together, and nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/plan"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
)

// Exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFound       = 3   // it worked, and what was expected is not so
	exitInterrupted = 130 // as shells have it: 128 and the number of SIGINT; also after SIGTERM and SIGHUP
)

// streams are where the command reads and writes: results on out, everything
// else on err. What run gives to a verb writes to err what a terminal, or a log, may
// have; results see to that themselves.
type streams struct{ out, err io.Writer }

// log tells of something that goes on beside the work.
func (s streams) log(line string) { fmt.Fprintln(s.err, line) }

type commands struct {
	Lab     labCmd           `cmd:"" help:"Run the experiment on a real Postgres and show what each route does with the same connections."`
	Prove   proveCmd         `cmd:"" help:"Run the experiment on a service of your own, in any language: what it holds connections for, and what that costs."`
	Serve   serveCmd         `cmd:"" help:"Serve the experiment's routes, for a load generator of your own."`
	Plan    planCmd          `cmd:"" help:"Say how many connections a service takes and at what rate it breaks, and predict what the lab would measure, without running anything."`
	Report  reportCmd        `cmd:"" help:"Show the result of a run again, or two side by side."`
	Watch   watchCmd         `cmd:"" help:"Show who holds a Postgres in transactions without using it, for an app in any language."`
	Check   checkCmd         `cmd:"" help:"Find slow calls that Go source makes while it holds a database connection."`
	Version kong.VersionFlag `help:"Print the version and exit."`
}

const description = `pghold finds the web handlers that hold a database connection while they wait for something that is not the database, shows what it costs, and proves the fix.

Start with "pghold lab": it needs nothing but PostgreSQL's programs, or a server that you name with --dsn.`

func main() {
	lab.ServeChild() // where this process is the app that the lab kills
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, _ := signal.NotifyContext(context.Background(), signals...)
	// A second Ctrl-C ends the program at once. A second SIGHUP does not: a terminal that
	// closes sends several.
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdout, os.Stderr}))
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// errInterrupted ends a command that was told to stop.
var errInterrupted = errors.New("interrupted")

// run is the command: what it was given, and its exit status.
func run(ctx context.Context, args []string, s streams) (status int) {
	s.err = printable.Messages{Out: s.err}
	// kong ends the program after --help and --version.
	type exit int
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exit:
			status = int(r)
		default:
			panic(r)
		}
	}()
	var c commands
	parser, err := kong.New(&c,
		kong.Name("pghold"), kong.Description(description),
		kong.Writers(s.out, s.err), kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s),
		helpWords(), kong.Vars{"version": version()},
	)
	if err != nil {
		panic(err) // a mistake in the structs above
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if strayAddress(args) { // which kong, or a verb, would name
		return fail(s, exitUsage, errStrayAddress)
	}
	kctx, err := parser.Parse(args)
	if err != nil {
		return fail(s, exitUsage, fmt.Errorf("%w (see \"pghold --help\")", err))
	}
	err = kctx.Run()
	var wrong usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.Is(err, errFound):
		return exitFound
	case errors.As(err, &wrong):
		return fail(s, exitUsage, err)
	}
	return fail(s, exitFailed, err)
}

func fail(s streams, status int, err error) int {
	fmt.Fprintf(s.err, "pghold: %s\n", err)
	return status
}

// released is the version of a release, which .ci/release sets.
var released string

// version is the release's or the module's version, or the commit it was built from.
func version() string {
	if released != "" {
		return released
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				v += "-" + setting.Value[:min(12, len(setting.Value))]
			}
		}
	}
	return v
}

// helpWords are what help takes from elsewhere.
func helpWords() kong.Option {
	var groups []string
	for _, g := range experiment.Groups {
		groups = append(groups, g.Name)
	}
	return kong.Vars{"groups": strings.Join(groups, ", "), "shapes": strings.Join(plan.Shapes, ", ")}
}
