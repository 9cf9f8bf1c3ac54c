package listing

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/holdcheck"
)

// GitHub writes a result as commands of GitHub Actions, which shows each at its line.
func GitHub(w io.Writer, r *holdcheck.Result, o Options) error {
	var b strings.Builder
	// say writes a command: what does not print is quoted here, and nowhere else.
	say := func(level, file string, line int, title string, message ...string) {
		b.WriteString("::" + level + " ")
		if file != "" {
			fmt.Fprintf(&b, "file=%s,line=%d,", printable.Quote(escapeProperty(file)), line)
		}
		for i := range message {
			message[i] = printable.Line(message[i])
		}
		fmt.Fprintf(&b, "title=%s::%s\n", escapeProperty(printable.Line(title)), escapeData(strings.Join(message, "\n")))
	}
	levels := map[holdcheck.Severity]string{holdcheck.High: "error", holdcheck.Medium: "warning", holdcheck.Low: "notice"}
	for _, f := range r.Findings {
		file, line := o.where(f)
		worst := f.Worst()
		lines := []string{f.Message, heldAt(f)}
		if f.Held != nil {
			lines = append(lines, "measured: "+seconds(*f.Held)+" inside holds")
		}
		if also := alsoLine(f); also != "" {
			lines = append(lines, also)
		}
		if f.Advice != "" {
			lines = append(lines, f.Advice)
		}
		say(cmp.Or(levels[worst.Severity], "notice"), file, line, "pghold: "+string(worst.Kind)+" while a connection is held", lines...)
	}
	for _, c := range r.Complaints {
		file, _ := o.inside(c.File)
		say("error", file, c.Line, "pghold", c.Text)
	}
	for _, u := range r.Unused {
		file, _ := o.inside(u.File)
		say("notice", file, u.Line, "pghold", u.Text)
	}
	for _, s := range r.Unread {
		say("notice", "", 0, "pghold", s)
	}
	for _, s := range r.LeftOut {
		fmt.Fprintf(&b, "::notice title=pghold::%s; --tests shows them.\n", escapeData(printable.Line(s)))
	}
	if s := outOfDate(r); s != "" {
		say("notice", "", 0, "pghold", s)
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
