package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/report"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// maker makes what is between markers.
type maker struct {
	results string // the folder of the results
	lab     source
	loaded  map[string]*experiment.Result
}

func newMaker(module string) *maker {
	return &maker{
		results: filepath.Join(module, "docs", "results"),
		lab:     source{dir: filepath.Join(module, "cmd", "pghold", "internal", "lab")},
		loaded:  map[string]*experiment.Result{},
	}
}

func (m *maker) make(mk marker) (string, error) {
	words := strings.Fields(mk.args)
	wants := func(n int, what string) error {
		if len(words) < n {
			return fmt.Errorf("want %s", what)
		}
		return nil
	}
	switch mk.kind {
	case "table":
		if err := wants(2, "a group and a table"); err != nil {
			return "", err
		}
		return m.table(words[0], words[1])
	case "figure":
		if err := wants(3, "a group, a case and a figure"); err != nil {
			return "", err
		}
		r, err := m.result(words[0])
		if err != nil {
			return "", err
		}
		return report.Figure(r, words[1], strings.Join(words[2:], " "))
	case "code":
		code, err := m.lab.function(mk.args)
		return "```go\n" + code + "\n```", err
	case "sql":
		if err := wants(1, "the name of a statement"); err != nil {
			return "", err
		}
		sql, err := m.lab.statements(words)
		return "```sql\n" + sql + "\n```", err
	case "cases":
		return m.lab.cases(mk.args)
	case "runs":
		return m.runs()
	}
	return "", errors.New("no such marker")
}

// result is a group's.
func (m *maker) result(group string) (*experiment.Result, error) {
	if r := m.loaded[group]; r != nil {
		return r, nil
	}
	if _, err := experiment.FindGroup(group); err != nil {
		return nil, err
	}
	r, err := rundir.Load(filepath.Join(m.results, group+".json"))
	if err != nil {
		return nil, err
	}
	m.loaded[group] = r
	return r, nil
}

// runs describes the results, group by group.
func (m *maker) runs() (string, error) {
	var b strings.Builder
	b.WriteString("| file | made with | when | Postgres |\n|:--|:--|:--|:--|\n")
	var warnings []string          // in the order in which they come
	files := map[string][]string{} // that a warning is in
	for _, g := range experiment.Groups {
		r, err := m.result(g.Name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		when := "–"
		if r.StartedAt != nil {
			when = r.StartedAt.Format("2006-01-02")
		}
		fmt.Fprintf(&b, "| `%s.json` | `%s` | %s | %s |\n", g.Name, r.Command(), when, plain(r.Settings.Postgres))
		for _, w := range r.Warnings {
			if files[w] == nil {
				warnings = append(warnings, w)
			}
			files[w] = append(files[w], g.Name)
		}
	}
	if len(warnings) > 0 {
		b.WriteString("\nTheir warnings:\n\n")
	}
	for _, w := range warnings {
		fmt.Fprintf(&b, "- %s: %s\n", strings.Join(files[w], ", "), plain(w))
	}
	return b.String(), nil
}

// plain keeps text from being Markdown.
func plain(s string) string {
	return strings.NewReplacer("<", "&lt;", "|", `\|`, "`", "'", "*", `\*`).Replace(s)
}
