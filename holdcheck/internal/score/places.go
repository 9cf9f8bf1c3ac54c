package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Place is a row of the list.
type Place struct {
	Label string `json:"label"` // TP: slow work under a hold. TN: a near miss
	Path  string `json:"path"`  // relative to the repository
	// TxLine is where the connection is taken, or the helper is given the function
	// that runs meanwhile. 0, for near misses: there is no transaction in that file.
	TxLine     int    `json:"tx_line"`
	SiteLine   int    `json:"site_line"` // the call in the holding function
	SlowPath   string `json:"slow_path,omitempty"`
	SlowLine   int    `json:"slow_line,omitempty"` // 0: not known
	Difficulty string `json:"difficulty,omitempty"`
	Pattern    string `json:"pattern,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

// Framework reports whether the way to the slow call leads through a framework, such
// as a bus that finds its handlers by reflection. Such rows are counted apart.
func (p Place) Framework() bool { return p.Difficulty == "framework" }

func (p Place) String() string { return fmt.Sprintf("%s:%d", p.Path, p.SiteLine) }

// Repo is a repository and its rows.
type Repo struct {
	Name   string // OWNER/NAME
	Commit string
	Places []Place
}

// folder is the repository's name where it has to be a file's.
func (r Repo) folder() string { return strings.ReplaceAll(r.Name, "/", "+") }

// parsePlaces reads a list: a table with tabs, the first line naming the columns, in
// any order and with others among them. It needs label (TP or TN), repo
// (OWNER/NAME), commit, path, tx_line and site_line, and reads slow_path, slow_line,
// difficulty, pattern and reason. Lines count from 1; an empty one is 0, not known.
func parsePlaces(r io.Reader) ([]Repo, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	column := map[string]int{}
	var repos []Repo
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSuffix(in.Text(), "\r")
		if line == "" {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(column) == 0 {
			for i, name := range fields {
				column[name] = i
			}
			for _, name := range []string{"label", "repo", "commit", "path", "tx_line", "site_line"} {
				if _, ok := column[name]; !ok {
					return nil, fmt.Errorf("line %d: there is no column %s", n, name)
				}
			}
			continue
		}
		if err := add(&repos, row{column, fields}); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	if len(repos) == 0 {
		return nil, errors.New("there are no places in it")
	}
	return repos, nil
}

// add adds a row to its repository, which keeps the order of the list.
func add(repos *[]Repo, r row) error {
	p := Place{
		Label: r.text("label"), Path: path.Clean(r.text("path")),
		SlowPath: r.text("slow_path"), Difficulty: r.text("difficulty"),
		Pattern: r.text("pattern"), Reason: r.text("reason"),
	}
	var err [3]error
	p.TxLine, err[0] = r.number("tx_line")
	p.SiteLine, err[1] = r.number("site_line")
	p.SlowLine, err[2] = r.number("slow_line")
	if err := errors.Join(err[:]...); err != nil {
		return err
	}
	name, commit := r.text("repo"), r.text("commit")
	switch owner, rest, ok := strings.Cut(name, "/"); {
	case p.Label != "TP" && p.Label != "TN":
		return fmt.Errorf("the label is %q, not TP or TN", p.Label)
	case !ok || owner == "" || rest == "" || strings.Contains(rest, "/"):
		return fmt.Errorf("the repository is %q, not OWNER/NAME", name)
	case r.text("path") == "":
		return errors.New("there is no path")
	case p.SiteLine == 0:
		return errors.New("there is no site_line")
	case p.Label == "TP" && p.TxLine == 0:
		return errors.New("there is no tx_line, and the label is TP")
	}
	i := slices.IndexFunc(*repos, func(x Repo) bool { return x.Name == name })
	if i < 0 {
		*repos = append(*repos, Repo{Name: name, Commit: commit})
		i = len(*repos) - 1
	}
	x := &(*repos)[i]
	if x.Commit != commit {
		return fmt.Errorf("%s is at %s here and at %s above", name, commit, x.Commit)
	}
	x.Places = append(x.Places, p)
	return nil
}

// only keeps one repository, or all where name is empty.
func only(repos []Repo, name string) ([]Repo, error) {
	if name == "" {
		return repos, nil
	}
	for _, r := range repos {
		if r.Name == name {
			return []Repo{r}, nil
		}
	}
	return nil, fmt.Errorf("it does not have the repository %s", name)
}

// row is a line of the list, its fields by the names of their columns.
type row struct {
	column map[string]int
	fields []string
}

func (r row) text(name string) string {
	i, ok := r.column[name]
	if !ok || i >= len(r.fields) {
		return ""
	}
	return strings.TrimSpace(r.fields[i])
}

func (r row) number(name string) (int, error) {
	s := r.text(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is %q, not a line", name, s)
	}
	return n, nil
}
