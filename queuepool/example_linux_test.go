package queuepool_test

import (
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pghold/pghold/queuepool"
)

// What a pool in production needs against a network that dies without a word: a limit
// for each attempt to connect, and the kernel's limits for a connection that is open.
// The dialer works for pgxpool and for pgx below database/sql as well.
func ExampleConfig_deadNetwork() {
	cfg, err := queuepool.ParseConfig("postgres://app@db.example.com/shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg.PrePing = true
	cfg.ConnConfig.ConnectTimeout = 2 * time.Second

	dialer := net.Dialer{
		// A connection on which nothing is under way is asked after 10 s, and every
		// 5 s then; it is dead when 3 are not answered.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3},
		// One on which something is: it is dead when that is not acknowledged in 10 s.
		Control: func(network, _ string, c syscall.RawConn) error {
			if network == "unix" {
				return nil
			}
			var err error
			if failed := c.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 10_000)
			}); failed != nil {
				return failed
			}
			return err
		},
	}
	cfg.ConnConfig.DialFunc = dialer.DialContext

	pool, err := queuepool.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
}
