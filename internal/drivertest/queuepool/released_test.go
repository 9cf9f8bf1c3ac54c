package queuepool_test

import (
	"testing"

	"github.com/pghold/pghold/queuepool"
)

func TestConn_HasNoConnectionAfterRelease(t *testing.T) {
	p := newPool(t, func(c *queuepool.Config) { c.Size, c.MaxOverflow = 1, 0 })
	first := acquire(t, p)
	first.Release()
	next := acquire(t, p) // the same connection, now another's
	defer next.Release()
	defer func() {
		if got, want := recover(), "queuepool: Conn used after Release"; got != want {
			t.Errorf("it panics with %v, want %q", got, want)
		}
	}()
	if first.Conn() == next.Conn() {
		t.Error("a released Conn lends the connection of its next user")
	}
}
