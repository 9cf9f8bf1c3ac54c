package listing

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pghold/pghold/holdcheck"
)

// Options are how SARIF and GitHub write.
type Options struct {
	// Folder is where the repository's root has the folder that files are relative
	// to, with slashes: for a check in backend/, backend. Default none: it is the root.
	Folder string
	// Version is pghold's, in SARIF. Default none.
	Version string
}

// where is the line that a finding is shown at: the slow call, or, where that is in
// none of the repository's files, the last line before it that is.
func (o Options) where(f holdcheck.Finding) (file string, line int) {
	worst := f.Worst()
	if file, ok := o.inside(worst.Place.File); ok {
		return file, worst.Place.Line
	}
	for _, s := range slices.Backward(worst.Chain) {
		if file, ok := o.inside(s.File); ok {
			return file, s.Line
		}
	}
	file, _ = o.inside(f.Hold.File)
	return file, f.Hold.Line
}

// inside is a file's name from the repository's root, where it is below that.
// Files of dependencies are called by their module and its version.
func (o Options) inside(file string) (string, bool) {
	if path.IsAbs(file) || filepath.IsAbs(file) || strings.Contains(file, "@v") {
		return file, false
	}
	file = path.Join(o.Folder, file)
	return file, filepath.IsLocal(filepath.FromSlash(file))
}

// heldAt says where the connection was taken.
func heldAt(f holdcheck.Finding) string {
	return fmt.Sprintf("held since %s (%s)", f.Hold, f.Hold.What)
}
