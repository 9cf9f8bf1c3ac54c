package pghold

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold/internal/framekey"
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

// A hold finds its lines by the keys of their stacks: that which takes the connection, and
// that which sends a statement.
func TestCheckout_FindsLinesByKeys(t *testing.T) {
	r := NewRecorder(Config{})
	r.shards = r.shards[:1]
	sites := &r.shards[0].sites
	kept := map[*place]string{} // by whom
	for looks := range 5 {      // how many frames of a statement are looked at is known after the first
		c := r.Pool("main").Checkout(t.Context())
		c.BeginStatement()
		c.EndStatement(false)
		c.Release()
		if framekey.Walk(make([]uintptr, 1)) == 0 {
			if len(sites.keyed) > 0 {
				t.Errorf("there are no keys here, and %v are kept", sites.keyed)
			}
			continue
		}
		if site, after := kept[c.site], kept[c.after]; looks == 4 && (site != module+".(*Checkout).begin" || after != module+".(*Checkout).BeginStatement") {
			t.Errorf("where the hold was taken was kept by %q, and where it has sent a statement by %q, want both by keys", site, after)
		}
		for key, found := range sites.keyed {
			if found == nil || found == keyless || found == farther {
				t.Fatalf("of the key %v no place is kept, but %+v", key, found)
			}
			other := *found // which is found by the key only
			sites.keyed[key] = &other
			kept[&other] = runtime.FuncForPC(key.begin[0] - 1).Name()
		}
	}
}
