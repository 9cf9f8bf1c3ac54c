package pghold

import (
	"testing"
	"testing/synctest"
	"time"
)

// A hold that is released while a snapshot is taken is described as it was.
func TestCheckout_DescribeOpen(t *testing.T) { synctest.Test(t, checkoutDescribeOpen) }

func checkoutDescribeOpen(t *testing.T) {
	r := NewRecorder(Config{})
	c := r.Pool("main").Checkout(t.Context())
	time.Sleep(time.Second)
	c.Release()
	time.Sleep(time.Hour)
	if h := c.describeOpen(); !h.Open || h.Held != time.Second || h.Silent() != time.Second {
		t.Errorf("got %+v, want a hold of 1 s that is open", h)
	}
}
