package foreigntest

import (
	"os/exec"
	"testing"
)

func startNode(t *testing.T) *app {
	t.Helper()
	if exec.Command("node", "-e", "require.resolve('pg'), require.resolve('express')").Run() != nil {
		t.Skip("NOT TESTED: this machine has no node-postgres with express (npm install --prefix DIR pg express, and NODE_PATH=DIR/node_modules)")
	}
	return start(t, tapped, exec.Command("node", "testdata/service.js"))
}

// With the recipe gaps are counted under the route's pattern, in whichever way pg is asked.
func TestNode_Tagged(t *testing.T) {
	t.Parallel()
	a := startNode(t)
	for _, way := range []string{"text", "config", "callback"} {
		answers := a.ask(users("/" + way + "/%d")...)
		end := a.inCalls(t, connections, answers)
		if held, want := a.held(t), "/"+way+"/:id"; held.Route != want || held.Application != "node" {
			t.Errorf("in the slow call they are %+v; want them on %s", held, want)
		}
		end()
		answered(t, connections, answers)
	}

	// pg takes one text by a name and connection, so a named statement's stays as it is.
	for _, path := range []string{"/named/1", "/named/too/1"} {
		answers := a.ask(path)
		a.inCalls(t, 1, answers)()
		answered(t, 1, answers)
	}

	// A request that waits for its connection gets it where another one gives it back, and
	// its callbacks are called where the server answers. It keeps its own route.
	first := a.ask(users("/text/%d")...)
	end := a.inCalls(t, connections, first)
	waiting := a.askInOrder(users("/callback/%d")...)
	last := a.askInOrder("/pool/1")
	end()
	answered(t, connections, first)
	end = a.inCalls(t, connections, waiting)
	if held := a.held(t); held.Route != "/callback/:id" {
		t.Errorf("after a wait, in the slow call they are %+v; want them on /callback/:id", held)
	}
	end()
	answered(t, connections, waiting)
	if got, want := <-last, "200 select current_query() as text /*route='%2Fpool%2F%3Aid'*/"; got != want {
		t.Errorf("the server was asked\n%s, want\n%s", got, want)
	}
}
