package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// childVariable is set for a child of the lab: this same program, as the app only, in
// a process of its own that can be killed.
const childVariable = "PGHOLD_LAB_CHILD"

// childrenAreServed says that ServeChild was called, so that this program knows what
// to do as a child.
var childrenAreServed bool

// ServeChild makes a program able to be the app that the lab kills, for the routes of
// the group "price". It is the first thing in main, and in the TestMain of a package
// whose tests run those routes: in a child it does not return. Without it that part of
// the result is left out.
func ServeChild() {
	childrenAreServed = true
	if os.Getenv(childVariable) == "" {
		return
	}
	if err := serveChild(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// orders are what a child is told, on its standard input: nobody else can read the
// password there.
type orders struct {
	DSN, Schema, Application, Provider string
	Settings                           experiment.Settings
	Route                              string
	Updates                            int // that were begun before: it goes on with the next account
}

// serveChild serves until its standard input ends, which it does when the parent has.
func serveChild() error {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	var o orders
	if err := json.Unmarshal(line, &o); err != nil {
		return err
	}
	routes, err := experiment.FindRoutes([]string{o.Route})
	if err != nil {
		return err
	}
	app, err := NewApp(AppConfig{
		Database: &Database{dsn: o.DSN, schema: o.Schema}, Settings: o.Settings, Routes: routes,
		Application: o.Application, Provider: o.Provider,
	})
	if err != nil {
		return err
	}
	app.updates.Store(int64(o.Updates))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	go http.Serve(listener, app)
	io.Copy(io.Discard, in)
	return nil
}

// child is the app in a process of its own.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer
	url    string
}

// startChild returns when the child serves.
func (e *environment) startChild(ctx context.Context, updates int) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	told, err := json.Marshal(orders{
		DSN: e.db.dsn, Schema: e.db.schema, Application: e.app.Application, Provider: e.app.Provider,
		Settings: e.c.Settings, Route: e.c.Route.Name, Updates: updates,
	})
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, program)}
	c.cmd.Env = append(os.Environ(), childVariable+"=1")
	c.cmd.Stderr = &c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.stdin.Write(append(told, '\n')) // an error shows below
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.kill()
		return nil, fmt.Errorf("the app did not start: %s", strings.TrimSpace(c.stderr.String()))
	}
	c.url = strings.TrimSpace(line)
	return c, nil
}

// kill ends the child as a power cut would, and returns when it is gone.
func (c *child) kill() {
	c.cmd.Process.Kill() // an error says that it has ended already
	c.cmd.Wait()
}
