package listing

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/pghold/pghold/holdcheck"
)

// GitHub writes a result as commands of GitHub Actions, which shows each at its line.
func GitHub(w io.Writer, r *holdcheck.Result, o Options) error {
	var b strings.Builder
	say := func(level, file string, line int, title, message string) {
		fmt.Fprintf(&b, "::%s file=%s,line=%d,title=%s::%s\n", level, escapeProperty(file), line, escapeProperty(clean(title)), escapeData(message))
	}
	levels := map[holdcheck.Severity]string{holdcheck.High: "error", holdcheck.Medium: "warning", holdcheck.Low: "notice"}
	for _, f := range r.Findings {
		file, line := o.where(f)
		lines := []string{clean(f.Message), clean(heldAt(f))}
		if f.Held != nil {
			lines = append(lines, "measured: "+seconds(*f.Held)+" inside holds")
		}
		if also := alsoLine(f); also != "" {
			lines = append(lines, also)
		}
		if f.Advice != "" {
			lines = append(lines, clean(f.Advice))
		}
		say(cmp.Or(levels[f.Severity], "notice"), file, line, "pghold: "+string(f.Kind)+" while a connection is held", strings.Join(lines, "\n"))
	}
	for _, c := range r.Complaints {
		file, _ := o.inside(c.File)
		say("error", file, c.Line, "pghold", clean(c.Text))
	}
	for _, u := range r.Unused {
		file, _ := o.inside(u.File)
		say("notice", file, u.Line, "pghold", clean(u.Text))
	}
	for _, s := range r.Unread {
		fmt.Fprintf(&b, "::notice title=pghold::%s\n", escapeData(clean(s)))
	}
	if s := outOfDate(r); s != "" {
		fmt.Fprintf(&b, "::notice title=pghold::%s\n", escapeData(s))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// What would end a command's message, or one of its properties.
var (
	data     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func escapeData(s string) string     { return data.Replace(s) }
func escapeProperty(s string) string { return property.Replace(s) }
