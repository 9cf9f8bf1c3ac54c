package report

import "github.com/pghold/pghold/cmd/pghold/internal/printable"

// clean makes text from outside safe to print in a line.
func clean(s string) string { return printable.Line(s) }

// shorten cuts text after so many characters, and shows that it did.
func shorten(s string, limit int) string {
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return string(runes[:limit-1]) + "…"
}
