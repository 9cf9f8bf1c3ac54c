package tap

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// transfer is read(2) or write(2), of a descriptor that does not block. The runtime is not
// told, as it is by unix.Read, in case the call takes long: a peer that is woken by a write
// often takes the processor at once, and then the runtime gives away what it takes for a
// call that blocks.
func transfer(call uintptr, fd int, b []byte) (n int, err error) {
	for {
		n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
