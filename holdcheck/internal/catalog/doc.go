// Package catalog has what is known of libraries: which functions take a connection
// and what gives it back, which calls are slow, of which kind and how bad, and what a
// function does with its arguments. It knows functions by their full names, and, where
// a name cannot say it, by the shape of their signature.
//
// It looks at no source and follows nothing: that is package flow's. What a project
// adds is told to a Catalog; the tables themselves do not change.
package catalog
