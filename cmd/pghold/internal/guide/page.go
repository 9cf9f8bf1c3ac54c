package main

import (
	"fmt"
	"regexp"
	"strings"
)

// marker is what a page has in place of something that is made.
type marker struct {
	kind string
	args string
}

var (
	opening = regexp.MustCompile(`<!-- (\w+):([^\n]*?) ?-->`)
	ending  = "<!-- end -->"
)

// fill puts what make makes between each marker and its end. An error begins with the
// line that it is about.
func fill(page string, make func(marker) (string, error)) (string, error) {
	var out strings.Builder
	rest := page
	line := func() int { return strings.Count(page[:len(page)-len(rest)], "\n") + 1 }
	for {
		at := opening.FindStringSubmatchIndex(rest)
		if end := strings.Index(rest, ending); end >= 0 && (at == nil || end < at[0]) {
			rest = rest[end:]
			return "", fmt.Errorf("%d: an end of nothing", line())
		}
		if at == nil {
			out.WriteString(rest)
			return out.String(), nil
		}
		out.WriteString(rest[:at[1]])
		m := marker{rest[at[2]:at[3]], strings.TrimSpace(rest[at[4]:at[5]])}
		rest = rest[at[0]:]
		end := strings.Index(rest, ending)
		if next := opening.FindStringIndex(rest[at[1]-at[0]:]); end < 0 || next != nil && next[0]+at[1]-at[0] < end {
			return "", fmt.Errorf("%d: %s %s has no %s", line(), m.kind, m.args, ending)
		}
		made, err := make(m)
		if err != nil {
			return "", fmt.Errorf("%d: %s %s: %w", line(), m.kind, m.args, err)
		}
		if m.kind != "figure" { // which stands in a sentence
			made = "\n\n" + strings.Trim(made, "\n") + "\n\n"
		}
		out.WriteString(made + ending)
		rest = rest[end+len(ending):]
	}
}
