package load

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"slices"
)

// parse reads the files of a package. What cannot be parsed is left out of them.
func (r *reader) parse(ctx context.Context, n *listedPackage, bodies bool) []*ast.File {
	files := make([]*ast.File, 0, len(n.files))
	for _, name := range n.files {
		if ctx.Err() != nil {
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			n.broken, n.tainted = true, true
			if n.own {
				n.errors = append(n.errors, err.Error())
			}
			continue
		}
		n.size += len(source)
		if !bodies {
			blank(source)
		}
		if file := r.parseFile(n, name, source); file != nil {
			if n.bodies {
				dropData(file)
			}
			files = append(files, file)
		}
	}
	return files
}

// parseFile parses a file. The parser may lose all that is behind a mistake, so
// functions with one are left without a body, and it begins again.
func (r *reader) parseFile(n *listedPackage, name string, source []byte) *ast.File {
	mode := parser.SkipObjectResolution
	if n.own {
		mode |= parser.ParseComments
	}
	const tries = 20
	var without []int // offsets of the bodies that are left out
	for range tries {
		file, err := parser.ParseFile(r.program.Fset, name, source, mode)
		if err == nil {
			n.skip(r.program.Fset, file, without)
			return file
		}
		n.broken, n.tainted = true, true
		if file != nil && (!file.Package.IsValid() || file.Name.Name == "_") {
			file = nil // not even that could be read
		}
		var list scanner.ErrorList
		if !errors.As(err, &list) || len(list) == 0 {
			n.errors = append(n.errors, err.Error())
			return nil
		}
		at, found := blankAround(source, list[0].Pos.Offset)
		if found {
			list = list[:1] // what follows may only follow from it
			without = append(without, at)
		}
		if n.own {
			for _, e := range list {
				n.errors = append(n.errors, fmt.Sprintf("%s:%d:%d: %s", FileName(r.dir, e.Pos.Filename), e.Pos.Line, e.Pos.Column, e.Msg))
			}
		}
		if !found {
			n.skip(r.program.Fset, file, without)
			return file
		}
	}
	return nil
}

// skip takes the bodies at the offsets out of a file.
func (n *listedPackage) skip(fset *token.FileSet, file *ast.File, offsets []int) {
	if file == nil || len(offsets) == 0 {
		return
	}
	file.Decls = slices.DeleteFunc(file.Decls, func(decl ast.Decl) bool {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil || !slices.Contains(offsets, fset.PositionFor(f.Body.Lbrace, false).Offset) {
			return false
		}
		n.skipped = append(n.skipped, funcName(f))
		f.Body = nil
		return f.Recv == nil && f.Name.Name == "init"
	})
}
