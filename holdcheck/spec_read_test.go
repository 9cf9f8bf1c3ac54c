package holdcheck

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// specPrograms are the folders by the program that they are read as: those that are
// programs of their own, and the rest together.
func specPrograms(folders []*specFolder) [][]*specFolder {
	var programs [][]*specFolder
	var rest []*specFolder
	for _, f := range folders {
		if f.own {
			programs = append(programs, []*specFolder{f})
		} else {
			rest = append(rest, f)
		}
	}
	if len(rest) > 0 {
		programs = append(programs, rest)
	}
	return programs
}

func (f *specFolder) configured() bool {
	return len(f.config.Slow)+len(f.config.Fast)+len(f.config.Openers) > 0
}

// gopathMode makes the go command find the stubs.
func gopathMode(t *testing.T) {
	t.Helper()
	t.Setenv("GO111MODULE", "off")
	t.Setenv("GOPATH", filepath.Dir(specDir()))
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "off")
}

// specDir is testdata/src.
func specDir() string {
	dir, err := filepath.Abs("testdata/src")
	if err != nil {
		panic(err) // only where the working directory is gone
	}
	return dir
}

// readSpec reads the case folders that the flag -spec asks for.
func readSpec(t *testing.T) []*specFolder {
	t.Helper()
	entries, err := os.ReadDir(specDir())
	if err != nil {
		t.Fatal(err)
	}
	var folders []*specFolder
	for _, e := range entries {
		if strings.Contains(e.Name(), ".") || *specFolders != "" && !slices.Contains(strings.Split(*specFolders, ","), e.Name()) {
			continue
		}
		folders = append(folders, readSpecFolder(t, e.Name()))
	}
	return folders
}

func readSpecFolder(t *testing.T, name string) *specFolder {
	t.Helper()
	f := &specFolder{name: name}
	fset := token.NewFileSet()
	err := filepath.WalkDir(filepath.Join(specDir(), name), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "vendor" { // what the cases depend on
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(specDir(), path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.Name() == "config.json" {
			f.own = true
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return json.Unmarshal(text, &f.config)
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		if p := "./" + rel[:strings.LastIndexByte(rel, '/')]; !slices.Contains(f.patterns, p) {
			f.patterns = append(f.patterns, p)
			f.own = f.own || len(f.patterns) > 1
		}
		source, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		return f.readFile(fset, source, rel)
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// readFile adds one file's cases and what its comments expect.
func (f *specFolder) readFile(fset *token.FileSet, source *ast.File, rel string) error {
	var lines []int // that expect something
	for _, group := range source.Comments {
		for _, c := range group.List {
			line := fset.Position(c.Pos()).Line
			if c.Text == "// hold" {
				f.wants = append(f.wants, specWant{file: rel, word: "hold", line: line})
				continue
			}
			word, rest, _ := strings.Cut(strings.TrimPrefix(c.Text, "// "), " ")
			if !slices.Contains([]string{"want", "wantcheck", "wanttests"}, word) || !strings.HasPrefix(strings.TrimSpace(rest), `"`) {
				continue
			}
			lines = append(lines, line)
			for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
				quoted, err := strconv.QuotedPrefix(rest)
				if err != nil {
					return fmt.Errorf("%s:%d: %q is no quoted text", rel, line, rest)
				}
				rest = rest[len(quoted):]
				text, _ := strconv.Unquote(quoted)
				pattern, err := regexp.Compile("^(?:" + text + ")")
				if err != nil {
					return fmt.Errorf("%s:%d: %w", rel, line, err)
				}
				f.wants = append(f.wants, specWant{file: rel, word: word, line: line, text: text, pattern: pattern})
			}
		}
	}
	for _, d := range source.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		c := specCase{file: rel, name: fn.Name.Name, first: fset.Position(fn.Pos()).Line, last: fset.Position(fn.End()).Line}
		c.silent = strings.HasPrefix(c.name, "ok")
		loud := slices.ContainsFunc(lines, func(line int) bool { return c.first <= line && line <= c.last })
		if c.silent || loud {
			f.cases = append(f.cases, c)
		}
	}
	return nil
}
