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

// download returns the programs in the cache, which it fills first if need be.
//
// The download itself cannot be stopped: when ctx ends, it goes on behind our
// back until it is done, cleans up and changes nothing.
func download(ctx context.Context, cache, repository string, a account, say func(string, ...any)) (string, error) {
	home := filepath.Join(cache, string(downloadVersion))
	bin := filepath.Join(home, "bin")
	select {
	case downloading <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if a.canRun(ctx, bin) == nil {
		<-downloading
		return bin, nil
	}
	say("No PostgreSQL found on this machine. Downloading PostgreSQL %s into %s, once.", downloadVersion, cache)

	ctx, cancel := context.WithTimeout(ctx, downloadLimit)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer func() { <-downloading }()
		done <- fill(ctx, cache, home, repository, a)
	}()
	select {
	case err := <-done:
		if err != nil {
			return "", fmt.Errorf("download of PostgreSQL %s: %w", downloadVersion, err)
		}
		return bin, nil
	case <-ctx.Done():
		return "", fmt.Errorf("download of PostgreSQL %s: %w", downloadVersion, ctx.Err())
	}
}

// fill puts PostgreSQL into home. embedded-postgres has no call that only fetches
// and extracts, so it is made to start a server in a data folder that it cannot
// empty, which it tries after the extraction and before initdb.
func fill(ctx context.Context, cache, home, repository string, a account) (err error) {
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

	switch unusable := a.canRun(ctx, filepath.Join(fresh, "bin")); {
	case starting == nil:
		return errors.New("embedded-postgres started a server that it should not have")
	case errors.Is(unusable, os.ErrNotExist):
		return starting // it did not get as far as the extraction
	case unusable != nil:
		return unusable
	}
	if err := os.Rename(fresh, home); err != nil {
		if a.canRun(ctx, filepath.Join(home, "bin")) == nil {
			return nil // another process was first
		}
		return err
	}
	return nil
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
