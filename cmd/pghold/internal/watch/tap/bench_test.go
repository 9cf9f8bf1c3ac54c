package tap_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/internal/pg/pgtemp"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// BenchmarkPrice compares what the tap adds with what PgBouncer adds in session mode,
// and with nothing between: in turn, as many rounds as -benchtime says (9x), the median
// of each. It runs pgbench, so each figure has another program's view. On Linux it also
// says what processor time both take for a transaction, which other work on the machine
// changes less than it changes a latency.
//
//	go test ./cmd/pghold/internal/watch/tap -run '^$' -bench 'Price$' -benchtime 9x
func BenchmarkPrice(b *testing.B) { price(b, pgtest.DSN(b)) }

// BenchmarkPriceTLS is that with TLS to the server: of pgbench where nothing is between,
// else of the tap and of PgBouncer.
func BenchmarkPriceTLS(b *testing.B) {
	dsn := pgtest.DSN(b)
	encryptServer(b, dsn, makeCertificate(b))
	price(b, strings.Replace(dsn, "sslmode=disable", "sslmode=require", 1))
}

func price(b *testing.B, dsn string) {
	tt := start(b, dsn)
	bouncer, err := pgtemp.StartBouncer(b.Context(), pgtemp.BouncerConfig{DSN: dsn, PoolSize: 40, Sessions: true})
	if err != nil {
		b.Fatal(err)
	}
	defer bouncer.Stop()
	ways := []struct{ name, dsn string }{{"direct", dsn}, {"tap", tt.through(b, dsn)}, {"pgbouncer", bouncer.DSN()}}
	for _, way := range ways {
		conn := connectNow(b, way.dsn)
		var encrypted bool
		if err := conn.QueryRow(b.Context(), "select ssl from pg_stat_ssl where pid = pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&encrypted); err != nil {
			b.Fatal(err)
		}
		conn.Close(b.Context())
		if want := strings.Contains(dsn, "sslmode=require"); encrypted != want {
			b.Fatalf("%s: encrypted: %v, want %v", way.name, encrypted, want)
		}
	}
	processes := map[string]int{"tap": os.Getpid(), "pgbouncer": descendant("pgbouncer")}
	pgbench(b, dsn, "-i", "-s", "10", "-q")
	length := 2 * time.Second
	if b.N == 1 {
		length = 200 * time.Millisecond
	}
	seconds := strconv.Itoa(max(1, int(length.Seconds())))
	for _, load := range []struct {
		name string
		args []string
	}{
		{"select-1", []string{"-S", "-M", "prepared", "-c", "1", "-T", seconds}},
		{"select-16", []string{"-S", "-M", "prepared", "-c", "16", "-T", seconds}},
		{"write-8", []string{"-c", "8", "-T", seconds}},
		{"copy-100MB", nil},
	} {
		b.Run(load.name, func(b *testing.B) {
			took := map[string][]float64{} // milliseconds
			// Of the process between, in all rounds.
			spent, done := map[string]time.Duration{}, map[string]float64{}
			for b.Loop() {
				for _, way := range ways {
					var ms float64
					if load.args == nil {
						ms = copyOut(b, way.dsn)
					} else {
						before := processor(processes[way.name])
						out := pgbench(b, way.dsn, load.args...)
						spent[way.name] += processor(processes[way.name]) - before
						done[way.name] += figure(b, out, processed)
						ms = figure(b, out, average)
					}
					took[way.name] = append(took[way.name], ms)
				}
			}
			median := func(name string) float64 {
				slices.Sort(took[name])
				return took[name][len(took[name])/2]
			}
			direct, tap, bouncer := median("direct"), median("tap"), median("pgbouncer")
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(direct, "ms-direct")
			b.ReportMetric(tap, "ms-tap")
			b.ReportMetric(bouncer, "ms-pgbouncer")
			b.ReportMetric((tap-direct)/(bouncer-direct), "added/pgbouncer's")
			for _, way := range ways[1:] {
				if spent[way.name] > 0 {
					b.ReportMetric(float64(spent[way.name].Nanoseconds())/1000/done[way.name], "µs-cpu-"+way.name)
				}
			}
		})
	}
	b.StopTimer()
	if r := tt.ledger.Report(time.Now()); r.Statements == 0 {
		b.Error("nothing went through the tap")
	}
}

// pgbench runs PostgreSQL's own benchmark and returns what it says.
func pgbench(b *testing.B, dsn string, args ...string) string {
	b.Helper()
	path, err := osexec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
		if len(found) == 0 {
			b.Fatal("this benchmark needs pgbench: apt-get install postgresql")
		}
		path = found[len(found)-1]
	}
	cc, err := pgconn.ParseConfig(dsn)
	if err != nil {
		b.Fatal(err)
	}
	cmd := osexec.CommandContext(b.Context(), path, append(args, "-n", "-h", cc.Host, "-p", fmt.Sprint(cc.Port), "-U", cc.User, cc.Database)...)
	sslmode := "disable"
	if cc.TLSConfig != nil {
		sslmode = "require"
	}
	cmd.Env = append(os.Environ(), "PGPASSWORD="+cc.Password, "PGSSLMODE="+sslmode)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("pgbench: %v: %s", err, out)
	}
	return string(out)
}

