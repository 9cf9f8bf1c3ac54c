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
	"unicode"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Vegeta writes each route of a run as vegeta report prints it, below a line
// with the route's name and in the order of the result. dir is the run's folder
// or its result file. The figures are computed from the vegeta files beside it.
//
// What does not print in the texts of errors is quoted; vegeta prints it.
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
		m, err := readMetrics(folder, r, &r.Routes[i])
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
func readMetrics(folder string, r *experiment.Result, rr *experiment.RouteResult) (*vegeta.Metrics, error) {
	var m vegeta.Metrics
	if err := readHits(folder, r, rr, m.Add); err != nil {
		return nil, err
	}
	m.Close()
	for i, text := range m.Errors {
		m.Errors[i] = quoteInLine(text)
	}
	return &m, nil
}

// readHits reads a route's vegeta file, which has a result for each request.
func readHits(folder string, r *experiment.Result, rr *experiment.RouteResult, add func(*vegeta.Result)) error {
	path, err := routeFile(folder, rr, ".bin")
	if err != nil {
		return err
	}
	broken := func(format string, args ...any) error { return brokenFile(path, r, rr, format, args...) }

	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return broken("is missing (%w)", fs.ErrNotExist)
	} else if err != nil {
		return broken("cannot be opened: %w", err)
	}
	defer f.Close()

	in := bufio.NewReader(f)
	if _, err := in.Peek(1); errors.Is(err, io.EOF) && rr.Requests == 0 {
		return nil
	}
	decoder := vegeta.DecoderFor(in)
	if decoder == nil {
		return broken("is not a file of vegeta results")
	}
	n := 0
	for {
		var hit vegeta.Result // a new one each time: gob leaves out zeros
		err := decoder.Decode(&hit)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return broken("breaks off after %s: %w", words.Count(n, "result"), err)
		}
		add(&hit)
		n++
	}
	if n != rr.Requests {
		return broken("has %s where %s counts %d", words.Count(n, "result"), resultFile, rr.Requests)
	}
	return nil
}

// routeFile is the path of one of a route's files. The name is from a file: it must
// not lead out of the folder.
func routeFile(folder string, rr *experiment.RouteResult, suffix string) (string, error) {
	if rr.Name == "" || strings.ContainsAny(rr.Name, `/\`) {
		return "", fmt.Errorf("%s names a route %q, which cannot be a file's name: restore the file, or run pghold lab again",
			filepath.Join(folder, resultFile), rr.Name)
	}
	return filepath.Join(folder, rr.Name+suffix), nil
}

// brokenFile says what is wrong with one of a route's files, and what to do.
func brokenFile(path string, r *experiment.Result, rr *experiment.RouteResult, format string, args ...any) error {
	return fmt.Errorf("%s %w: restore the file, or run %s again", clean(path), fmt.Errorf(format, args...), r.CommandFor(rr))
}

// quoteInLine quotes what does not print but leaves the lines of a text, and its tabs,
// so that what has none is printed exactly as vegeta does.
func quoteInLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
