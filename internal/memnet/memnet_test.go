package memnet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold/internal/memnet"
)

// connect returns the two ends of a connection.
func connect(t *testing.T) (near, far net.Conn) {
	t.Helper()
	var n memnet.Network
	l, _ := n.Listen()
	defer l.Close()
	accepted := make(chan net.Conn)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	near, err := n.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return near, <-accepted
}

func TestConn_PassesOnAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := connect(t)
		if near.LocalAddr().String() != far.RemoteAddr().String() || near.LocalAddr().String() == near.RemoteAddr().String() {
			t.Errorf("addresses %v, %v and %v, %v", near.LocalAddr(), near.RemoteAddr(), far.LocalAddr(), far.RemoteAddr())
		}
		sent := bytes.Repeat([]byte("0123456789"), 100_000)
		if n, err := near.Write(sent); n != len(sent) || err != nil { // with nobody who reads
			t.Fatal(n, err)
		}
		near.Close()
		got, err := io.ReadAll(far)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d bytes and %v, want all %d that were sent before the end", len(got), err, len(sent))
		}
		if _, err := far.Write([]byte("x")); err != nil {
			t.Errorf("a first write to an end that was closed: %v; with TCP it succeeds", err)
		}
		if _, err := far.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("a second write to an end that was closed: %v", err)
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a write after Close: %v", err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a read after Close: %v", err)
		}
	})
}

func TestConn_Deadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := connect(t)
		began := time.Now()
		near.SetReadDeadline(began.Add(time.Second))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v, want a time-out after 1 s", time.Since(began), err)
		}
		near.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Hour)
			near.SetReadDeadline(time.Unix(1, 0)) // as who cancels a read does
		}()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Hour+time.Second {
			t.Errorf("after %v: %v, want a time-out when the deadline was set to the past", time.Since(began), err)
		}
		far.SetDeadline(time.Now())
		if _, err := far.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a write after its deadline: %v", err)
		}
	})
}

func TestNetwork_Closed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n memnet.Network
		l, _ := n.Listen()
		go func() {
			time.Sleep(time.Second)
			l.Close()
		}()
		if _, err := n.Dial(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a listener that accepts nothing and is closed: %v", err)
		}
		if _, err := n.Dial(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a listener that was closed: %v", err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
	})
}

// net/http works over it, and no clock but the bubble's passes.
func TestNetwork_HTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n memnet.Network
		l, _ := n.Listen()
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Hour)
			io.Copy(w, r.Body)
		})}
		go server.Serve(l)
		defer server.Shutdown(t.Context()) // returns when the handlers have
		transport := &http.Transport{DialContext: n.Dial}
		defer transport.CloseIdleConnections()
		began := time.Now()
		res, err := (&http.Client{Transport: transport}).Post("http://"+l.Addr().String(), "text/plain", bytes.NewReader([]byte("hello")))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, err := io.ReadAll(res.Body); err != nil || string(b) != "hello" || time.Since(began) != time.Hour {
			t.Errorf("%q and %v after %v, want hello after an hour", b, err, time.Since(began))
		}
		_, err = (&http.Client{Transport: transport, Timeout: time.Minute}).Get("http://" + l.Addr().String())
		if !os.IsTimeout(err) || time.Since(began) != time.Hour+time.Minute {
			t.Errorf("%v after %v, want a time-out after a minute", err, time.Since(began)-time.Hour)
		}
	})
}
