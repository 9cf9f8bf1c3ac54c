//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pghold/pghold/internal/pg/pgtest"
)

// What the live page costs while somebody looks at it, against the same run of which
// nobody looks: answers per second, the CPU that pghold and its app took, and the 99th
// percentile of latency. How well it keeps up: cards drawn per second, and the longest
// that a viewer saw nothing new.
func BenchmarkLive(b *testing.B) {
	for _, rate := range []int{1000, 2000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			dsn := pgtest.DSN(b)
			var alone, watched attended
			for range b.N {
				alone = alone.plus(attend(b, dsn, rate, false))
				watched = watched.plus(attend(b, dsn, rate, true))
			}
			b.ReportMetric(watched.throughput/alone.throughput, "throughput-ratio")
			b.ReportMetric(watched.cpu.Seconds()/alone.cpu.Seconds(), "cpu-ratio")
			b.ReportMetric(watched.p99/alone.p99, "p99-ratio")
			b.ReportMetric(alone.throughput/float64(b.N), "answers/s")
			b.ReportMetric(float64(watched.cards)/watched.seen.Seconds(), "cards/s")
			b.ReportMetric(watched.stale.Seconds(), "longest-s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// attended is what a run came to, and what a viewer saw of it.
type attended struct {
	throughput, p99 float64
	cpu             time.Duration
	cards           int
	seen            time.Duration // from the first card to the last
	stale           time.Duration // the longest between two
}

func (a attended) plus(b attended) attended {
	return attended{
		a.throughput + b.throughput, a.p99 + b.p99, a.cpu + b.cpu,
		a.cards + b.cards, a.seen + b.seen, max(a.stale, b.stale),
	}
}

// attend runs the outside route, with or without a viewer of its page.
func attend(b *testing.B, dsn string, rate int, viewer bool) (got attended) {
	b.Chdir(b.TempDir())
	saw := make(chan attended, 1)
	stderr := &trigger{on: "/\n"}
	stderr.do = func() {
		url := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(stderr.String())
		if !viewer {
			saw <- attended{}
			return
		}
		res, err := http.Get(url + "events")
		if err != nil {
			b.Error(err)
			saw <- attended{}
			return
		}
		go func() {
			defer res.Body.Close()
			saw <- follow(res.Body)
		}()
	}
	before := cpu(b)
	var out output
	status := run(b.Context(), []string{"lab", outside, "--dsn", dsn, "--rate", fmt.Sprint(rate), "--duration", "5s", "--slow", "100ms", "--client-timeout", "2s", "--out", "run"}, streams{&out, stderr})
	if status != exitDone {
		b.Fatalf("status %d: %s", status, stderr)
	}
	got = <-saw
	got.cpu = cpu(b) - before
	route := readResult(b, "run/result.json").Routes[0]
	got.throughput, got.p99 = route.Throughput, route.Latency.P99.Seconds()
	return got
}

// follow reads a page's events to their end.
func follow(events io.Reader) (saw attended) {
	var first, last time.Time
	r := bufio.NewReader(events)
	for {
		line, err := r.ReadString('\n')
		if strings.HasPrefix(line, "event: card") {
			now := time.Now()
			if saw.cards == 0 {
				first = now
			} else {
				saw.stale = max(saw.stale, now.Sub(last))
			}
			last = now
			saw.cards++
		}
		if err != nil {
			saw.seen = last.Sub(first)
			return saw
		}
	}
}

// cpu is what this process and those that it has waited for have used.
func cpu(b *testing.B) (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}
