package foreigntest

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// found is a program that fails where a package is missing.
const found = "import importlib.util as u; assert all(map(u.find_spec, 'fastapi uvicorn sqlalchemy asyncpg psycopg2'.split()))"

// startFastAPI runs uvicorn with the Python that comes first in PATH and has what the app
// needs, or with Debian's.
func startFastAPI(t *testing.T, watched source, name string) *app {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", found).Run() == nil {
			cmd := exec.Command(python, "-m", "uvicorn", "--port", "0", "--no-access-log", name)
			cmd.Env = []string{"PYTHONPATH=testdata:../../../../../examples/fastapi", "PYTHONDONTWRITEBYTECODE=1"}
			return start(t, watched, cmd)
		}
	}
	t.Skip("NOT TESTED: this machine has no FastAPI (install the packages python3-fastapi python3-uvicorn python3-sqlalchemy python3-asyncpg python3-psycopg2)")
	return nil
}

// The published experiment, through a tap and by samples. With the session open in the slow
// call, all connections are idle in transaction while it lasts, since the user was read.
// With it closed before the call, none is. Without tags the application and the statement
// are its name.
func TestFastAPI_InsideAndOutside(t *testing.T) {
	t.Parallel()
	for by, watched := range map[string]source{"tap": tapped, "samples": sampled} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			insideAndOutside(t, startFastAPI(t, watched, "app:app"))
		})
	}
}

func insideAndOutside(t *testing.T, a *app) {
	for _, kind := range []string{"sync", "async"} {
		outside := a.ask(slices.Repeat([]string{"/" + kind + "_session_sleep_outside_session"}, connections)...)
		end := a.inCalls(t, connections, outside)
		if r := a.report(); r.InTransaction != 0 {
			t.Errorf("%s, outside: in the slow call %d are idle in transaction: %+v", kind, r.InTransaction, r.Groups)
		}
		end()
		answered(t, connections, outside)

		inside := a.ask(slices.Repeat([]string{"/" + kind + "_session_sleep_inside_session"}, connections)...)
		end = a.inCalls(t, connections, inside)
		held := a.held(t)
		if held.Application != "fastapi-"+kind || held.Route != "" || !strings.Contains(held.After, " FROM example_users WHERE example_users.id = ") {
			t.Errorf("%s, inside: in the slow call they are %+v", kind, held)
		}
		end()
		answered(t, connections, inside)
		if r := a.report(); r.InTransaction != 0 {
			t.Errorf("%s: at the end %d are idle in transaction: %+v", kind, r.InTransaction, r.Groups)
		}
	}
}

// With the recipe it is the route's pattern, with the prefixes of its routers, however
// many users are asked for: what their gaps are counted under is in the statement.
func TestFastAPI_Tagged(t *testing.T) {
	t.Parallel()
	a := startFastAPI(t, tapped, "tagged:app")
	for _, kind := range []string{"sync", "async"} {
		answers := a.ask(users("/v1/shop/" + kind + "/%d")...)
		end := a.inCalls(t, connections, answers)
		if held, want := a.held(t), "/v1/shop/"+kind+"/{user_id}"; held.Route != want || held.Application != "fastapi-"+kind {
			t.Errorf("in the slow call they are %+v; want them on %s", held, want)
		}
		end()
		answered(t, connections, answers)
	}
}

// users is paths, each for another user.
func users(path string) (paths []string) {
	for i := range connections {
		paths = append(paths, fmt.Sprintf(path, i+1))
	}
	return paths
}
