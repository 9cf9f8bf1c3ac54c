package load

import (
	"bytes"
	"go/ast"
	"go/token"
)

// dropData takes the elements out of composite literals that are nothing but many
// numbers and strings: the tables of parsers and of character sets. They call
// nothing, and cost more than all the functions around them.
func dropData(file *ast.File) {
	const many = 64
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok || len(lit.Elts) < many || lit.Type == nil {
			return true
		}
		if array, ok := lit.Type.(*ast.ArrayType); ok {
			if _, counted := array.Len.(*ast.Ellipsis); counted {
				return true
			}
		}
		if !isData(lit) {
			return true
		}
		lit.Elts = nil
		return false
	})
}

// isData reports whether an expression is made of literals alone.
func isData(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.UnaryExpr:
		return e.Op == token.SUB && isData(e.X)
	case *ast.KeyValueExpr:
		return isData(e.Key) && isData(e.Value)
	case *ast.CompositeLit:
		for _, elt := range e.Elts {
			if !isData(elt) {
				return false
			}
		}
		return true
	}
	return false
}

// blank writes spaces over what is between braces in functions and in the values of
// variables of the package, so that it need not be parsed where only declarations
// matter. All that is left has the place it had. Source that is not laid out as gofmt
// does it may keep some of it; it means the same.
func blank(source []byte) {
	b := blanker{source: source}
	for b.at < len(source) {
		start := b.at == 0 || source[b.at-1] == '\n'
		switch {
		case start && b.word("func"):
			b.at += len("func")
			b.declaration(false)
		case start && b.word("var"):
			b.at += len("var")
			b.declaration(true)
		default:
			b.skip()
		}
	}
}

// blankAround blanks the body of the function that an offset is in, and says where
// that begins. It finds none where there is none, or where it is blank already.
func blankAround(source []byte, offset int) (body int, found bool) {
	b := blanker{source: source, only: offset, body: -1}
	for b.at < len(source) && b.body < 0 {
		if start := b.at == 0 || source[b.at-1] == '\n'; start && b.word("func") {
			b.at += len("func")
			b.declaration(false)
		} else {
			b.skip()
		}
	}
	return b.body, b.body >= 0
}

// blanker goes through source.
type blanker struct {
	source []byte
	at     int
	only   int // where it is not 0, only the body around this offset is blanked
	body   int // and that is where it begins
}

// word reports whether a word is next.
func (b *blanker) word(w string) bool {
	rest := b.source[b.at:]
	return bytes.HasPrefix(rest, []byte(w)) && len(rest) > len(w) && !letter(rest[len(w)])
}

func letter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80
}

// declaration goes to the end of a function or of variables, and blanks what is in
// braces there, but for types.
func (b *blanker) declaration(variables bool) {
	var (
		depth    int  // of parentheses and brackets
		grouped  bool // var ( ... )
		isType   bool // the word before is struct or interface
		counts   bool // an array with the length of its elements
		anything bool
	)
	for b.at < len(b.source) {
		switch c := b.source[b.at]; {
		case c == '\n':
			b.at++
			if depth == 0 {
				return
			}
			if grouped && depth == 1 {
				counts = false
			}
			continue
		case c == ' ' || c == '\t' || c == '\r':
			b.at++
			continue
		case letter(c):
			start := b.at
			for b.at < len(b.source) && letter(b.source[b.at]) {
				b.at++
			}
			word := string(b.source[start:b.at])
			isType = word == "struct" || word == "interface"
			anything = true
			continue
		case c == '{':
			start := b.at
			b.braces()
			if !isType && !counts {
				b.clear(start+1, b.at-1)
				if !variables && depth == 0 {
					return
				}
			}
		case c == '(' || c == '[':
			grouped = grouped || variables && !anything && c == '('
			depth++
			b.at++
		case c == ')' || c == ']':
			depth--
			b.at++
		case c == '.' && bytes.HasPrefix(b.source[b.at:], []byte("...]")):
			counts = variables
			b.at++
		default:
			comment := c == '/'
			b.skip()
			if comment {
				continue
			}
		}
		isType, anything = false, true
	}
}

// clear writes spaces from one offset to another.
func (b *blanker) clear(from, to int) {
	if b.only != 0 {
		if b.only < from || to < b.only || len(bytes.TrimSpace(b.source[from:max(from, to)])) == 0 {
			return
		}
		b.body = from - 1
	}
	for i := from; i < to; i++ {
		if b.source[i] != '\n' {
			b.source[i] = ' '
		}
	}
}

// braces goes behind the brace that closes the one that is next.
func (b *blanker) braces() {
	depth := 0
	for b.at < len(b.source) {
		switch b.source[b.at] {
		case '{':
			depth++
			b.at++
		case '}':
			depth--
			b.at++
			if depth == 0 {
				return
			}
		default:
			b.skip()
		}
	}
}

// skip goes behind the comment or the literal that is next, or one byte further. The
// end of a line is not part of a comment.
func (b *blanker) skip() {
	rest := b.source[b.at:]
	end := func(of string, from int) {
		if i := bytes.Index(rest[from:], []byte(of)); i >= 0 {
			b.at += from + i
		} else {
			b.at = len(b.source)
		}
	}
	switch rest[0] {
	case '/':
		switch {
		case bytes.HasPrefix(rest, []byte("//")):
			end("\n", 2)
		case bytes.HasPrefix(rest, []byte("/*")):
			end("*/", 2)
			b.at = min(b.at+len("*/"), len(b.source))
		default:
			b.at++
		}
	case '`':
		end("`", 1)
		b.at = min(b.at+1, len(b.source))
	case '"', '\'':
		quote := rest[0]
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case quote:
				b.at += i + 1
				return
			case '\n':
				b.at += i
				return
			}
		}
		b.at = len(b.source)
	default:
		b.at++
	}
}
