package lab_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// inFlight is how many requests BenchmarkInFlight has in the slow call at once.
const inFlight = 10_000

// BenchmarkInFlight measures the memory that the app takes while 10,000 requests
// are in the slow call. Their clients are another process.
func BenchmarkInFlight(b *testing.B) {
	s := experiment.Defaults()
	s.Slow = time.Hour
	db, err := lab.OpenDatabase(b.Context(), pgtest.DSN(b), s.Connections())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	for range b.N {
		before := memory()
		app, err := lab.NewApp(lab.AppConfig{Database: db, Settings: s, Routes: experiment.RoutesOf("seed"), Application: "lab benchmark"})
		if err != nil {
			b.Fatal(err)
		}
		base := serve(b, app)
		clients := exec.Command(os.Args[0], "-test.run", "^TestClients$")
		clients.Env = append(os.Environ(), clientsOf+"="+strings.TrimPrefix(base, "http://"))
		clients.Stderr = os.Stderr
		end, err := clients.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := clients.Start(); err != nil {
			b.Fatal(err)
		}
		failed := make(chan error, 1)
		go func() { failed <- clients.Wait() }()
		tick := time.NewTicker(10 * time.Millisecond)
		for app.Checkouts() < inFlight {
			select {
			case <-tick.C:
			case err := <-failed:
				b.Fatalf("the clients ended with only %d requests in flight: %v", app.Checkouts(), err)
			}
		}
		tick.Stop()
		b.ReportMetric(float64(memory()-before)/1e6, "MB")
		app.Stop()
		end.Close()
		<-failed
		app.Close()
	}
}

// memory is what the Go runtime holds of the system's.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}

// clientsOf names the address that the clients' process is to ask.
const clientsOf = "LAB_TEST_CLIENTS_OF"

// TestClients is not a test but the clients of BenchmarkInFlight: it sends its
// requests and keeps their connections open until its standard input ends.
func TestClients(t *testing.T) {
	addr := os.Getenv(clientsOf)
	if addr == "" {
		return
	}
	conns := make([]net.Conn, inFlight)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		conns[i] = c
		fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", asyncOutside)
	}
	io.Copy(io.Discard, os.Stdin)
	for _, c := range conns {
		c.Close()
	}
}
