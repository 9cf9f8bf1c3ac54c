package rundir

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Hits reads a case's vegeta file, which has a result for each request. dir is the run's
// folder or its result file.
func Hits(dir string, r *experiment.Result, rr *experiment.RouteResult, add func(*vegeta.Result)) error {
	path, err := caseFile(dir, rr, Requests)
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
		return broken("has %s where %s counts %d", words.Count(n, "result"), ResultFile, rr.Requests)
	}
	return nil
}

// caseFile is the path of one of a case's files. The name is from a file: it must not
// lead out of the folder.
func caseFile(dir string, rr *experiment.RouteResult, kind Kind) (string, error) {
	folder, _, err := locate(dir)
	if err != nil {
		return "", err
	}
	name := cmp.Or(rr.File, rr.Name)
	if name == "" || strings.ContainsAny(name, `/\`) {
		return "", fmt.Errorf("%s names a route %q, which cannot be a file's name: restore the file, or run it again",
			filepath.Join(folder, ResultFile), name)
	}
	return kind.Of(folder, name), nil
}

// brokenFile says what is wrong with one of a case's files, and what to do.
func brokenFile(path string, r *experiment.Result, rr *experiment.RouteResult, format string, args ...any) error {
	return fmt.Errorf("%s %w: restore the file, or run %s again", printable.Line(path), fmt.Errorf(format, args...), r.CommandFor(rr))
}
