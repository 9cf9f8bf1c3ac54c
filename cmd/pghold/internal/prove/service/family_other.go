//go:build !unix

package service

import (
	"os"
	"os/exec"
)

// family is the command alone: nothing here reaches what it starts.
type family struct{ command *os.Process }

func begin(cmd *exec.Cmd, _ string) (*family, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &family{cmd.Process}, nil
}

// terminate kills: there is no signal to ask with.
func (f *family) terminate() { f.command.Kill() }

func (f *family) kill() error {
	f.command.Kill() // an error says that it has ended already
	return nil
}

func (f *family) release() {}

// listening is not known.
func (f *family) listening() (addresses []string, known bool) { return nil, false }

// taken is not known.
func (f *family) taken(string) bool { return false }
