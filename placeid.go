package pghold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pghold/pghold/internal/callsite"
)

// PlaceID is the name of a place at which a program waits while it holds a connection.
// It stays the same when lines move. As text, and in JSON, it is the two functions with
// a > between.
//
// Package holdcheck gives what it finds in source the same names, so that a
// [Snapshot] can say what a finding costs: see [SlowCalls].
type PlaceID struct {
	Hold string // the function that takes the connection
	Slow string // the function that makes the slow call
}

// NewPlaceID makes the name of a place of two functions, as runtime.Func names them.
// Closures count as the function that they are written in, and all instances of a
// generic function as one. A recorder puts the path of the main package in the place of
// main.
func NewPlaceID(hold, slow string) PlaceID {
	return PlaceID{callsite.Declared(hold), callsite.Declared(slow)}
}

func (id PlaceID) String() string { return id.Hold + ">" + id.Slow }

// MarshalText writes what String returns.
func (id PlaceID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *PlaceID) UnmarshalText(text []byte) error {
	hold, slow, ok := strings.Cut(string(text), ">")
	if !ok {
		return fmt.Errorf("%q is not the name of a place: it has no >", text)
	}
	*id = PlaceID{hold, slow}
	return nil
}

// maxIDs is how many names a place of slow calls has at most.
const maxIDs = 32

// placeIDs appends the names of a slow call in a hold to ids. Who holds is first the
// function that took the connection, then who called it: some helper may have taken
// it for them. Where the helper has returned, its callers are seen from the slow call.
func placeIDs(ids []PlaceID, hold, slow *place) []PlaceID {
	callers := slow.Functions
	if i := slices.Index(callers, hold.Functions[0]); i >= 0 {
		callers = callers[i:]
	}
	for _, functions := range [][]string{hold.Functions, callers} {
		for _, f := range functions {
			ids = addID(ids, PlaceID{f, slow.Functions[0]})
		}
	}
	return ids
}

func addID(ids []PlaceID, id PlaceID) []PlaceID {
	if len(ids) < maxIDs && !slices.Contains(ids, id) {
		ids = append(ids, id)
	}
	return ids
}
