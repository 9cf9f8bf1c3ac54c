package activity_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
	"github.com/pghold/pghold/internal/pg/pgtemp"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// BenchmarkSource samples 200 sessions, some of them in a gap after a statement of 900
// bytes. It tells what a sample takes of the CPU of this process (getrusage) and
// of its server process (/proc/PID/schedstat): one sample after the other, and at the
// source's own pace for three seconds, in which both are found with colder caches.
func BenchmarkSource(b *testing.B) {
	const sessions = 200
	server, err := pgtemp.Start(b.Context(), pgtemp.Config{MaxConnections: sessions + 20})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := server.Stop(); err != nil {
			b.Error(err)
		}
	})
	conns := make([]*pgx.Conn, sessions)
	for i := range conns {
		conns[i] = pgtest.Connect(b, server.DSN(), "app")
	}
	text := "select '" + strings.Repeat("x", 900) + "'"
	for _, inGap := range []int{0, 20, sessions} {
		b.Run(fmt.Sprintf("in_gap=%d", inGap), func(b *testing.B) {
			for i, c := range conns {
				pgtest.Exec(b, c, "begin")
				pgtest.Exec(b, c, text)
				if i >= inGap {
					pgtest.Exec(b, c, "commit")
				}
			}
			cc, err := pgx.ParseConfig(server.DSN())
			if err != nil {
				b.Fatal(err)
			}
			ledger := watch.New(time.Now())
			source, err := activity.Connect(b.Context(), activity.Config{Server: cc, Ledger: ledger})
			if err != nil {
				b.Fatal(err)
			}
			defer source.Close(b.Context())
			if err := source.Sample(b.Context()); err != nil {
				b.Fatal(err)
			}
			if n := ledger.Report(time.Now()).InTransaction; n != inGap {
				b.Fatalf("%d sessions in a gap, want %d", n, inGap)
			}
			var pid int
			err = conns[sessions-1].QueryRow(b.Context(), "select pid from pg_stat_activity where application_name = 'pghold watch' order by backend_start desc limit 1").Scan(&pid)
			if err != nil {
				b.Fatal(err)
			}
			here, there := cpu(b), serverCPU(b, pid)
			for b.Loop() {
				if err := source.Sample(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			n := time.Duration(b.N)
			here, there = (cpu(b)-here)/n, (serverCPU(b, pid)-there)/n
			b.ReportMetric(float64(here.Microseconds()), "client-us/op")
			b.ReportMetric(float64(there.Microseconds()), "server-us/op")

			const paced = 3 * time.Second
			ctx, cancel := context.WithTimeout(b.Context(), paced)
			defer cancel()
			here, there = cpu(b), serverCPU(b, pid)
			after := make(chan time.Duration)
			time.AfterFunc(paced-activity.DefaultInterval/2, func() { after <- serverCPU(b, pid) }) // while it is there
			go func() {
				defer close(after)
				source.Run(ctx)
			}()
			there = <-after - there
			<-after
			b.ReportMetric(100*(cpu(b)-here).Seconds()/paced.Seconds(), "client-%core")
			b.ReportMetric(100*there.Seconds()/paced.Seconds(), "server-%core")
			for _, c := range conns[:inGap] {
				pgtest.Exec(b, c, "rollback")
			}
		})
	}
}

// cpu is what this process has taken.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// serverCPU is what a process has run.
func serverCPU(b *testing.B, pid int) (ran time.Duration) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(string(stat), &ran); err != nil {
		b.Fatal(err)
	}
	return ran
}
