//go:build linux || darwin

package pgtemp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// account is the user that the programs run as.
type account struct {
	uid, gid int
	name     string // empty if it is the user that we are
}

// runAs returns the account that PostgreSQL will not refuse.
func runAs() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return account{int(uid), int(gid), name}, nil
		}
	}
	return account{}, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as: run pghold as an ordinary user")
}

// command is a program run by the account, in a session of its own: Ctrl-C in a
// terminal does not reach it, and it has no terminal to ask a question on. When
// ctx ends, so does the program with all that it started.
func (a account) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/" // ours may be closed to the account
	cmd.Env = cleanEnv(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if a.name != "" {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// cleanEnv drops what would change the cluster: PGDATA, PGPORT, PGOPTIONS …, the
// locale, which may name one that this machine does not have, and DATABASE_URL, whose
// password the account could read.
func cleanEnv(env []string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "LC_") || name == "LANG" || name == "LANGUAGE" || name == "DATABASE_URL"
	})
	return append(env, "LC_ALL=C")
}

// tempFolder returns the folder that clusters are made in: preferred, unless the
// account may not write there.
func (a account) tempFolder(ctx context.Context, preferred string) (string, error) {
	tried := slices.Compact([]string{preferred, "/tmp"})
	for _, dir := range tried {
		// The data folder is compared with what the system says of a process,
		// which knows no links.
		dir, err := filepath.Abs(dir)
		if err != nil {
			continue
		}
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			continue
		}
		if a.command(ctx, "/bin/sh", "-c", `cd "$1" && test -w .`, "sh", dir).Run() == nil {
			return dir, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("%s may not write into the temporary folder (tried %s): set TMPDIR to a folder where it may",
		a, strings.Join(tried, ", "))
}

func (a account) String() string {
	if a.name == "" {
		return "user " + strconv.Itoa(a.uid)
	}
	return "user " + a.name + ", whom PostgreSQL runs as because it refuses root,"
}
