package pghold

import "testing"

// A request that takes many connections, one after the other, keeps none of them
// in memory.
func TestScope_ForgetsWhatWasReleased(t *testing.T) {
	r := NewRecorder(Config{})
	ctx := WithRoute(t.Context(), "GET /")
	for range 3 {
		r.Pool("main").Checkout(ctx).Release()
	}
	if n := len(scopeOf(ctx).open); n != 0 {
		t.Errorf("%d holds that were released are remembered", n)
	}
}
