package report

import "testing"

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		name, text, indent, want string
	}{
		{"nothing", "", "", ""},
		{"fits exactly", "1234567890", "", "1234567890"},
		{"between words", "one two three four", "", "one two\nthree four"},
		{"later lines indented", "one two three four", "  ", "one two\n  three\n  four"},
		{"a long word", "a 123456789012", "", "a\n1234567890\n12"},
		{"a long word indented", "a 123456789012", "  ", "a\n  12345678\n  9012"},
		{"a glued space", "one two 30" + glue + "s", "", "one two\n30 s"},
		{"wide characters", "語語語語語語語", "", "語語語語語\n語語"},
	} {
		if got := wrap(c.text, 10, c.indent); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
