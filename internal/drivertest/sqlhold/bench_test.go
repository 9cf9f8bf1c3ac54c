package sqlhold_test

import (
	"context"
	"database/sql"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/sqlhold"
)

// BenchmarkSelect compares a parallel SELECT through database/sql with and without
// a recorder, the two in turn, and reports the throughput with it as a ratio to the
// one without.
func BenchmarkSelect(b *testing.B) {
	dsn := pgtest.DSN(b)
	bare, err := sql.Open("pgx", dsn)
	if err != nil {
		b.Fatal(err)
	}
	recorded, err := sqlhold.Open("pgx", dsn, pghold.NewRecorder(pghold.Config{}), "main")
	if err != nil {
		b.Fatal(err)
	}
	ways := [2]*sql.DB{bare, recorded}
	for _, db := range ways {
		b.Cleanup(func() { db.Close() })
		db.SetMaxOpenConns(15)
		db.SetMaxIdleConns(15)
	}
	ask := func(ctx context.Context, db *sql.DB) error {
		var n int
		return db.QueryRowContext(ctx, "select $1::int", 1).Scan(&n)
	}
	for range 200 { // connect and prepare
		for _, db := range ways {
			if err := ask(b.Context(), db); err != nil {
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
				if err := ask(ctx, ways[which]); err != nil {
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
