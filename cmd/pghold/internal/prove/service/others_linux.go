package service

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// taken reports whether somebody else listens on an address: a process that was there
// before the command, or the service of another run. One that came later and is not of
// the family may be the command's all the same, such as a container. Processes of other
// users are not seen.
func (f *family) taken(address string) bool {
	sockets := map[string]bool{}
	for inode, at := range listeners("/proc/self") {
		if reachedAt(address, at) {
			sockets[inode] = true
		}
	}
	own, _ := os.ReadFile("/proc/" + strconv.Itoa(f.group) + "/stat")
	command, ok := parseStat(string(own))
	if len(sockets) == 0 || !ok {
		return false
	}
	name, value, _ := strings.Cut(f.marker, "=")
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if !sockets[inodeOf(fd)] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		text, _ := os.ReadFile(dir + "/stat")
		s, ok := parseStat(string(text))
		if !ok || s.group == f.group || s.session == f.group {
			continue
		}
		environ, _ := os.ReadFile(dir + "/environ")
		_, marked, found := bytes.Cut(environ, []byte(name+"="))
		if found && !bytes.HasPrefix(marked, []byte(value+"\x00")) || !found && s.started < command.started {
			return true
		}
	}
	return false
}

// reachedAt reports whether who connects to an address reaches who listens at another.
func reachedAt(address, listening string) bool {
	host, port, _ := net.SplitHostPort(address)
	at, err := netip.ParseAddrPort(listening)
	if err != nil || port != strconv.Itoa(int(at.Port())) {
		return false
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case at.Addr().IsUnspecified():
		return true
	case err == nil:
		return ip == at.Addr()
	}
	return host != "localhost" || at.Addr().IsLoopback() // of other names the address is not known
}
