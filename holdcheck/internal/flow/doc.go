// Package flow follows connections through a program's SSA, from where they are taken
// to where they are released: along the paths of a function, and into the functions
// that it calls. A Unit is what is looked at together. It finds the slow calls that
// are made meanwhile, and sums its functions up for the units that import it.
//
// What libraries do it asks package catalog. It reads no source and builds no SSA,
// and says nothing to people: a Found has fields, and the sentence is made of them in
// package holdcheck.
package flow