var (
	average   = regexp.MustCompile(`latency average = ([0-9.]+) ms`)
	processed = regexp.MustCompile(`transactions actually processed: ([0-9]+)`)
)

// figure is one of those that pgbench says.
func figure(b *testing.B, out string, which *regexp.Regexp) float64 {
	b.Helper()
	m := which.FindStringSubmatch(out)
	if m == nil {
		b.Fatalf("pgbench does not say %q: %s", which, out)
	}
	f, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// stat is what Linux says of a process: its name, its parent, and its processor time.
func stat(pid int) (name string, parent int, spent time.Duration) {
	all, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	from, to := bytes.IndexByte(all, '('), bytes.LastIndexByte(all, ')')
	if to < 0 {
		return "", 0, 0
	}
	fields := strings.Fields(string(all[to+1:]))
	parent, _ = strconv.Atoi(fields[1])
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return string(all[from+1 : to]), parent, time.Duration(user+system) * 10 * time.Millisecond
}

func processor(pid int) time.Duration {
	_, _, spent := stat(pid)
	return spent
}

// descendant is this process's descendant of a name, 0 where that cannot be told.
func descendant(name string) int {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, path := range all {
		pid, _ := strconv.Atoi(filepath.Base(path))
		is, parent, _ := stat(pid)
		for is == name && parent > 1 {
			if parent == os.Getpid() {
				return pid
			}
			_, parent, _ = stat(parent)
		}
	}
	return 0
}

// copyOut reads 100 MB and returns how long that took, in milliseconds.
func copyOut(b *testing.B, dsn string) float64 {
	b.Helper()
	conn, err := pgconn.Connect(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.Background())
	began := time.Now()
	if _, err := conn.CopyTo(b.Context(), devNull{}, "copy (select repeat('x', 9999) from generate_series(1, 10000)) to stdout"); err != nil {
		b.Fatal(err)
	}
	return float64(time.Since(began).Microseconds()) / 1000
}

type devNull struct{}

func (devNull) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkSessions says what 1,000 sessions cost in memory.
func BenchmarkSessions(b *testing.B) {
	const many = 150 // on the test's server; the figure is for 1,000
	dsn := pgtest.DSN(b)
	for b.Loop() {
		tt := start(b, dsn)
		before := inUse()
		var conns []*pgconn.PgConn
		for range many {
			conn, err := pgconn.Connect(b.Context(), tt.through(b, dsn))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := conn.Exec(b.Context(), "begin; select 1").ReadAll(); err != nil {
				b.Fatal(err)
			}
			conns = append(conns, conn)
		}
		after := inUse()
		for _, conn := range conns {
			conn.Close(context.Background())
		}
		tt.Close()
		b.ReportMetric(float64(after-before)/many*1000/1e6, "MB/1000-sessions")
	}
}

// inUse is the memory in heap and stacks.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// BenchmarkShapes gives a ledger statements of 10,000 shapes, each with values of its own
// and a gap after it, and says how much memory it keeps. It is flat: in no million of them
// it is more than in the first.
func BenchmarkShapes(b *testing.B) {
	const million = 1_000_000
	now := time.Unix(1e9, 0)
	ledger := watch.New(now)
	s := ledger.Open(watch.Client{Application: "app"})
	text := make([]byte, 0, 200)
	before := inUse()
	var most []float64 // MB, in each million
	look := func(n int) {
		if n%million == 0 {
			most = append(most, 0)
		}
		most[len(most)-1] = max(most[len(most)-1], float64(inUse()-before)/1e6)
	}
	n := 0
	for b.Loop() {
		text = fmt.Appendf(text[:0], "select a, b, c from table_%d where id = %d and name = 'x%d'", n%10_000, n, n)
		s.Sent(now)
		s.Text(text)
		now = now.Add(time.Millisecond)
		s.Ready(now, 'T', false)
		now = now.Add(time.Millisecond)
		if n%10_000 == 0 { // some 20,000 texts are kept
			b.StopTimer()
			look(n)
			b.StartTimer()
		}
		n++
	}
	b.ReportMetric(most[0], "MB-first-million")
	b.ReportMetric(most[len(most)-1], "MB-last-million")
	if highest := slices.Max(most); highest > most[0]+1 {
		b.Errorf("memory grows: the most of each million, in MB: %.1f", most)
	}
	if r := ledger.Report(now); len(r.Groups) > 1001 { // with that of the gap which is open
		b.Errorf("%d groups have names", len(r.Groups))
	}
}
