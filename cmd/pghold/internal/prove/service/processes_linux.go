package service

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// processes are those of the family that have not ended. Of one that is ending the
// environment goes first: those that were found before are known by their pid.
func (f *family) processes(before []int) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		dir := filepath.Dir(name)
		s, ok := parseStat(string(text))
		if !ok || s.ended {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if s.group != f.group && s.session != f.group && !slices.Contains(before, pid) {
			if environ, _ := os.ReadFile(dir + "/environ"); !bytes.Contains(environ, []byte(f.marker)) {
				continue
			}
		}
		pids = append(pids, pid)
	}
	return pids
}

// stat is what /proc tells of a process.
type stat struct {
	group, session int
	ended          bool
	started        uint64 // in ticks since the machine was
}

func parseStat(text string) (s stat, ok bool) {
	// After the name, which may have anything in it: state, parent, group, session …, the
	// number of threads, and, two further on, when it was started.
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return s, false
	}
	s.group, _ = strconv.Atoi(fields[2])
	s.session, _ = strconv.Atoi(fields[3])
	s.started, _ = strconv.ParseUint(fields[19], 10, 64)
	// A process is a zombie when its first thread has ended. Its files are open until all
	// have.
	s.ended = fields[0] == "X" || fields[0] == "Z" && fields[17] == "1"
	return s, true
}

// listening are the TCP addresses that the family listens on.
func (f *family) listening() (addresses []string, known bool) {
	for _, pid := range f.processes(nil) {
		dir := "/proc/" + strconv.Itoa(pid)
		at := listeners(dir)
		fds, _ := filepath.Glob(dir + "/fd/*")
		for _, fd := range fds {
			if address, ok := at[inodeOf(fd)]; ok {
				addresses = append(addresses, address)
			}
		}
	}
	slices.Sort(addresses)
	return slices.Compact(addresses), true
}

// inodeOf is that of the socket that a file of a process is, or nothing.
func inodeOf(fd string) string {
	link, _ := os.Readlink(fd)
	inode, found := strings.CutPrefix(link, "socket:[")
	if !found {
		return ""
	}
	return strings.TrimSuffix(inode, "]")
}

// listeners are the addresses of the sockets that listen, by inode, in the network of the
// process whose folder that is.
func listeners(dir string) map[string]string {
	addresses := map[string]string{}
	for _, table := range []string{"/net/tcp", "/net/tcp6"} {
		text, _ := os.ReadFile(dir + table)
		for line := range strings.Lines(string(text)) {
			// Number, local address, remote address, state …, and the inode.
			const listen = "0A"
			fields := strings.Fields(line)
			if len(fields) > 9 && fields[3] == listen {
				addresses[fields[9]] = socketAddress(fields[1])
			}
		}
	}
	return addresses
}

// socketAddress reads an address in a table of sockets, as 0100007F:1F90: words of 32
// bits in the processor's own order, and the port, all in hexadecimal.
func socketAddress(s string) string {
	host, port, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	var ip []byte
	for ; len(host) >= 8 && err == nil; host = host[8:] {
		var word uint64
		word, err = strconv.ParseUint(host[:8], 16, 32)
		ip = binary.NativeEndian.AppendUint32(ip, uint32(word))
	}
	addr, ok := netip.AddrFromSlice(ip)
	if err != nil || !ok {
		return s
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)).String()
}
