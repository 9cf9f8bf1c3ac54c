package holdcheck

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"github.com/pghold/pghold/holdcheck/internal/load"
)

// Remark is something to be told about a line that is no finding.
type Remark struct {
	File string `json:"file"` // as in Place
	Line int    `json:"line"`
	Text string `json:"text"`
}

func (r Remark) String() string { return fmt.Sprintf("%s:%d: %s", r.File, r.Line, r.Text) }

// ignorePrefix begins a comment that says that what is found here is meant, and why:
//
//	//pghold:ignore the provider answers within 5 ms, and it is asked once a day
//
// It counts on the line of the hold, of a call between the hold and the slow call, or
// of the slow call, or right above; and in the doc comment of the function that holds
// or of the one that makes the slow call.
const ignorePrefix = "//pghold:ignore"

// directive is one such comment.
type directive struct {
	file   string
	line   int
	reason string // "": it ignores nothing
	used   bool
}

// directives are all such comments of some files.
type directives struct {
	all       []*directive
	lines     map[lineOf]*directive
	functions map[string][]documented // by file
}

type lineOf struct {
	file string
	line int
}

// documented is a function with an ignore in its doc comment, by its lines.
type documented struct {
	first, last int
	directive   *directive
}

// readDirectives finds the comments. name says what a file is called in findings.
func readDirectives(fset *token.FileSet, files []*ast.File, name func(string) string) *directives {
	ds := &directives{lines: map[lineOf]*directive{}, functions: map[string][]documented{}}
	for _, f := range files {
		var code map[lineOf]bool // lines that do not only have a comment
		docs := map[*ast.CommentGroup]*ast.FuncDecl{}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Doc != nil {
				docs[fn.Doc] = fn
			}
		}
		at := func(pos token.Pos) lineOf {
			p := fset.Position(pos)
			return lineOf{name(p.Filename), p.Line}
		}
		for _, group := range f.Comments {
			for _, c := range group.List {
				reason, isOne := ignoreReason(c.Text)
				if !isOne {
					continue
				}
				if code == nil {
					code = codeLines(f, at)
				}
				here := at(c.Pos())
				ig := &directive{file: here.file, line: here.line, reason: reason}
				ds.all = append(ds.all, ig)
				switch fn := docs[group]; {
				case reason == "":
				case fn != nil:
					first, last := at(fn.Pos()), at(fn.End())
					ds.functions[first.file] = append(ds.functions[first.file], documented{first.line, last.line, ig})
				case code[here]:
					ds.lines[here] = ig
				default: // it stands alone, with other comments perhaps
					below := at(group.End())
					below.line++
					ds.lines[below] = ig
				}
			}
		}
	}
	slices.SortFunc(ds.all, func(a, b *directive) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line)) })
	return ds
}

// ignoreReason is what a comment says after the prefix, without a further comment.
func ignoreReason(comment string) (reason string, ok bool) {
	rest, ok := strings.CutPrefix(comment, ignorePrefix)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	if strings.HasPrefix(strings.TrimSpace(rest), "//") {
		return "", true
	}
	rest, _, _ = strings.Cut(rest, " // ")
	return strings.TrimSpace(rest), true
}

// codeLines are the lines on which something begins or ends that is no comment.
func codeLines(f *ast.File, at func(token.Pos) lineOf) map[lineOf]bool {
	code := map[lineOf]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.CommentGroup, *ast.Comment:
			return false
		case *ast.File:
			return true
		}
		if n.Pos().IsValid() {
			code[at(n.Pos())] = true
			code[at(n.End()-1)] = true
		}
		return true
	})
	return code
}

// on is the ignore of a line, and of is that or the one of the function it is in.
func (ds *directives) on(file string, line int) *directive { return ds.lines[lineOf{file, line}] }

func (ds *directives) of(file string, line int) []*directive {
	found := []*directive{ds.on(file, line)}
	for _, d := range ds.functions[file] {
		if d.first <= line && line <= d.last {
			found = append(found, d.directive)
		}
	}
	return found
}

// reason is why a slow call in a hold is meant, "" where no comment says so. All
// comments that do are marked as used.
func (ds *directives) reason(hold Place, c SlowCall) (reason string) {
	found := ds.of(hold.File, hold.Line)
	for i, s := range c.Chain {
		if i == 0 || i == len(c.Chain)-1 {
			found = append(found, ds.of(s.File, s.Line)...)
		} else {
			found = append(found, ds.on(s.File, s.Line))
		}
	}
	found = append(found, ds.of(c.Place.File, c.Place.Line)...)
	for _, ig := range found {
		if ig != nil {
			ig.used = true
			reason = cmp.Or(reason, ig.reason)
		}
	}
	return reason
}

// applyIgnores moves the findings that files say are meant to r.Ignored, and tells of
// comments that give no reason or ignore nothing. files are those of the repository,
// with their comments, and dir is the folder that findings' files are relative to.
func applyIgnores(fset *token.FileSet, dir string, files []*ast.File, r *Result) {
	ds := readDirectives(fset, files, func(file string) string { return load.FileName(dir, file) })
	var kept []Finding
	for _, f := range r.Findings {
		why := ""
		rest, meant := split(f, func(c SlowCall) bool {
			reason := ds.reason(f.Hold, c)
			why = cmp.Or(why, reason)
			return reason != ""
		})
		if rest != nil {
			kept = append(kept, *rest)
		}
		if meant != nil {
			r.Ignored = append(r.Ignored, Ignored{*meant, why})
		}
	}
	r.Findings = kept
	for _, ig := range ds.all {
		switch {
		case ig.reason == "":
			r.Complaints = append(r.Complaints, Remark{ig.file, ig.line, "pghold:ignore needs a reason"})
		case !ig.used:
			r.Unused = append(r.Unused, Remark{ig.file, ig.line, "pghold:ignore ignores nothing"})
		}
	}
}
