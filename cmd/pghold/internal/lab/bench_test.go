package lab_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// BenchmarkApp compares the whole app's outside route, without its slow call,
// with a bare net/http handler on pgxpool that does the same: begin, read, roll
// back. The two are asked in turn, so that both see the same machine, and the
// ratio is the bare one's time over ours: above 1 the app is the faster.
//
// The pools keep all their 15 connections, as the bare one does. With QueuePool's
// default, 5 kept and 10 overflow, a load that comes and goes between 5 and 15
// opens and closes connections all the time; the last case shows what that costs.
func BenchmarkApp(b *testing.B) {
	s := experiment.Defaults()
	s.Slow = 0
	dsn := pgtest.DSN(b)
	db, err := lab.OpenDatabase(b.Context(), dsn, s.Connections())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	bare := serve(b, bareHandler(b, dsn, s.Connections()))
	for _, c := range []struct {
		name, pool     string
		size, overflow int
	}{
		{"queuepool", experiment.QueuePool, 15, 0},
		{"pgxpool", experiment.PgxPool, 15, 0},
		{"sql", experiment.SQLPool, 15, 0},
		{"queuepool-with-overflow", experiment.QueuePool, 5, 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := s
			s.Pool, s.PoolSize, s.MaxOverflow = c.pool, c.size, c.overflow
			app, err := lab.NewApp(lab.AppConfig{Database: db, Settings: s, Routes: experiment.RoutesOf("seed"), Application: "lab benchmark"})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(app.Close)
			compare(b, bare+"/", serve(b, app)+"/"+asyncOutside)
		})
	}
}

// bareHandler is what one would write by hand.
func bareHandler(b *testing.B, dsn string, connections int) http.Handler {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		b.Fatal(err)
	}
	cfg.MaxConns = int32(connections)
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	if _, err := pool.Exec(b.Context(), "create table users (id int primary key, name text not null); insert into users values (1, 'John Doe')"); err != nil {
		b.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tx, err := pool.Begin(r.Context())
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		defer tx.Rollback(r.Context())
		var u lab.User
		if err := tx.QueryRow(r.Context(), "select id, name from users where id = $1", 1).Scan(&u.ID, &u.Name); err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		tx.Rollback(r.Context())
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(u)
	})
}

func serve(b *testing.B, h http.Handler) (base string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: h}
	go server.Serve(l)
	b.Cleanup(func() { server.Close() })
	return "http://" + l.Addr().String()
}

func compare(b *testing.B, bareURL, oursURL string) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	get := func(url string) {
		res, err := client.Get(url)
		if err != nil {
			b.Error(err)
			return
		}
		defer res.Body.Close()
		io.Copy(io.Discard, res.Body)
		if res.StatusCode != 200 {
			b.Errorf("%s answers %s", url, res.Status)
		}
	}
	for range 200 { // connect and prepare
		get(bareURL)
		get(oursURL)
	}
	var bareTime, oursTime atomic.Int64
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		urls, times := [2]string{bareURL, oursURL}, [2]time.Duration{}
		for i := 0; pb.Next(); i++ {
			for j := range 2 {
				which := (i + j) % 2
				start := time.Now()
				get(urls[which])
				times[which] += time.Since(start)
			}
		}
		bareTime.Add(int64(times[0]))
		oursTime.Add(int64(times[1]))
	})
	b.ReportMetric(float64(bareTime.Load())/float64(oursTime.Load()), "ratio")
}
