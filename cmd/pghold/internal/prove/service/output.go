package service

import (
	"io"
	"os"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
)

// Printed is the end of the command's output as the end of a sentence. It does not have
// the database's password, which programs like to print when they cannot connect.
func (s *Service) Printed() string {
	text := lastLines(s.cfg.Output)
	if text == "" {
		return "it has printed nothing"
	}
	for _, kv := range s.cfg.Env {
		if password, found := strings.CutPrefix(kv, "PGPASSWORD="); found && password != "" {
			text = strings.NewReplacer(password, "*****", percentEncoded(password), "*****").Replace(text)
		}
	}
	return "the end of its output:" + text
}

// lastLines are the last lines of a file, each in a line of its own that is indented.
func lastLines(name string) string {
	const most, lines = 4096, 12
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	text := make([]byte, min(size, most))
	n, _ := f.ReadAt(text, size-int64(len(text)))
	all := strings.Split(strings.TrimSpace(string(text[:n])), "\n")
	if size > most && len(all) > 1 {
		all = all[1:] // which is not whole
	}
	var b strings.Builder
	for _, line := range all[max(0, len(all)-lines):] {
		if line = printable.Line(line); line != "" {
			b.WriteString("\n  " + line)
		}
	}
	return b.String()
}
