package pghold_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdtest"
)

// Connections that are held on purpose are counted, apart, and nobody is told of them.
func TestIntend(t *testing.T) { synctest.Test(t, intend) }

func intend(t *testing.T) {
	r, p, told := ofSize(3)
	ctx := pghold.WithRoute(t.Context(), "GET /")
	listens := p.Checkout(pghold.Intend(ctx, "LISTEN orders"))
	time.Sleep(time.Hour)
	own := p.Checkout(ctx) // of the same request: it does not wait for itself
	w := p.Wait(pghold.WithRoute(t.Context(), "GET /other"))
	w.Checkout().Release()
	p.Checkout(pghold.WithRoute(pghold.Intend(ctx, "LISTEN orders"), "job")).Release() // another's, within
	pghold.SetRoute(pghold.Intend(ctx, "LISTEN orders"), "GET /renamed")
	leads := pghold.Intend(t.Context(), "leader")
	leader := p.Checkout(leads)
	if _, own := p.OwnHold(pghold.WithRoute(leads, "job")); own {
		t.Error("what is done by who leads is said to wait for the connection that leads")
	}
	leader.Release()

	var intended, others []string
	s := r.Snapshot()
	for _, h := range s.Open {
		if h.Intended {
			intended = append(intended, h.Route)
			continue
		}
		others = append(others, h.Route)
	}
	if strings.Join(intended, " ") != "LISTEN orders" || strings.Join(others, " ") != "GET /renamed" {
		t.Errorf("held on purpose: %q, others %q", intended, others)
	}
	if holders := p.Holders(); len(holders) != 1 || holders[0].Route != "GET /renamed" || holders[0].Count != 1 || holders[0].Of != 2 {
		t.Errorf("the holders are %v, want one of two", holders)
	}
	if longest := s.Open[0].LongestGap; longest.Mostly != "" {
		t.Errorf("somebody looked where it is: %+v", longest)
	}
	reader := pghold.NewMetricReader(r.Snapshot)
	all, _, _ := reader.Read()
	for _, m := range all {
		for _, point := range m.Points {
			if m.Name == "pghold.oldest_hold" && point.Value > 0 {
				t.Errorf("the oldest hold of %q is %v s old", point.Attributes, point.Value)
			}
		}
	}

	// It is no deadlock before all others wait, and it is one then.
	second := p.Checkout(pghold.WithRoute(t.Context(), "GET /twice"))
	waits := []pghold.Wait{p.Wait(ctx)}
	if r.Snapshot().Pools[0].Deadlock {
		t.Error("one of two waits, and it is called a deadlock")
	}
	second.Release()
	second = p.Checkout(ctx)
	synctest.Wait()
	if !r.Snapshot().Pools[0].Deadlock {
		t.Error("both that are not held on purpose are of a request that waits, and it is no deadlock")
	}
	for len(told) > 0 {
		if s := <-told; strings.Contains(s.String(), "LISTEN") {
			t.Errorf("told of %s", s)
		}
	}
	waits[0].Fail(context.Canceled)
	second.Release()
	own.Release()
	holdtest.Fail(t, r, holdtest.Rules{MaxGap: 2 * time.Hour}) // it does not wait for the one that is open
	listens.Release()
	found := holdtest.Find(r.Snapshot(), holdtest.Rules{})
	if len(found) != 0 {
		t.Errorf("holdtest finds %v", found)
	}

	b, err := json.Marshal(r.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	again, err := pghold.ReadSnapshot(b)
	if err != nil || !again.Series[0].Intended || again.Series[0].Route != "LISTEN orders" || again.Series[0].Held.Sum() != time.Hour {
		t.Errorf("read again it is %+v (%v), want the hour of LISTEN first", again.Series[0], err)
	}
	again.Merge(r.Snapshot())
	if s := again.Series[0]; !s.Intended || s.Held.Count() != 2 {
		t.Errorf("merged it is %+v", s)
	}
}
