// Command guide fills in what docs/guide.md and docs/results/README.md do not say
// themselves: figures, from the results in docs/results, and code, from the sources of
// lab. Both stand between markers:
//
//	<!-- table: GROUP NAME -->              a table of tables.go, of docs/results/GROUP.json
//	<!-- figure: GROUP CASE TABLE.COLUMN --> one figure, within a sentence
//	<!-- code: (*App).name -->              a function of lab, with its comment
//	<!-- sql: name name -->                 statements of lab's
//	<!-- cases: TestName -->                what a test of lab's expects, as a table
//	<!-- runs: -->                          what the results are, and the commands for them
//	<!-- end -->                            ends each of them
//
// It is run in the module's folder:
//
//	go run ./cmd/pghold/internal/guide           writes the pages
//	go run ./cmd/pghold/internal/guide --check   fails where they are not up to date
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// pages are the files with markers.
var pages = []string{"docs/guide.md", "docs/results/README.md"}

func main() {
	check := flag.Bool("check", false, "write nothing, and fail where a page is not up to date")
	flag.Parse()
	if err := run(".", *check); err != nil {
		fmt.Fprintln(os.Stderr, "guide:", err)
		os.Exit(1)
	}
}

// run fills in the pages of the module in a folder, or checks that they are.
func run(module string, check bool) error {
	m := newMaker(module)
	var failed error
	for _, page := range pages {
		path := filepath.Join(module, page)
		was, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		is, err := fill(string(was), m.make)
		switch {
		case err != nil:
			err = fmt.Errorf("%s:%w", page, err)
		case bytes.Equal(was, []byte(is)):
		case check:
			err = fmt.Errorf("%s is not up to date: run go run ./cmd/pghold/internal/guide", page)
		default:
			err = os.WriteFile(path, []byte(is), 0o666)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}
