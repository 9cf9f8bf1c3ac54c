// Package holdcheck finds slow calls that a Go program makes while it holds a
// database connection: an HTTP request inside a transaction, a mail sent while rows
// are open.
package holdcheck
