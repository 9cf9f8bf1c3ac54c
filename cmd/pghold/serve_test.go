package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener without a network.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A client that does not finish its header is cut off. One that waits for a slow answer
// is not.
func TestNewServer_HeaderTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(10 * headerTimeout)
			w.WriteHeader(http.StatusNoContent)
		}))
		listener := make(pipes)
		go server.Serve(listener)
		defer server.Close()
		for request, want := range map[string]time.Duration{
			"GET / HTTP/1.1\r\nHost: x\r\n":                          headerTimeout,
			"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n": 10 * headerTimeout,
		} {
			client, conn := net.Pipe()
			listener <- conn
			began := time.Now()
			if _, err := io.WriteString(client, request); err != nil {
				t.Fatal(err)
			}
			client.SetReadDeadline(began.Add(time.Hour))
			if _, err := io.ReadAll(client); err != nil {
				t.Errorf("%q: %v", request, err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("%q: the server closed after %v, want %v", request, took, want)
			}
			client.Close()
		}
	})
}

func TestServe_SaysThatItListensBeyondLoopback(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it listens, and ends before it connects
	for addr, want := range map[string]int{"127.0.0.1:0": 0, "localhost:0": 0, "0.0.0.0:0": 1, ":0": 1} {
		status, _, stderr := pghold(ctx, "serve", "--addr", addr, "--dsn", "postgres://127.0.0.1:1/db")
		if got := strings.Count(stderr, "beyond loopback"); status != exitDone || got != want {
			t.Errorf("%s: status %d, warned %d times, want %d: %s", addr, status, got, want, stderr)
		}
	}
	for ip, want := range map[string]bool{"127.0.0.1": false, "127.8.8.8": false, "::1": false, "::": true, "0.0.0.0": true, "10.0.0.1": true, "fe80::1": true} {
		if got := beyondLoopback(&net.TCPAddr{IP: net.ParseIP(ip)}); got != want {
			t.Errorf("%s: %v, want %v", ip, got, want)
		}
	}
}
