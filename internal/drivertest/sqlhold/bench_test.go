package sqlhold_test

import (
	"context"
	"database/sql"
	"runtime"
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

// BenchmarkStarved has 20 goroutines send a statement and work for so long on a processor,
// again and again, and says how long a statement took, as the recorder sees it, how long
// goroutines waited for a processor, and whether that is called starved.
func BenchmarkStarved(b *testing.B) {
	dsn := pgtest.DSN(b)
	for _, work := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond} {
		b.Run(work.String(), func(b *testing.B) {
			r := pghold.NewRecorder(pghold.Config{})
			db, err := sqlhold.Open("pgx", dsn, r, "main")
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			db.SetMaxIdleConns(20)
			b.SetParallelism(20 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := db.ExecContext(context.Background(), "select 1"); err != nil {
						b.Error(err)
						return
					}
					for began := time.Now(); time.Since(began) < work; {
					}
				}
			})
			all := r.Snapshot().Windows
			w := all[len(all)-1]
			var busy time.Duration
			var statements uint64
			for _, a := range w.Routes {
				busy, statements = busy+a.Busy, statements+a.Statements
			}
			b.ReportMetric(busy.Seconds()*1000/float64(statements), "ms/statement")
			b.ReportMetric(w.SchedulingLatency.Seconds()*1000, "ms-waited/goroutine")
			b.ReportMetric(map[bool]float64{true: 1}[w.Starved], "starved")
		})
	}
}
