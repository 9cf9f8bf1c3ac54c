//go:build !unix

package pgtest

import "testing"

func share() {}

// Alone would keep other packages' tests away; it cannot here.
func Alone(testing.TB) {}
