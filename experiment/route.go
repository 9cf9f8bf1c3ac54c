package experiment

import (
	"fmt"

	"github.com/agnivade/levenshtein"
)

// Route is one of the app's routes: what its handler does with its session.
type Route struct {
	// Name is the route's name and, behind a slash, its path.
	Name string
	// Summary says in a line what the handler does once it has read the user.
	Summary string
	// Sync handlers occupy one of Settings.Threads from start to end; the others
	// run without a limit.
	Sync bool
	// SlowInside handlers make the slow call with their session still open, so
	// that the connection and its transaction are held through it.
	SlowInside bool
}

// Path is the route's HTTP path.
func (r Route) Path() string { return "/" + r.Name }

// Routes are all the routes there are, the seed's four, in the seed's order.
var Routes = []Route{
	{
		Name: "sync_session_sleep_outside_session", Sync: true,
		Summary: "closes its session, then makes the slow call; on a thread",
	},
	{
		Name: "sync_session_sleep_inside_session", Sync: true, SlowInside: true,
		Summary: "makes the slow call with its session open; on a thread",
	},
	{
		Name:    "async_session_sleep_outside_session",
		Summary: "closes its session, then makes the slow call",
	},
	{
		Name: "async_session_sleep_inside_session", SlowInside: true,
		Summary: "makes the slow call with its session open",
	},
}

// FindRoutes returns the routes of these names in the order given, or all where
// none is given. The error for an unknown name says which one is nearest.
func FindRoutes(names []string) ([]Route, error) {
	if len(names) == 0 {
		return Routes, nil
	}
	var found []Route
	for _, name := range names {
		r, err := findRoute(name)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if f.Name == r.Name {
				return nil, fmt.Errorf("route %s is named twice", name)
			}
		}
		found = append(found, r)
	}
	return found, nil
}

func findRoute(name string) (Route, error) {
	nearest, best := "", -1
	for _, r := range Routes {
		if r.Name == name || r.Path() == name {
			return r, nil
		}
		if d := levenshtein.ComputeDistance(name, r.Name); best < 0 || d < best {
			nearest, best = r.Name, d
		}
	}
	return Route{}, fmt.Errorf("there is no route %q: did you mean %s?", name, nearest)
}
