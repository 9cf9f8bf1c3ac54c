//go:build linux || darwin

package pgtemp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
	"golang.org/x/sys/unix"
)

const (
	downloadVersion = embeddedpostgres.V18
	downloadLimit   = 10 * time.Minute
)

// cacheFolder is where downloads are kept. Root's own cache is closed to the
// account that must run what is in it.
func cacheFolder(a account) (string, error) {
	if a.name != "" {
		return "/var/cache/pghold/postgres", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep a download in: %w", err)
	}
	return filepath.Join(dir, "pghold", "postgres"), nil
}

// downloading is held by the one download of this process. Other processes may
// download at the same time: each into a folder of its own, and the first wins.
var downloading = make(chan struct{}, 1)

// source is where PostgreSQL's programs can be downloaded from.
type source struct {
	name    string // as in "Downloading NAME"
	version string // and the name of its folder in the cache
	// fetch puts the programs into a folder of its own below staging, which it returns.
	// It may not stop when ctx ends.
	fetch func(ctx context.Context, staging string) (string, error)
}

// download returns the programs in the cache, which it fills first if need be, from the
// first of the sources that can be reached. Its error names all that it has tried.
//
// A download may not stop when ctx ends: it then goes on behind our back until it is
// done, cleans up and changes nothing.
func download(ctx context.Context, cache string, sources []source, a account, say func(string, ...any)) (string, error) {
	select {
	case downloading <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	for _, s := range sources {
		if bin := filepath.Join(cache, s.version, "bin"); a.canRun(ctx, bin) == nil {
			<-downloading
			return bin, nil
		}
	}

	ctx, cancel := context.WithTimeout(ctx, downloadLimit)
	defer cancel()
	type filled struct {
		bin string
		err error
	}
	done := make(chan filled, 1)
	go func() {
		defer func() { <-downloading }()
		var tried []string
		var last error
		for i, s := range sources {
			if i == 0 {
				say("No PostgreSQL found on this machine. Downloading %s into %s, once.", s.name, cache)
			} else {
				say("That failed (%v). Downloading %s instead.", last, s.name)
			}
			if last = fill(ctx, cache, s, a); last == nil {
				done <- filled{bin: filepath.Join(cache, s.version, "bin")}
				return
			}
			tried = append(tried, fmt.Sprintf("%s: %v", s.name, last))
			if ctx.Err() != nil {
				break
			}
		}
		done <- filled{err: fmt.Errorf("download of %s", strings.Join(tried, "; and of "))}
	}()
	select {
	case f := <-done:
		return f.bin, f.err
	case <-ctx.Done():
		return "", fmt.Errorf("download of PostgreSQL: %w", ctx.Err())
	}
}

// fill puts PostgreSQL from the source into its folder of the cache.
func fill(ctx context.Context, cache string, s source, a account) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	staging, err := os.MkdirTemp(cache, "download-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging)
	if err := os.Chmod(staging, 0o755); err != nil { // for the account
		return err
	}
	fresh, err := s.fetch(ctx, staging)
	if err != nil {
		return err
	}
	if err := a.canRun(ctx, filepath.Join(fresh, "bin")); err != nil {
		return err
	}
	home := filepath.Join(cache, s.version)
	if err := os.Rename(fresh, home); err != nil && a.canRun(ctx, filepath.Join(home, "bin")) != nil {
		return err // and no other process was first
	}
	return nil
}

// embeddedPostgres is the library's repository, or another. The library has no call that
// only fetches and extracts, so it is made to start a server in a data folder that it
// cannot empty, which it tries after the extraction and before initdb.
func embeddedPostgres(repository string) source {
	fetch := func(_ context.Context, staging string) (_ string, err error) {
		defer func() {
			if p := recover(); p != nil { // the library panics when it cannot clean up
				err = fmt.Errorf("embedded-postgres: %v", p)
			}
		}()
		fresh := filepath.Join(staging, "postgres")
		config := embeddedpostgres.DefaultConfig().
			Version(downloadVersion).
			Port(0). // it insists on a free one
			CachePath(filepath.Join(staging, "archive")).
			RuntimePath(filepath.Join(staging, "runtime")).
			BinariesPath(fresh).
			DataPath(staging + "/data/."). // os.RemoveAll refuses a path that ends in a dot
			Logger(io.Discard)
		if repository != "" {
			config = config.BinaryRepositoryURL(repository)
		}
		sweepLogs := libraryLogs()
		starting := embeddedpostgres.NewDatabase(config).Start()
		sweepLogs()
		if starting == nil {
			return "", errors.New("embedded-postgres started a server that it should not have")
		}
		if _, err := os.Stat(filepath.Join(fresh, "bin")); err != nil {
			return "", starting // it did not get as far as the extraction
		}
		return fresh, nil
	}
	return source{"PostgreSQL " + string(downloadVersion), string(downloadVersion), fetch}
}

// libraryLogs returns a function that removes the log file which the library
// makes in the temporary folder and forgets, on every start. It is known by its
// name, as new, empty, and open in this process: another program that uses the
// library has its log there as well.
func libraryLogs() (sweep func()) {
	pattern := filepath.Join(os.TempDir(), "embedded_postgres_log*")
	before, _ := filepath.Glob(pattern)
	old := strings.Join(before, "\x00") + "\x00"
	return func() {
		after, _ := filepath.Glob(pattern)
		for _, path := range after {
			info, err := os.Lstat(path)
			if err != nil || strings.Contains(old, path+"\x00") || !info.Mode().IsRegular() || info.Size() > 0 {
				continue
			}
			if openHere(info.Sys().(*syscall.Stat_t)) {
				os.Remove(path)
			}
		}
	}
}

func openHere(file *syscall.Stat_t) bool {
	for fd := range 1024 {
		var s unix.Stat_t
		if unix.Fstat(fd, &s) == nil && uint64(s.Dev) == uint64(file.Dev) && s.Ino == file.Ino {
			return true
		}
	}
	return false
}
