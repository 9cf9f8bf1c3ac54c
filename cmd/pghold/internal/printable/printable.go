// Package printable makes text from outside harmless on a terminal and in a log: what a
// server says, the names of databases, folders and files, the text of a program. There,
// escape sequences move the cursor and set the window's title, marks turn the direction
// of writing, and a line break begins what looks like a line of ours.
package printable

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Line is text for one line, or a part of one: white space becomes one space, and what
// does not print (control characters, escape sequences, marks that turn the direction
// of writing) is quoted, as \x1b. Text that begins with the two colons of a command to
// GitHub Actions, which reads logs for them, begins with \x3a: instead.
func Line(s string) string {
	return Quote(strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " "))
}

// Quote is Line for names: white space that prints stays as it is.
func Quote(s string) string {
	var b strings.Builder
	if strings.HasPrefix(s, "::") {
		b.WriteString(`\x3a`)
		s = s[1:]
	}
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return b.String()
}

// JSON is a document of JSON with what does not print quoted. It is in strings only,
// and encoding/json leaves some of it: DEL, U+0080 to U+009F, of which one begins an
// escape sequence, and marks that turn the direction of writing.
func JSON(doc []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(doc) {
		if r == '\n' || unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			b.WriteString(`\u`)
			b.WriteString(strconv.FormatUint(0x10000|uint64(unit), 16)[1:])
		}
	}
	return b.Bytes()
}

// Messages writes to Out. Each Write is a message: one line, with empty lines around it
// as they are. A line of it that is indented by two spaces stays a line, for lists; at
// any other line break the message goes on after a space.
type Messages struct{ Out io.Writer }

// Write writes a message and returns the length of what it was given.
func (m Messages) Write(message []byte) (int, error) {
	text := string(message)
	body := strings.Trim(text, "\n")
	before, after, _ := strings.Cut(text, body)
	if body == "" {
		before, after = text, ""
	}
	lines := strings.Split(body, "\n  ")
	for i, line := range lines {
		lines[i] = Line(line)
	}
	if _, err := io.WriteString(m.Out, before+strings.Join(lines, "\n  ")+after); err != nil {
		return 0, err
	}
	return len(message), nil
}
