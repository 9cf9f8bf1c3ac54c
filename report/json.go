package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/pghold/pghold/experiment"
)

// JSON writes a result as one indented document with a newline at its end. Lists
// are never null, and control characters never stand as they are, so that the
// document may be printed on a terminal.
func JSON(w io.Writer, r *experiment.Result) error {
	doc := *r
	if doc.Routes == nil {
		doc.Routes = []experiment.RouteResult{}
	}
	if doc.Warnings == nil {
		doc.Warnings = []string{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("writing the result as JSON: %w", err)
	}
	_, err := w.Write(quoteControls(b.Bytes()))
	return err
}

// quoteControls quotes the control characters that encoding/json leaves alone:
// DEL and U+0080 to U+009F, among them a one-character escape sequence. They
// occur in strings only.
func quoteControls(doc []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(doc) {
		if r >= 0x7f && r <= 0x9f {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.Bytes()
}
