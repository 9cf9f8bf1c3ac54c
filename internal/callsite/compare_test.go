package callsite

import "testing"

// How far a goroutine is, by the lines of the function that took the connection and of
// what is between that and database/sql.
func TestPlace_Compare(t *testing.T) {
	const file = "app.go"
	at := func(function string, line int) Site { return Site{function, file, line} }
	conn, begin, query := at("database/sql.(*DB).conn", 1369), at("database/sql.(*DB).BeginTx", 1879), at("database/sql.(*DB).QueryContext", 1717)
	p := Place{Site: at("app.list", 50), Way: []Site{at("store.List", 8), at("store.tx", 3), begin}}
	direct := Place{Site: at("app.list", 50), Way: []Site{begin}}
	other := Place{Site: at("app.list", 50)}
	for name, c := range map[string]struct {
		of    Place
		stack []Site
		want  int
	}{
		"another function":                {p, []Site{conn, at("app.users", 60)}, 0},
		"above":                           {p, []Site{conn, begin, at("store.tx", 3), at("store.List", 8), at("app.list", 49)}, -1},
		"below":                           {p, []Site{conn, begin, at("store.tx", 3), at("store.List", 8), at("app.list", 51)}, 1},
		"there":                           {p, []Site{conn, begin, at("store.tx", 3), at("store.List", 8), at("app.list", 50)}, 0},
		"above in the layer":              {p, []Site{conn, query, at("store.List", 7), at("app.list", 50)}, -1},
		"below in the layer":              {p, []Site{conn, query, at("store.List", 12), at("app.list", 50)}, 1},
		"in something else of the layer":  {p, []Site{conn, query, at("store.Users", 1), at("app.list", 50)}, 1},
		"below in the layer's own helper": {p, []Site{conn, query, at("store.tx", 4), at("store.List", 8), at("app.list", 50)}, 1},
		"not yet in the layer":            {p, []Site{at("app.list", 50)}, 0},
		"another call of the line":        {direct, []Site{conn, query, at("app.list", 50)}, 1},
		"the same call of the line":       {direct, []Site{conn, begin, at("app.list", 50)}, 0},
		"an argument of the call":         {direct, []Site{at("fmt.Sprint", 9), at("app.list", 50)}, 0},
		"at a line that is no SQL's":      {other, []Site{at("pgxpool.Acquire", 9), at("app.list", 50)}, 0},
		"within itself":                   {direct, []Site{conn, begin, at("app.list", 50), at("app.list", 70)}, 1},
	} {
		if got := c.of.Compare(c.stack); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}
