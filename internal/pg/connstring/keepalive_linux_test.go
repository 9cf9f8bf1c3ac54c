package connstring

import (
	"net"
	"syscall"
	"testing"
)

// What libpq's parameters ask for is set on the socket, and not sent to the server.
func TestKeepalive(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	options := map[string][2]int{
		"keepalives": {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE}, "idle": {syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE},
		"interval": {syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL}, "count": {syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT},
		"user timeout": {syscall.IPPROTO_TCP, tcpUserTimeout},
	}
	for dsn, want := range map[string]map[string]int{
		"": {"keepalives": 1, "idle": 15, "interval": 15, "count": 9, "user timeout": 0}, // Go's own
		"keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=11000": {"keepalives": 1, "idle": 5, "interval": 2, "count": 3, "user timeout": 11000},
		"tcp_user_timeout=2000":          {"keepalives": 1, "user timeout": 2000},
		"keepalives=1 keepalives_idle=7": {"keepalives": 1, "idle": 7},
		"keepalives=0 keepalives_idle=7": {"keepalives": 0},
	} {
		cc, err := Parse("host=127.0.0.1 " + dsn)
		if err != nil {
			t.Fatal(err)
		}
		if len(cc.RuntimeParams) > 0 {
			t.Errorf("%q: the server is sent %v", dsn, cc.RuntimeParams)
		}
		c, err := cc.DialFunc(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			for name, value := range want {
				got, err := syscall.GetsockoptInt(int(fd), options[name][0], options[name][1])
				if err != nil || got != value {
					t.Errorf("%q: %s is %d, %v; want %d", dsn, name, got, err, value)
				}
			}
		})
		c.Close()
	}
	if _, err := Parse("keepalives_idle=secret"); err == nil || err.Error() != "the value of keepalives_idle is not valid" {
		t.Errorf("got %v", err)
	}
}
