package tap

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// told is what a reader was told.
type told struct {
	want func(typ byte) int
	text bytes.Buffer
}

func (t *told) message(typ byte) int {
	fmt.Fprintf(&t.text, "%q\n", typ)
	return t.want(typ)
}

func (t *told) body(typ byte, b []byte) error {
	fmt.Fprintf(&t.text, "  %q %x\n", typ, b)
	return nil
}

// However a stream is cut, it is read the same.
func TestScanner_CutsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		for range rapid.IntRange(0, 20).Draw(t, "messages") {
			body := rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "body")
			stream = append(stream, rapid.Byte().Draw(t, "type"), 0, 0, 0, byte(4+len(body)))
			stream = append(stream, body...)
		}
		want := func(typ byte) int { return int(typ) % 60 }
		whole := &told{want: want}
		var s scanner
		if err := s.feed(stream, whole); err != nil {
			t.Fatal(err)
		}
		cut := &told{want: want}
		s = scanner{}
		for rest := stream; len(rest) > 0; {
			n := rapid.IntRange(1, min(len(rest), 30)).Draw(t, "cut")
			if err := s.feed(rest[:n], cut); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if cut.text.String() != whole.text.String() {
			t.Fatalf("cut:\n%s\nwhole:\n%s", cut.text.String(), whole.text.String())
		}
	})
}
