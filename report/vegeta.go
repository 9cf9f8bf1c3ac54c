package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/experiment"
)

// Vegeta writes each route of a run as vegeta report prints it, below a line
// with the route's name and in the order of the result. dir is the run's folder
// or its result file. The figures are computed from the vegeta files beside it.
//
// Control characters in the texts of errors are quoted; vegeta prints them.
func Vegeta(w io.Writer, dir string) error {
	r, err := Load(dir)
	if err != nil {
		return err
	}
	folder, _, err := locate(dir)
	if err != nil {
		return err
	}
	if len(r.Routes) == 0 {
		_, err := fmt.Fprintln(w, noRoutesText)
		return err
	}
	for i := range r.Routes {
		m, err := readMetrics(folder, &r.Routes[i])
		if err != nil {
			return err
		}
		gap := ""
		if i > 0 {
			gap = "\n"
		}
		if _, err := fmt.Fprintf(w, "%s%s\n", gap, clean(r.Routes[i].Name)); err != nil {
			return err
		}
		if err := vegeta.NewTextReporter(m).Report(w); err != nil {
			return err
		}
	}
	return nil
}

// readMetrics reads a route's vegeta file.
func readMetrics(folder string, rr *experiment.RouteResult) (*vegeta.Metrics, error) {
	// The name is from a file: it must not lead out of the folder.
	if rr.Name == "" || strings.ContainsAny(rr.Name, `/\`) {
		return nil, fmt.Errorf("%s names a route %q, which cannot be a file's name: restore the file, or run pghold lab again",
			filepath.Join(folder, resultFile), rr.Name)
	}
	path := filepath.Join(folder, rr.Name+".bin")
	broken := func(format string, args ...any) error {
		return fmt.Errorf("%s %w: restore the file, or run pghold lab %s again", clean(path), fmt.Errorf(format, args...), shellQuote(rr.Name))
	}

	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, broken("is missing (%w)", fs.ErrNotExist)
	} else if err != nil {
		return nil, broken("cannot be opened: %w", err)
	}
	defer f.Close()

	var m vegeta.Metrics
	in := bufio.NewReader(f)
	if _, err := in.Peek(1); errors.Is(err, io.EOF) && rr.Requests == 0 {
		m.Close()
		return &m, nil
	}
	decoder := vegeta.DecoderFor(in)
	if decoder == nil {
		return nil, broken("is not a file of vegeta results")
	}
	for {
		var hit vegeta.Result // a new one each time: gob leaves out zeros
		err := decoder.Decode(&hit)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, broken("breaks off after %s: %w", plural(int(m.Requests), "result"), err)
		}
		m.Add(&hit)
	}
	m.Close()
	if int(m.Requests) != rr.Requests {
		return nil, broken("has %s where %s counts %d", plural(int(m.Requests), "result"), resultFile, rr.Requests)
	}
	for i, text := range m.Errors {
		m.Errors[i] = quoteInLine(text)
	}
	return &m, nil
}

// quoteInLine quotes control characters but leaves the lines of a text, so that
// what has none is printed exactly as vegeta does.
func quoteInLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\n' || r == '\t' || r >= 0x20 && r < 0x7f || r > 0x9f {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, `\x%02x`, r)
	}
	return b.String()
}
