package upstream_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
)

func TestServer_CloseEndsWhoWaits(t *testing.T) {
	before := goleak.IgnoreCurrent()
	c := newClock()
	s := start(t, upstream.Config{Delay: time.Hour, Sleep: c.sleep})
	client := httpClient(t)
	var wg sync.WaitGroup
	call := func(what string, f func() error) {
		wg.Go(func() {
			if f() == nil {
				t.Errorf("%s was answered", what)
			}
		})
	}
	charge := func(key string) func() error {
		return func() error { _, err := pay(t.Context(), client, s, "op", key); return err }
	}
	chat := func(body string) func() error {
		return func() error {
			res, err := post(t.Context(), client, s, chatPath, body, "")
			if err == nil {
				defer res.Body.Close()
				_, err = io.ReadAll(res.Body)
			}
			return err
		}
	}
	call("a whole answer", chat(wholeBody))
	call("a streamed answer", chat(streamBody))
	call("a charge", charge("k1"))
	for range 3 {
		<-c.asleep
	}
	call("a replay", charge("k1"))
	await(t, "four wait", func() bool { return s.Pending() == 4 })

	s.Close()
	if n := s.Pending(); n != 0 {
		t.Errorf("Close returned with %d requests pending", n)
	}
	wg.Wait()
	if l := s.Ledger(); l.TotalCharges != 0 {
		t.Errorf("the ledger has %+v, want no charge: half of its delay was not over", l)
	}
	client.CloseIdleConnections()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	s.Close() // again is harmless
}

func TestServer_CloseEndsWhoIsNeverAnswered(t *testing.T) {
	s := instant(t)
	s.Fail(upstream.Never)
	client := httpClient(t)
	ended := make(chan error)
	go func() { _, err := pay(t.Context(), client, s, "op", ""); ended <- err }()
	await(t, "it is booked", func() bool { return s.Ledger().TotalCharges == 1 })
	s.Close()
	if err := <-ended; err == nil {
		t.Error("it was answered")
	}
	if _, err := pay(t.Context(), client, s, "op", ""); err == nil {
		t.Error("a closed server answers")
	}
}

func TestServer_CloseReturnsWhenAllHasEnded(t *testing.T) {
	for name, request := range map[string][2]string{"chat": {chatPath, wholeBody}, "charge": {chargePath, payBody}} {
		asleep := make(chan struct{})
		var ended atomic.Bool
		s := start(t, upstream.Config{Delay: time.Hour, Sleep: func(ctx context.Context, _ time.Duration) error {
			close(asleep)
			<-ctx.Done()
			<-time.After(20 * time.Millisecond) // it takes its time to end
			ended.Store(true)
			return ctx.Err()
		}})
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan struct{})
		client := httpClient(t)
		go func() { defer close(left); post(ctx, client, s, request[0], request[1], "") }()
		<-asleep
		leave()
		<-left
		s.Close()
		if !ended.Load() {
			t.Errorf("%s: Close returned before its end", name)
		}
	}
}

// Of a client that has sent more than its request, net/http does not see that it leaves.
func TestServer_CloseEndsWhoCannotBeSeenToLeave(t *testing.T) {
	s := instant(t)
	s.Fail(upstream.Never)
	c, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", chatPath, len(wholeBody), wholeBody)
	await(t, "it waits", func() bool { return s.Ledger().Chats == 1 })
	fmt.Fprint(c, "POST")
	s.Close()
}

// net/http sees a client leave only once its request was read to the end, which is
// not where its JSON ends.
func TestServer_SeesAClientLeaveThatSentMoreThanJSON(t *testing.T) {
	s := instant(t)
	s.Fail(upstream.Never)
	client := httpClient(t)
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := post(ctx, client, s, chatPath, wholeBody+strings.Repeat(" ", 1<<16), "")
		ended <- err
	}()
	await(t, "it waits", func() bool { return s.Ledger().Chats == 1 })
	leave()
	if <-ended == nil {
		t.Error("it was answered")
	}
	await(t, "it has left", func() bool { return s.Pending() == 0 })
}
