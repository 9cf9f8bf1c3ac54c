package pgxhold_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/pgxhold"
)

// BenchmarkSelect compares a parallel SELECT through pgxpool with and without a
// recorder, the two in turn, and reports the throughput with it as a ratio to the
// one without.
func BenchmarkSelect(b *testing.B) {
	dsn := pgtest.DSN(b)
	open := func(recorder *pghold.Recorder) func(context.Context) error {
		cfg, err := pgxpool.ParseConfig(dsn)
		if err != nil {
			b.Fatal(err)
		}
		cfg.MaxConns = 15
		if recorder != nil {
			if err := pgxhold.Install(cfg, recorder, "main"); err != nil {
				b.Fatal(err)
			}
		}
		pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(pool.Close)
		return func(ctx context.Context) error {
			var n int
			return pool.QueryRow(ctx, "select $1::int", 1).Scan(&n)
		}
	}
	recorder := pghold.NewRecorder(pghold.Config{})
	ways := [2]func(context.Context) error{open(nil), open(recorder)}
	ctx := pghold.WithRoute(b.Context(), "GET /")
	for range 200 { // connect and prepare
		for _, way := range ways {
			if err := way(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	var times [2]atomic.Int64
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		ctx := pghold.WithRoute(context.Background(), "GET /")
		var sums [2]time.Duration
		for i := 0; pb.Next(); i++ {
			for j := range 2 {
				which := (i + j) % 2
				start := time.Now()
				if err := ways[which](ctx); err != nil {
					b.Error(err)
					return
				}
				sums[which] += time.Since(start)
			}
		}
		times[0].Add(int64(sums[0]))
		times[1].Add(int64(sums[1]))
	})
	b.ReportMetric(float64(times[0].Load())/float64(times[1].Load()), "ratio")
}
