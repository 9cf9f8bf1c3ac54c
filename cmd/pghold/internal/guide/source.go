package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// source is a folder of Go files.
type source struct {
	dir   string
	files []file // once they were read
}

type file struct {
	text   []byte
	tree   *ast.File
	places *token.FileSet
}

func (s *source) read() ([]file, error) {
	if s.files != nil {
		return s.files, nil
	}
	paths, err := filepath.Glob(filepath.Join(s.dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		f := file{text: text, places: token.NewFileSet()}
		if f.tree, err = parser.ParseFile(f.places, path, text, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			return nil, err
		}
		s.files = append(s.files, f)
	}
	return s.files, nil
}

// find returns the function of a name, as a reader writes it: "f", "T.f" or "(*T).f".
func (s *source) find(name string) (file, *ast.FuncDecl, error) {
	files, err := s.read()
	if err != nil {
		return file{}, nil, err
	}
	for _, f := range files {
		for _, d := range f.tree.Decls {
			if d, is := d.(*ast.FuncDecl); is && nameOf(d) == name {
				return f, d, nil
			}
		}
	}
	return file{}, nil, fmt.Errorf("%s has no function %s", s.dir, name)
}

func nameOf(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	switch t := d.Recv.List[0].Type.(type) {
	case *ast.StarExpr:
		if id, is := t.X.(*ast.Ident); is {
			return "(*" + id.Name + ")." + d.Name.Name
		}
	case *ast.Ident:
		return t.Name + "." + d.Name.Name
	}
	return ""
}

// function returns a function's source with its comment.
func (s *source) function(name string) (string, error) {
	f, d, err := s.find(name)
	if err != nil {
		return "", err
	}
	from := d.Pos()
	if d.Doc != nil {
		from = d.Doc.Pos()
	}
	return string(f.text[f.places.Position(from).Offset:f.places.Position(d.End()).Offset]), nil
}

// statements returns the SQL of lab's statements, which are fields of a struct.
func (s *source) statements(names []string) (string, error) {
	f, d, err := s.find("statementsOf")
	if err != nil {
		return "", err
	}
	sql := map[string]string{}
	ast.Inspect(d, func(n ast.Node) bool {
		if kv, is := n.(*ast.KeyValueExpr); is {
			key, _ := kv.Key.(*ast.Ident)
			if call, is := kv.Value.(*ast.CallExpr); is && key != nil && len(call.Args) == 1 {
				sql[key.Name] = literal(call.Args[0])
			}
		}
		return true
	})
	var all []string
	for _, name := range names {
		text := sql[name]
		if text == "" {
			return "", fmt.Errorf("%s has no statement %s", f.places.Position(d.Pos()).Filename, name)
		}
		text = regexp.MustCompile(`\n\s+`).ReplaceAllString(strings.ReplaceAll(text, "SCHEMA.", ""), "\n  ")
		all = append(all, "-- "+name+"\n"+text)
	}
	return strings.Join(all, "\n\n"), nil
}

// literal is a string in the source, or nothing.
func literal(e ast.Expr) string {
	if lit, is := e.(*ast.BasicLit); is && lit.Kind == token.STRING {
		if s, err := strconv.Unquote(lit.Value); err == nil {
			return s
		}
	}
	return ""
}

// sqlstates are those that the tests meet, in words.
var sqlstates = map[string]string{
	"26000": "no such prepared statement", "42P05": "prepared already", "42P01": "no such table",
	"42P07": "there is such a table", "08P01": "refused",
}

// cases returns the rows of a test's table as Markdown: a name first; and last, what
// is expected of PgBouncer before it knew prepared statements, and since.
func (s *source) cases(test string) (string, error) {
	f, d, err := s.find(test)
	if err != nil {
		return "", err
	}
	wrong := func(at ast.Node) error {
		return fmt.Errorf("%s: not a row that can be read", f.places.Position(at.Pos()))
	}
	var rows *ast.CompositeLit
	ast.Inspect(d, func(n ast.Node) bool {
		if loop, is := n.(*ast.RangeStmt); is && rows == nil {
			rows, _ = loop.X.(*ast.CompositeLit)
		}
		return rows == nil
	})
	if rows == nil {
		return "", wrong(d)
	}
	var b strings.Builder
	b.WriteString("| | PgBouncer before 1.21 | from 1.21 on |\n|:--|:--|:--|\n")
	for _, e := range rows.Elts {
		row, is := e.(*ast.CompositeLit)
		if !is || len(row.Elts) != 4 {
			return "", wrong(e)
		}
		name, before, since := literal(row.Elts[0]), expected(row.Elts[2]), expected(row.Elts[3])
		if name == "" || before == "" {
			return "", wrong(e)
		}
		if since == "" {
			since = before
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", plain(name), plain(before), plain(since))
	}
	return b.String(), nil
}

// expected is what a row expects, in words.
func expected(e ast.Expr) string {
	if id, is := e.(*ast.Ident); is {
		return id.Name // works
	}
	s := literal(e)
	if words := sqlstates[s]; words != "" {
		return "error: " + words + " (" + s + ")"
	}
	return s
}
