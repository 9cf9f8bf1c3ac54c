package chart

import (
	"bytes"
	"encoding/xml"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// canvas collects the elements of a picture. Whatever is drawn is moved into it, so
// that no coordinate is outside or is none.
type canvas struct {
	b    strings.Builder
	w, h float64
}

func newCanvas(w, h float64) *canvas { return &canvas{w: w, h: h} }

func (c *canvas) String() string { return c.b.String() }

func (c *canvas) raw(s string) { c.b.WriteString(s) }

// x and y are coordinates that are within the canvas.
func (c *canvas) x(v float64) float64 { return within(v, c.w) }
func (c *canvas) y(v float64) float64 { return within(v, c.h) }

func within(v, end float64) float64 {
	if !(v > 0) { // nor a number
		return 0
	}
	return min(v, end)
}

// num writes a coordinate with a digit after the point.
func num(v float64) string {
	v = math.Round(v*10) / 10
	if v == 0 {
		return "0"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func (c *canvas) rect(x, y, w, h float64, class string) {
	x, y = c.x(x), c.y(y)
	w, h = within(w, c.w-x), within(h, c.h-y)
	if w == 0 || h == 0 {
		return
	}
	c.raw(`<path class="` + class + `" d="M` + num(x) + " " + num(y) + "h" + num(w) + "v" + num(h) + "h-" + num(w) + `z"/>`)
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string) {
	c.raw(`<path class="` + class + `" d="M` + num(c.x(x1)) + " " + num(c.y(y1)) + "L" + num(c.x(x2)) + " " + num(c.y(y2)) + `"/>`)
}

// Where a text stands relative to its x.
const (
	atStart  = ""
	atMiddle = "middle"
	atEnd    = "end"
)

// text writes a line of text and moves or cuts it so that it is inside.
func (c *canvas) text(x, y float64, anchor, class, s string) {
	s = cut(s, c.w)
	w := textWidth(s)
	switch anchor {
	case atStart:
		x = min(x, c.w-w)
	case atMiddle:
		x = min(max(x, w/2), c.w-w/2)
	case atEnd:
		x = max(x, w)
	}
	c.raw(`<text x="` + num(c.x(x)) + `" y="` + num(c.y(y)) + `"`)
	if anchor != atStart {
		c.raw(` text-anchor="` + anchor + `"`)
	}
	if class != "" {
		c.raw(` class="` + class + `"`)
	}
	c.raw(">" + escape(s) + "</text>")
}

// textWidth is how wide a text is at most, in the size and the fonts of Style.
func textWidth(s string) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case r >= 0x1100:
			w += 12.6
		case unicode.IsUpper(r) || strings.ContainsRune("mw%@—", r):
			w += 9
		case strings.ContainsRune("iljtf.,:;'| ", r):
			w += 4
		default:
			w += 7
		}
	}
	return w
}

// cut shortens a text to a width, and shows that it did.
func cut(s string, width float64) string {
	s = printable(s)
	if textWidth(s) <= width {
		return s
	}
	runes := []rune(s)
	w := textWidth("…")
	for i, r := range runes {
		if w += textWidth(string(r)); w > width {
			return string(runes[:i]) + "…"
		}
	}
	return s
}

// printable makes white space one space, and shows what does not print as such.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.Join(strings.Fields(s), " "))
}

func escape(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(printable(s))) // writes to memory: cannot fail
	return b.String()
}

// picture makes an SVG document of a canvas. title and desc are its words.
func (c *canvas) picture(title, desc string, o Options) string {
	var b strings.Builder
	b.WriteString("<svg")
	size := num(c.w) + " " + num(c.h)
	if o.Standalone {
		b.WriteString(` xmlns="http://www.w3.org/2000/svg" width="` + num(c.w) + `" height="` + num(c.h) + `"`)
	}
	b.WriteString(` class="pghold" viewBox="0 0 ` + size + `" role="img"><title>` + escape(title) + "</title><desc>" + escape(desc) + "</desc>")
	if o.Standalone {
		b.WriteString("<style>" + Variables(".pghold") + Style() + "</style>")
		b.WriteString(`<rect class="paper" width="` + num(c.w) + `" height="` + num(c.h) + `" rx="6"/>`)
	}
	b.WriteString(c.String() + "</svg>")
	return b.String()
}
