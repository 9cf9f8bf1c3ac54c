package callsite

// What follows stands for a module that the program depends on: its file has the name
// that one in the module cache has.

//line /go/pkg/mod/example.com/shop@v1.2.3/shop_test.go:7
//go:noinline
func inDependency(f func()) { f() }
