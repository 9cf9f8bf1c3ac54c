package experiment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
)

// WriteResult writes a result as one indented document with a newline at its end. Lists
// are never null, and what does not print (control characters, marks that turn the
// direction of writing) never stands as it is, so that the document may be printed on
// a terminal.
func WriteResult(w io.Writer, r *Result) error {
	doc := *r
	if doc.Routes == nil {
		doc.Routes = []RouteResult{}
	}
	if doc.Warnings == nil {
		doc.Warnings = []string{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	var err error
	if doc.Service != nil {
		err = enc.Encode(newServiceResult(&doc))
	} else {
		err = enc.Encode(doc)
	}
	if err != nil {
		return fmt.Errorf("writing the result as JSON: %w", err)
	}
	_, err = w.Write(printable.JSON(b.Bytes()))
	return err
}
