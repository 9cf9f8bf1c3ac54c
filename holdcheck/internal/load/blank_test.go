package load

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// What is left after blank must be the same declarations in the same places.
func TestBlank(t *testing.T) {
	const source = "package p\n" + `
import "fmt"

func plain() { return } // }

func (r *T) method(f func(struct{ a int }) interface{ M() }) struct{ b string } {
	// a } in a comment
	fmt.Println("}", '}', ` + "`}\n`" + `, '\'', "\"}") /* } */
	if x := (T{}); true {
	}
	var inner = []int{1}
}

func generic[P interface{ ~int | ~struct{ c int } }](p P) (q struct{ d P }) { return }

func outside(a, b int) int

var table = map[string]interface{}{"a": 1, "b": T{}}

var (
	counted  = [...]string{"x", "y"}
	lengthy  = [3]uint8{1, 2, 3}
	function = func() int { return 1 }
	called   = f(T{1}, func() { panic("") })
	typed    struct{ e int }
)

const c = len([2]int{})

type T struct{ f func() struct{} }

type I interface {
	M() (x struct{})
}
`
	blanked := []byte(source)
	blank(blanked)
	parse := func(source string) (*token.FileSet, *ast.File) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "p.go", source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%v in\n%s", err, source)
		}
		return fset, file
	}
	_, before := parse(source)
	_, after := parse(string(blanked))
	if len(before.Decls) != len(after.Decls) {
		t.Fatalf("got %d declarations, want %d:\n%s", len(after.Decls), len(before.Decls), blanked)
	}
	for i, b := range before.Decls {
		a := after.Decls[i]
		if a.Pos() != b.Pos() || a.End() != b.End() {
			t.Errorf("declaration %d moved", i)
		}
		if f, ok := a.(*ast.FuncDecl); ok {
			head, body := b.End(), f.Body
			if body != nil {
				head = body.Lbrace
				if len(body.List) > 0 {
					t.Errorf("%s has a body", f.Name.Name)
				}
			}
			if got, want := string(blanked[b.Pos()-1:head-1]), source[b.Pos()-1:head-1]; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
	for _, kept := range []string{`[...]string{"x", "y"}`, "typed    struct{ e int }", "func outside(a, b int) int", "len([2]int{})", "M() (x struct{})"} {
		if !strings.Contains(string(blanked), kept) {
			t.Errorf("%s is gone:\n%s", kept, blanked)
		}
	}
	for _, gone := range []string{"panic", "return", "1, 2, 3", `"a"`, "inner"} {
		if strings.Contains(string(blanked), gone) {
			t.Errorf("%s is still there:\n%s", gone, blanked)
		}
	}
}

func TestDropData(t *testing.T) {
	many := strings.Repeat("-1, ", 100)
	for source, dropped := range map[string]bool{
		"var x = []int{" + many + "}":                                     true,
		"var x = [...]int{" + many + "}":                                  false, // its length is its type
		"var x = []int{1, 2}":                                             false,
		"var x = []func(){" + many + "func() {}}":                         false,
		"var x = []int{" + many + "f()}":                                  false,
		"var x = map[int]T{" + strings.Repeat(`1: {"a", 2}, `, 100) + "}": true,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p; "+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		dropData(file)
		lit := file.Decls[0].(*ast.GenDecl).Specs[0].(*ast.ValueSpec).Values[0].(*ast.CompositeLit)
		if got := lit.Elts == nil; got != dropped {
			t.Errorf("%.40s: dropped %v, want %v", source, got, dropped)
		}
	}
}
