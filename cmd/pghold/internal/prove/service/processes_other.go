//go:build unix && !linux

package service

import "syscall"

// processes is the group as one, if there is anybody in it.
func (f *family) processes([]int) []int {
	if syscall.Kill(-f.group, 0) == syscall.ESRCH {
		return nil
	}
	return []int{-f.group}
}

// listening is not known.
func (f *family) listening() (addresses []string, known bool) { return nil, false }

// taken is not known.
func (f *family) taken(string) bool { return false }
