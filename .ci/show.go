//go:build ignore

// Command show shows what go test -json says of tests as go test does, and then which of
// them were skipped. It exits with 1 where one failed, where one was skipped, or where
// there was none: in CI all that they need is there.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	said := map[string]*strings.Builder{} // by the tests that run
	var skipped []string
	passed, failed := 0, false
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			os.Stdout.Write(line) // of the go command itself
			continue
		}
		test := e.Package + " " + e.Test
		switch e.Action {
		case "build-output":
			fmt.Print(e.Output)
		case "build-fail":
			failed = true
		case "output":
			switch {
			case e.Test != "":
				if said[test] == nil {
					said[test] = &strings.Builder{}
				}
				said[test].WriteString(e.Output)
			case e.Output != "PASS\n":
				fmt.Print(e.Output)
			}
		case "pass":
			if e.Test != "" {
				passed++
			}
			delete(said, test)
		case "fail":
			failed = true
			if s := said[test]; s != nil {
				fmt.Printf("%s:\n%s", e.Package, s)
			}
			delete(said, test)
		case "skip":
			if e.Test != "" { // else the package has no tests
				skipped = append(skipped, fmt.Sprintf("%s:\n%s", e.Package, said[test]))
			}
			delete(said, test)
		}
	}
	for test, s := range said { // a panic, or a time-out, ends its test without a word
		fmt.Printf("%s did not end:\n%s", test, s)
	}
	fmt.Printf("\n%d tests passed, %d were skipped\n", passed, len(skipped))
	for _, s := range skipped {
		fmt.Print(s)
	}
	if failed || passed == 0 || len(skipped) > 0 {
		os.Exit(1)
	}
}
