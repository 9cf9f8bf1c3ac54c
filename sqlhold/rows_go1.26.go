//go:build !go1.27

package sqlhold

// columnScanner is what result sets may have from Go 1.27 on. Before, none has it:
// no other package's type has a method of this package.
type columnScanner interface{ fromGo127() }
