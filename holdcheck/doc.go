// Package holdcheck finds slow calls that a Go program makes while it holds a
// database connection: an HTTP request inside a transaction, a mail sent while rows
// are open. It is for those who do not want to find that out from an exhausted pool.
//
// Check reads a whole program, Analyzer one package at a time with facts about those
// that it imports. Both follow a connection from where it is taken to where it is
// released, along the paths of a function and into the functions that it calls, and
// look up there what is slow in tables. What a table does not know is slow only if
// something that it calls is.
//
// It does not run anything, and does not know how long a call takes: package pghold
// measures that. It is no proof that nothing is held: it does not see through
// reflection, nor a connection that leaves a function in a closure in a struct or over
// a channel. Calls that it cannot follow it says. It does not look for connections
// that are never released.
package holdcheck
