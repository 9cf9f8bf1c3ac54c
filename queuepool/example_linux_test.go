package queuepool_test

import (
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/queuepool"
)

// What a pool in production needs against a network that dies without a word: a limit
// for each attempt to connect, and the kernel's limits for a connection that is open.
// The dialer works for pgxpool and for pgx below database/sql as well.
func ExampleConfig_deadNetwork() {
	const tcpUserTimeout = 18 // TCP_USER_TIMEOUT of golang.org/x/sys/unix
	cc, err := pgx.ParseConfig("postgres://app@db.example.com/shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := queuepool.NewConfig(cc)
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
				err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, 10_000)
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
