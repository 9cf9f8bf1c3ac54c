package pghold

import (
	"context"
	"testing"
)

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

// BenchmarkDo is what it costs to name a route, with and without the label.
func BenchmarkDo(b *testing.B) {
	b.Run("WithRoute", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			WithRoute(b.Context(), "GET /")
		}
	})
	b.Run("Do", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Do(b.Context(), "GET /", func(context.Context) {})
		}
	})
}
