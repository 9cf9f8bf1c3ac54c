// Package tmpfs puts the temporary files of a test run into memory: each throwaway
// PostgreSQL begins with writing its data folder, 39 MB in version 15 (initdb, du -sh).
// It is for tests: what pghold itself starts for a user stays on the disk.
package tmpfs

import (
	"os"
	"syscall"
)

const (
	dir  = "/dev/shm"
	room = 2 << 30 // bytes, for a few clusters at a time and what the tests write
)

// Use sets TMPDIR to a file system in memory, for this process and those that it
// starts. It does nothing where TMPDIR is set already, or where the file system is
// missing, small (a container's has 64 MB) or without permission to run programs.
// Call it at the beginning of TestMain.
func Use() {
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(dir, &fs) != nil {
		return
	}
	const noexec = 0x8 // ST_NOEXEC of statfs(2)
	if fs.Flags&noexec == 0 && fs.Bavail*uint64(fs.Bsize) >= room {
		os.Setenv("TMPDIR", dir)
	}
}
