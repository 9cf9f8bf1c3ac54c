//go:build !linux

package connstring

import "syscall"

// userTimeout is Linux's, as in libpq: other systems are left as they are.
func userTimeout(int) func(network, address string, c syscall.RawConn) error { return nil }
