package holdcheck

import "github.com/pghold/pghold"

// ID is the name of a place: the function that takes the connection, and the
// function that makes the slow call, as runtime.Func names them. Closures count as
// the function they are in. A recorder gives what it measures the same names.
func ID(hold, slow string) string { return pghold.PlaceID(hold, slow) }
