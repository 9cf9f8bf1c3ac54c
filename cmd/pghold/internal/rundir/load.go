package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Load reads the result of a run's folder. dir may also be the result file.
func Load(dir string) (*experiment.Result, error) {
	folder, file, err := locate(dir)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is not the folder of a run, it has no %s: name a folder that pghold lab wrote (%w)", folder, ResultFile, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("reading the result of a run: %w", err)
	}
	r, err := experiment.ReadResult(b)
	if err != nil {
		return nil, fmt.Errorf("%s is %w: run pghold lab again, or restore the file", file, err)
	}
	return r, nil
}

// locate finds a run's folder and its result file, where dir is either.
func locate(dir string) (folder, file string, err error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "", fmt.Errorf("there is no folder %s: name a folder that pghold lab wrote (%w)", dir, fs.ErrNotExist)
	case err != nil:
		return "", "", fmt.Errorf("looking for a run: %w", err)
	case info.IsDir():
		return dir, filepath.Join(dir, ResultFile), nil
	case !info.Mode().IsRegular():
		return "", "", fmt.Errorf("%s is neither the folder of a run nor its %s", dir, ResultFile)
	}
	return filepath.Dir(dir), dir, nil
}
