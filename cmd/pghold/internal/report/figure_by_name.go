package report

import (
	"fmt"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Figure returns one figure of a route as the tables show it. name is that of the
// table and that of its column, as "attack.success", "attack.latency: p50" or
// "updates.lost"; "settings.differ" is what differs in the route's settings, in words.
// What the tables leave empty because it is zero is "0".
func Figure(r *experiment.Result, route, name string) (string, error) {
	if r.Route(route) == nil {
		return "", fmt.Errorf("the result has no route %q", route)
	}
	if name == "settings.differ" {
		_, each := differences(r)
		for _, d := range each {
			if d.route == printable.Line(route) {
				return d.words, nil
			}
		}
		return words.None, nil
	}
	of, title, _ := strings.Cut(name, ".")
	for _, t := range allTables(r) {
		if t.name != of {
			continue
		}
		for c, col := range t.columns {
			if col.title() != title {
				continue
			}
			for _, row := range t.rows {
				switch {
				case row.route != printable.Line(route): // its own row comes before the seed's
				case row.cells[c].text == "":
					return "0", nil
				default:
					return row.cells[c].text, nil
				}
			}
			return "", fmt.Errorf("route %s has no figure %q", route, name)
		}
	}
	return "", fmt.Errorf("there is no figure %q", name)
}
