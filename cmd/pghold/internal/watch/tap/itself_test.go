package tap_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A tap that connects to itself, by whatever name, tells the app so, and takes no more than
// one connection of its own for it.
func TestTap_ConnectsToItself(t *testing.T) {
	for _, more := range []string{"sslmode=disable", "sslmode=require", "sslmode=prefer", "sslmode=require sslnegotiation=direct"} {
		t.Run(more, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			accepted := &acceptances{Listener: l}
			dsn := fmt.Sprintf("host=127.0.0.1 port=%d user=u dbname=d ", l.Addr().(*net.TCPAddr).Port)
			server, err := pgconn.ParseConfig(dsn + more)
			if err != nil {
				t.Fatal(err)
			}
			tt := serve(t, server, accepted)
			const want = "leads back to this tap"
			for range 2 {
				if _, err := pgx.Connect(t.Context(), dsn+"sslmode=disable"); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("the app is told %v, want %q", err, want)
				}
			}
			tt.Close()
			if n, most := int(accepted.n.Load()), 2+2*(1+len(server.Fallbacks)); n > most {
				t.Errorf("%d connections were taken, want %d at most", n, most)
			}
			lines := tt.lines()
			if len(lines) == 0 || !strings.Contains(lines[0], want) || !strings.Contains(tt.Trouble(), want) {
				t.Errorf("the log is %q, and at the end it says %q", lines, tt.Trouble())
			}
			for _, line := range lines {
				if !strings.Contains(line, want) {
					t.Errorf("the log has %q", line)
				}
			}
		})
	}
}

// acceptances counts the connections that it takes.
type acceptances struct {
	net.Listener
	n atomic.Int32
}

func (a *acceptances) Accept() (net.Conn, error) {
	conn, err := a.Listener.Accept()
	if err == nil {
		a.n.Add(1)
	}
	return conn, err
}
