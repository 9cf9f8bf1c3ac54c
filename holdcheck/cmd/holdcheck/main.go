// Command holdcheck is package holdcheck's analyzer for go vet: it finds slow calls
// that are made while a database connection is held.
//
//	go install github.com/pghold/pghold/holdcheck/cmd/holdcheck@latest
//	go vet -vettool=$(which holdcheck) ./...
//
// go vet looks at one package at a time, with what was learned about the functions of
// those that it imports, and remembers the answer as long as nothing changes. So this
// is quick, and sees less than "pghold check", which reads the whole program.
//
// -holdcheck.config=FILE, with the file's whole path, is as --config of pghold check;
// after a change of that file, go vet -a makes go vet forget what it remembers.
// -holdcheck.tests looks at test files too, and at functions in other files that take a
// testing.T or the like. Without it, a line on standard error says in which packages
// slow calls in such functions were left out. It makes no exit status, and go vet does
// not repeat it while nothing changes.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/pghold/pghold/holdcheck"
)

const usage = `holdcheck finds slow calls that are made while a database connection is held. It is for go vet:

  go vet -vettool=$(which holdcheck) ./...
  go vet -vettool=$(which holdcheck) -holdcheck.tests ./...                      test files too
  go vet -vettool=$(which holdcheck) -holdcheck.config="$PWD/.pghold.json" ./...

Exit status of go vet: 0 nothing found, 1 it failed or found something.

pghold check reads the whole program at once and sees more. holdcheck help holdcheck says what is missing here.
`

func main() {
	if !fromVet(os.Args[1:]) {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if onlyFacts(os.Args[len(os.Args)-1]) {
		unitchecker.Main(holdcheck.Analyzer)
	}
	unitchecker.Main(saying())
}

// onlyFacts reports whether go vet wants to know of a package for those that import
// it: the package itself is looked at another time, or not at all.
func onlyFacts(config string) bool {
	var c struct{ VetxOnly bool }
	b, err := os.ReadFile(config)
	return err == nil && json.Unmarshal(b, &c) == nil && c.VetxOnly
}

// saying is the analyzer that also says what it leaves out.
func saying() *analysis.Analyzer {
	a := *holdcheck.Analyzer
	a.Run = func(pass *analysis.Pass) (any, error) {
		r, err := holdcheck.Analyzer.Run(pass)
		if err != nil {
			return nil, err
		}
		for _, s := range r.([]string) {
			fmt.Fprintf(os.Stderr, "holdcheck: %s; -holdcheck.tests shows them\n", s)
		}
		return r, nil
	}
	return &a
}

// fromVet reports whether the arguments are go vet's, or ask for unitchecker's help.
func fromVet(args []string) bool {
	if len(args) == 0 {
		return false
	}
	last := args[len(args)-1]
	return args[0] == "help" || last == "-flags" || strings.HasPrefix(last, "-V=") || strings.HasSuffix(last, ".cfg")
}
