package load

import (
	"go/ast"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/txtar"
)

// tree writes files in the form of package txtar into a new folder.
func tree(t *testing.T, text string) string {
	t.Helper()
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOWORK", "")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(text)).Files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loaded is a program, and what there was to be seen while it was loaded.
type loaded struct {
	*Program
	called []string // dependencies, in the order of the calls
	bodies map[string]bool
}

func mustLoad(t *testing.T, o Options) *loaded {
	t.Helper()
	l := &loaded{bodies: map[string]bool{}}
	var mu sync.Mutex
	p, err := Read(t.Context(), o, func(p *Program, s *Package) {
		mu.Lock()
		defer mu.Unlock()
		l.called = append(l.called, s.Path)
		for _, file := range s.Files {
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
					l.bodies[s.Path+"."+f.Name.Name] = true
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Program = p
	seen := map[*types.Package]bool{}
	for _, s := range p.Packages {
		for _, imported := range s.Types.Imports() {
			if !seen[imported] {
				t.Errorf("%s comes before %s, which it imports", s.Path, imported.Path())
			}
		}
		seen[s.Types] = true
		if s.Own {
			for _, file := range s.Files {
				for _, decl := range file.Decls {
					if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
						l.bodies[s.Path+"."+f.Name.Name] = true
					}
				}
			}
		}
	}
	l.build(t)
	return l
}

// build makes SSA of all packages that have files: it panics where something that it
// needs is not there.
func (l *loaded) build(t *testing.T) {
	t.Helper()
	prog := ssa.NewProgram(l.Fset, ssa.InstantiateGenerics|ssa.SanityCheckFunctions)
	for _, s := range l.Packages {
		prog.CreatePackage(s.Types, s.Files, s.Info, true)
	}
	for _, s := range l.Packages {
		if s.Files != nil {
			prog.Package(s.Types).Build()
		}
	}
}

func (l *loaded) find(t *testing.T, path string) *Package {
	t.Helper()
	var found *Package
	for _, s := range l.Packages {
		if s.Path == path {
			if found != nil {
				t.Errorf("%s is there twice", path)
			}
			found = s
		}
	}
	if found == nil {
		t.Fatalf("%s was not read", path)
	}
	return found
}

func (l *loaded) wantBodies(t *testing.T, want map[string]bool) {
	t.Helper()
	for name, there := range want {
		if l.bodies[name] != there {
			t.Errorf("body of %s was read: got %v, want %v", name, l.bodies[name], there)
		}
	}
}

func wantTexts(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d, want %d:\n%s", what, len(got), len(want), strings.Join(got, "\n"))
		return
	}
	for i := range got {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%s: got %q, want %q", what, got[i], want[i])
		}
	}
}
