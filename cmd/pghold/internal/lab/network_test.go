package lab

import (
	"io"
	"net"
	"testing"
)

// begun says when a read has begun.
type begun struct {
	net.Conn
	read chan struct{}
}

func (c begun) Read(b []byte) (int, error) {
	c.read <- struct{}{}
	return c.Conn.Read(b)
}

// Each answer is a round trip, also where a read waits for it since before the
// question was sent, as that of pgx's background reader may.
func TestDistant_AReadThatBeganBefore(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.Copy(c, c)
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var did traffic
	read := make(chan struct{}, 1)
	d := &distant{Conn: begun{c, read}, traffic: &did}
	d.counting.Store(true)
	for want := int64(1); want <= 2; want++ {
		done := make(chan error, 1)
		go func() {
			_, err := d.Read(make([]byte, 1))
			done <- err
		}()
		<-read
		if _, err := d.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := did.roundTrips.Load(); got != want {
			t.Fatalf("%d round trips are counted, want %d", got, want)
		}
	}
}
