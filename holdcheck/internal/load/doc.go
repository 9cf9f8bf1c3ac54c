// Package load reads a Go program for analysis: it asks the go command for the
// packages, parses them and checks their types, each after those that it imports. Of
// dependencies it reads only bodies that can lead to something slow, and drops them
// once they were looked at; what does not compile it reads as far as it can.
//
// It compiles and runs nothing, makes no SSA, and finds nothing: that is package
// flow's.
package load
