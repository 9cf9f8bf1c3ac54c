package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
)

func TestCharge_LedgerCountsByOp(t *testing.T) {
	s := instant(t)
	client := httpClient(t)
	for i, op := range []string{"a", "b", "a"} {
		got, err := pay(t.Context(), client, s, op, "")
		want := receipt{ID: fmt.Sprintf("ch_%d", i+1), Op: op, Amount: 7}
		if err != nil || got != want {
			t.Errorf("got %+v and %v, want %+v", got, err, want)
		}
	}
	got := s.Ledger()
	want := upstream.Ledger{Calls: map[string]int{"a": 2, "b": 1}, Charges: map[string]int{"a": 2, "b": 1}, TotalCalls: 3, TotalCharges: 3}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the ledger (- want, + got):\n%s", d)
	}
	got.Charges["a"] = 99
	if s.Ledger().Charges["a"] != 2 {
		t.Error("the ledger that was handed out is no copy")
	}
	s.Reset()
	if d := cmp.Diff(upstream.Ledger{Calls: map[string]int{}, Charges: map[string]int{}}, s.Ledger()); d != "" {
		t.Errorf("after Reset (- want, + got):\n%s", d)
	}
}

func TestCharge_WithoutAKeyEachIsBookedWithOneOnlyTheFirst(t *testing.T) {
	const n = 64
	for key, want := range map[string]int{"": n, "k1": 1} {
		s := instant(t)
		client := httpClient(t)
		receipts := make(chan receipt, n)
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				got, err := pay(t.Context(), client, s, "op", key)
				if err != nil {
					t.Error(err)
				}
				receipts <- got
			})
		}
		wg.Wait()
		close(receipts)
		ids, first := map[string]bool{}, 0
		for r := range receipts {
			ids[r.ID] = true
			if !r.replayed {
				first++
			}
		}
		if l := s.Ledger(); l.Calls["op"] != n || l.Charges["op"] != want || l.TotalCharges != want {
			t.Errorf("key %q: the ledger has %+v, want %d calls and %d charges", key, l, n, want)
		}
		if len(ids) != want || first != want {
			t.Errorf("key %q: %d different answers, of which %d are no replays; want %d", key, len(ids), first, want)
		}
	}
}

func TestCharge_ReplayWaitsForTheFirstAndGetsItsAnswer(t *testing.T) {
	c := newClock()
	s := start(t, upstream.Config{Delay: time.Hour, Sleep: c.sleep})
	client := httpClient(t)
	replies := make(chan receipt, 2)
	ask := func(op string) {
		got, err := pay(t.Context(), client, s, op, "k1")
		if err != nil {
			t.Error(err)
		}
		replies <- got
	}
	go ask("first")
	<-c.asleep
	go ask("second") // the same key in error: it gets what the first one got
	await(t, "the second call is in the ledger", func() bool { return s.Ledger().Calls["second"] == 1 })
	c.wake <- struct{}{}
	<-c.asleep // it is booked, and the second half of its delay has begun
	if l := s.Ledger(); l.Charges["first"] != 1 || l.TotalCharges != 1 {
		t.Errorf("in the middle of the delay the ledger has %+v, want one charge", l)
	}
	if len(replies) != 0 {
		t.Error("somebody was answered before the delay was over")
	}
	c.wake <- struct{}{}
	a, b := <-replies, <-replies
	if a.replayed == b.replayed || a.Op != "first" || b.Op != "first" || a.ID != b.ID {
		t.Errorf("got %+v and %+v, want the first one's answer twice, once as a replay", a, b)
	}
}

func TestCharge_IsBookedThoughItsClientLeft(t *testing.T) {
	c := newClock()
	s := start(t, upstream.Config{Delay: time.Hour, Sleep: c.sleep})
	client := httpClient(t)
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := pay(ctx, client, s, "op", "k1")
		ended <- err
	}()
	<-c.asleep
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
	await(t, "the server has seen it leave", func() bool { return s.Pending() == 0 })
	if l := s.Ledger(); l.TotalCharges != 0 {
		t.Errorf("before half of the delay the ledger has %+v, want no charge", l)
	}
	c.wake <- struct{}{}
	<-c.asleep
	if l := s.Ledger(); l.Charges["op"] != 1 {
		t.Errorf("after half of the delay the ledger has %+v, want one charge", l)
	}
	c.wake <- struct{}{}
	got, err := pay(t.Context(), client, s, "op", "k1")
	if err != nil || !got.replayed || got.ID != "ch_1" {
		t.Errorf("who comes again gets %+v and %v, want ch_1 as a replay", got, err)
	}
}

func TestCharge_TakesItsDelayAndIsBookedInItsMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where time is exact and takes none
		s, err := upstream.New(upstream.Config{Delay: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for after, want := range map[time.Duration]int{time.Second - 1: 0, time.Second + 1: 1} {
			time.AfterFunc(after, func() {
				if got := s.Ledger().TotalCharges; got != want {
					t.Errorf("after %v %d charges are booked, want %d", after, got, want)
				}
			})
		}
		serve(t.Context(), s, chargePath, payBody)
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("it took %v, want 2 s", took)
		}
	})
}

func TestServer_ResetLeavesTheOldLedgersChargesBehind(t *testing.T) {
	c := newClock()
	s := start(t, upstream.Config{Delay: time.Hour, Sleep: c.sleep})
	client := httpClient(t)
	receipts := make(chan receipt, 2)
	begin := func() {
		got, err := pay(t.Context(), client, s, "op", "k1")
		if err != nil {
			t.Error(err)
		}
		receipts <- got
	}
	go begin()
	<-c.asleep
	s.Reset()
	go begin()
	<-c.asleep
	for range 2 {
		c.wake <- struct{}{}
	}
	for range 2 {
		<-c.asleep // both are booked
		c.wake <- struct{}{}
	}
	for range 2 {
		if got := <-receipts; got.replayed {
			t.Errorf("got %+v, want no replay: Reset forgets the keys", got)
		}
	}
	if l := s.Ledger(); l.TotalCalls != 1 || l.TotalCharges != 1 {
		t.Errorf("the ledger has %+v, want only what began after Reset", l)
	}
}

func TestCharge_RefusesWhatIsNoCharge(t *testing.T) {
	s := instant(t)
	for _, body := range []string{"", "pay", "[]", "{}", `{"op": 1}`, `{"op": "a", "amount": "much"}`} {
		w := serve(t.Context(), s, chargePath, body)
		if w == nil || w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"type":"invalid_request_error"`) {
			t.Errorf("%s is answered %+v", body, w)
		}
	}
	if l := s.Ledger(); l.TotalCalls != 0 || l.TotalCharges != 0 {
		t.Errorf("the ledger has %+v, want nothing", l)
	}
}
