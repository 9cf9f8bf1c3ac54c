package listing

import "github.com/pghold/pghold/cmd/pghold/internal/printable"

// clean makes text from outside safe to print in a line.
func clean(s string) string { return printable.Line(s) }
