package session_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/queuepool"
	"github.com/pghold/pghold/session"
)

const benchSQL = "select name from users where id = $1"

// benchPools opens a pgxpool and a queuepool of the same size on one database.
func benchPools(b *testing.B) (*pgxpool.Pool, *queuepool.Pool) {
	dsn := pgtest.DSN(b)
	pgxPool, err := pgxpool.New(b.Context(), dsn+"&pool_max_conns=15")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pgxPool.Close)
	if _, err := pgxPool.Exec(b.Context(), "create table users (id int primary key, name text); insert into users values (1, 'John Doe')"); err != nil {
		b.Fatal(err)
	}
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		b.Fatal(err)
	}
	cfg := queuepool.NewConfig(cc)
	queue, err := queuepool.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(queue.Close)
	return pgxPool, queue
}

// compare runs the bare way and ours in turn, from as many goroutines as there
// are processors, and reports the throughput of ours as a ratio to the bare one.
// Both see the same machine at the same moment.
func compare(b *testing.B, bare, ours func(context.Context) error) {
	ctx := b.Context()
	for range 100 { // connect and prepare
		if err := errors.Join(bare(ctx), ours(ctx)); err != nil {
			b.Fatal(err)
		}
	}
	var bareTime, oursTime atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		ways := []struct {
			run func(context.Context) error
			sum time.Duration
		}{{run: bare}, {run: ours}}
		for i := 0; pb.Next(); i++ {
			for j := range ways { // first the one, then the other, then the other way round
				w := &ways[(i+j)%2]
				start := time.Now()
				if err := w.run(ctx); err != nil {
					b.Error(err)
					return
				}
				w.sum += time.Since(start)
			}
		}
		bareTime.Add(int64(ways[0].sum))
		oursTime.Add(int64(ways[1].sum))
	})
	b.ReportMetric(float64(bareTime.Load())/float64(b.N), "bare-ns/op")
	b.ReportMetric(float64(oursTime.Load())/float64(b.N), "ours-ns/op")
	b.ReportMetric(float64(bareTime.Load())/float64(oursTime.Load()), "ratio")
}

func BenchmarkAutocommitRead(b *testing.B) {
	pgxPool, queue := benchPools(b)
	bare := func(ctx context.Context) error {
		var name string
		return pgxPool.QueryRow(ctx, benchSQL, 1).Scan(&name)
	}
	local := func(p session.Pool) func(context.Context) error {
		return func(ctx context.Context) error {
			return session.Local(ctx, p, session.Options{Autocommit: true}, func(s *session.Session) error {
				var name string
				return s.QueryRow(ctx, benchSQL, 1).Scan(&name)
			})
		}
	}
	b.Run("pgxpool", func(b *testing.B) { compare(b, bare, local(session.From(pgxPool))) })
	b.Run("queuepool", func(b *testing.B) { compare(b, bare, local(session.From(queue))) })
}

func BenchmarkAutobegin(b *testing.B) {
	pgxPool, queue := benchPools(b)
	bare := func(ctx context.Context) error {
		tx, err := pgxPool.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx)
		var name string
		if err := tx.QueryRow(ctx, benchSQL, 1).Scan(&name); err != nil {
			return err
		}
		return tx.Commit(ctx)
	}
	local := func(p session.Pool) func(context.Context) error {
		return func(ctx context.Context) error {
			return session.Local(ctx, p, session.Options{}, func(s *session.Session) error {
				var name string
				return s.QueryRow(ctx, benchSQL, 1).Scan(&name)
			})
		}
	}
	b.Run("pgxpool", func(b *testing.B) { compare(b, bare, local(session.From(pgxPool))) })
	b.Run("queuepool", func(b *testing.B) { compare(b, bare, local(session.From(queue))) })
}
