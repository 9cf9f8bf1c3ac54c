package pghold

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// never opens a connection, until it is closed.
type never chan struct{}

func (c never) Connect(context.Context) (driver.Conn, error) { <-c; return nil, errors.New("none") }
func (c never) Driver() driver.Driver                        { return nil }

// A stack of before its last statement says nothing of what a hold waits for now.
func TestInferOwnWaits_ByNoOldStack(t *testing.T) { synctest.Test(t, inferOwnWaitsByNoOldStack) }

func inferOwnWaitsByNoOldStack(t *testing.T) {
	r := NewRecorder(Config{})
	p := r.Pool("main")
	p.SetStat(func() PoolStat { return PoolStat{Max: 1, Waits: 1} })
	stop := make(never)
	db := sql.OpenDB(stop)
	defer db.Close()
	db.SetMaxOpenConns(1)
	var all sync.WaitGroup
	all.Go(func() { db.Conn(context.Background()) })
	synctest.Wait()
	first, cancel := context.WithCancel(t.Context())
	var c *Checkout
	all.Go(func() {
		Do(t.Context(), "GET /twice", func(ctx context.Context) {
			c = p.Checkout(ctx)
			defer c.Release()
			db.Conn(first)
			c.BeginStatement()
			c.EndStatement(false)
			<-stop
		})
	})
	time.Sleep(2 * time.Second)
	if h := r.OpenHolds()[0]; h.OwnWait == nil {
		t.Errorf("it waits in database/sql, and is said to be %s", h.Doing())
	}
	r.stacks.mu.Lock()
	r.stacks.next = r.now() + time.Hour // no other profile is taken
	r.stacks.mu.Unlock()
	time.Sleep(time.Second)
	cancel()
	synctest.Wait()
	time.Sleep(time.Second)
	if h := r.OpenHolds()[0]; h.OwnWait != nil || h.Stack == nil {
		t.Errorf("it has sent a statement since, and is said to be %s", h.Doing())
	}
	close(stop)
	all.Wait()
}
