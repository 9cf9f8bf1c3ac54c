package pghold_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
)

// hinted makes a recorder that keeps what it is told.
func hinted(cfg pghold.Config) (*pghold.Recorder, func() []string) {
	var mu sync.Mutex
	var told []string
	cfg.OnHint = func(hint string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, hint)
	}
	return pghold.NewRecorder(cfg), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(told)
	}
}

//go:noinline
func repository(p *pghold.Pool, ctx context.Context) { p.Checkout(ctx).Release() }

func TestHints(t *testing.T) {
	for name, test := range map[string]struct {
		cfg  pghold.Config
		do   func(*pghold.Recorder)
		want []string // how the hints begin
	}{
		"every route is (no pattern)": {pghold.Config{}, func(r *pghold.Recorder) {
			for range 10_000 {
				r.Pool("main").Checkout(pghold.WithRoute(t.Context(), httphold.NoPattern)).Release()
			}
		}, []string{"every route is (no pattern)"}},
		"some are": {pghold.Config{}, func(r *pghold.Recorder) {
			for i := range 10_000 {
				r.Pool("main").Checkout(pghold.WithRoute(t.Context(), []string{httphold.NoPattern, "GET /"}[i%2])).Release()
			}
		}, nil},
		"one line for several routes": {pghold.Config{}, func(r *pghold.Recorder) {
			for i := range 10_000 {
				repository(r.Pool("main"), pghold.WithRoute(t.Context(), fmt.Sprint("GET /", i%4)))
			}
		}, []string{"most connections of the pool main are taken at one line, hint_test.go:"}},
		"that line is skipped": {pghold.Config{Skip: []string{"github.com/pghold/pghold_test.repository"}}, func(r *pghold.Recorder) {
			a := func(i int) { repository(r.Pool("main"), pghold.WithRoute(t.Context(), fmt.Sprint("GET /", i%2))) }
			b := func(i int) { repository(r.Pool("main"), pghold.WithRoute(t.Context(), fmt.Sprint("GET /", 2+i%2))) }
			for i := range 10_000 {
				a(i)
				b(i)
			}
		}, nil},
		"a subtree": {pghold.Config{}, func(r *pghold.Recorder) {
			a := func(p *pghold.Pool, ctx context.Context) { p.Checkout(ctx).Release() }
			b := func(p *pghold.Pool, ctx context.Context) { p.Checkout(ctx).Release() }
			for range 10_000 {
				for _, handler := range []func(*pghold.Pool, context.Context){a, b, repository} {
					handler(r.Pool("main"), pghold.WithRoute(t.Context(), "/"))
				}
				repository(r.Pool("main"), pghold.WithRoute(t.Context(), "GET /users"))
			}
		}, []string{"most connections are taken under a pattern that stands for a subtree"}},
		"a home page": {pghold.Config{}, func(r *pghold.Recorder) {
			for range 10_000 {
				repository(r.Pool("main"), pghold.WithRoute(t.Context(), "/"))
			}
		}, nil},
		"too few": {pghold.Config{}, func(r *pghold.Recorder) {
			for range 63 {
				r.Pool("main").Checkout(pghold.WithRoute(t.Context(), httphold.NoPattern)).Release()
			}
		}, nil},
		"a release that never came": {pghold.Config{}, func(r *pghold.Recorder) {
			r.Pool("main").Lost()
			r.Pool("main").Lost()
			r.Pool("other").Lost()
		}, []string{"connections of the pool main are given out again", "connections of the pool other are given out again"}},
		"two pools of one name": {pghold.Config{}, func(r *pghold.Recorder) {
			open := true
			a := r.OpenPool("main", func() bool { return open })
			b := r.OpenPool("main", func() bool { return true })
			c := r.OpenPool("main", func() bool { return true })
			open = false
			if d := r.OpenPool("main", func() bool { return true }); a == b || b == c || a != r.Pool("main") || b != r.Pool("main (2)") || c != r.Pool("main (3)") || d != a {
				t.Error("pools that live are not told apart, or one that was closed is not forgotten")
			}
		}, []string{"two pools that are open have the name main: the second is called main (2)."}},
	} {
		var got, kept []string
		synctest.Test(t, func(t *testing.T) {
			r, told := hinted(test.cfg)
			test.do(r)
			synctest.Wait() // some are told in goroutines of their own
			got, kept = told(), r.Snapshot().Hints
		})
		if len(got) != len(test.want) || !slices.Equal(kept, got) {
			t.Errorf("%s: told of %q, and the snapshot has %q; want %q", name, got, kept, test.want)
			continue
		}
		for i, want := range test.want {
			if !strings.HasPrefix(got[i], want) {
				t.Errorf("%s: told of %q, want %q", name, got[i], want)
			}
		}
	}
}
