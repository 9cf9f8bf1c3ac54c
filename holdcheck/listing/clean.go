package listing

import (
	"strconv"
	"strings"
	"unicode"
)

// clean makes text from outside safe to print in a line: white space becomes one
// space, and what does not print (escape sequences, marks that turn the direction of
// writing) is quoted, as \x1b.
func clean(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ") {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return b.String()
}
