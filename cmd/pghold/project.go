package main

import (
	"os"
	"path/filepath"
)

// project is where a command is in a project: the folder it runs in, up to the
// module's root.
type project struct {
	folders []string // as who is there would name them: ., .., ../..
	folder  string   // from the repository's root, with slashes; "" where it is that
}

// projectOf looks at a folder and those above it. Without a go.mod in any it is only
// that folder.
func projectOf(dir string) (project, error) {
	p := project{folders: []string{dir}}
	here, err := filepath.Abs(dir)
	if err != nil {
		return p, err
	}
	var above []string
	moduleAt := -1
	for at, name := here, dir; ; at, name = filepath.Dir(at), filepath.Join(name, "..") {
		above = append(above, name)
		if exists(filepath.Join(at, "go.mod")) && moduleAt < 0 {
			moduleAt = len(above)
		}
		if exists(filepath.Join(at, ".git")) { // a file, in a work tree
			if rel, err := filepath.Rel(at, here); err == nil && rel != "." {
				p.folder = filepath.ToSlash(rel)
			}
			break
		}
		if filepath.Dir(at) == at {
			break
		}
	}
	if moduleAt > 0 {
		p.folders = above[:moduleAt]
	}
	return p, nil
}

// find returns the file of that name that is nearest, or "".
func (p project) find(name string) string {
	for _, folder := range p.folders {
		if file := filepath.Join(folder, name); exists(file) {
			return file
		}
	}
	return ""
}

// inRoot is where a file of that name is in the module's root.
func (p project) inRoot(name string) string {
	return filepath.Join(p.folders[len(p.folders)-1], name)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
