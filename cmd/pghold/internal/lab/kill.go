package lab

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// How the app is killed: so many times, each time with so many updates under way,
// which begin one after the other within the time of one slow call.
const (
	kills          = 5
	updatesPerKill = 40
)

// kill lets the app make updates in a process of its own, kills that at random points,
// starts it again, gives it the time to finish what it had begun, and looks at what
// was paid and what was recorded.
func (e *environment) kill(ctx context.Context) (*experiment.Killed, error) {
	if err := e.db.emptyAccounts(ctx, e.c.Settings.Accounts); err != nil {
		return nil, err
	}
	e.upstream.Reset()
	k := &experiment.Killed{Kills: kills}
	for range kills {
		begun, err := e.killOnce(ctx, k.Begun)
		if err != nil {
			return nil, err
		}
		k.Begun += begun
	}
	if e.c.Route.AnswersEarly() {
		c, err := e.startChild(ctx, k.Begun)
		if err != nil {
			return nil, err
		}
		err = e.db.drainOutbox(ctx)
		c.kill()
		if err != nil {
			return nil, err
		}
	}
	if err := e.allPaid(ctx); err != nil {
		return nil, err
	}

	recorded, sum, err := e.db.countUpdates(ctx)
	if err != nil {
		return nil, err
	}
	ledger := e.upstream.Ledger()
	k.Recorded, k.Lost = len(recorded), len(recorded)-sum
	k.Calls, k.CallsAgain = ledger.TotalCalls, ledger.TotalCalls-len(ledger.Calls)
	for op, charges := range ledger.Charges {
		if !recorded[op] {
			k.PaidNotRecorded++
		}
		if charges > 1 {
			k.PaidTwice++
		}
	}
	return k, nil
}

// killOnce starts the app, begins updates, and kills it between a quarter of a slow
// call and two of them later. It returns how many updates were begun, after so many by
// the apps before it.
func (e *environment) killOnce(ctx context.Context, before int) (int, error) {
	c, err := e.startChild(ctx, before)
	if err != nil {
		return 0, err
	}
	slow := e.c.Settings.Compressed().Slow
	sending, stop := context.WithCancel(ctx)
	defer stop()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var begun atomic.Int64
	var updates sync.WaitGroup
	for i := range updatesPerKill {
		updates.Go(func() {
			if sleep(sending, slow*time.Duration(i)/updatesPerKill) != nil {
				return
			}
			req, err := http.NewRequestWithContext(sending, e.c.Route.Method(), c.url+e.c.Route.Path(), nil)
			if err != nil {
				return
			}
			begun.Add(1)
			if res, err := client.Do(req); err == nil {
				res.Body.Close()
			}
		})
	}
	err = sleep(ctx, slow/4+time.Duration(rand.Int64N(int64(slow*7/4)+1)))
	c.kill()
	stop()
	updates.Wait()
	return int(begun.Load()), err
}

// allPaid waits until the provider has booked whatever it was asked to: it does so
// although its client is dead.
func (e *environment) allPaid(ctx context.Context) error {
	tick := time.NewTicker(minSamplePeriod)
	defer tick.Stop()
	limit := time.NewTimer(4*e.c.Settings.Compressed().Slow + time.Second)
	defer limit.Stop()
	for {
		ledger := e.upstream.Ledger()
		if ledger.Unbooked == 0 && e.upstream.Pending() == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return errors.New("the provider has not booked all that it was asked to")
		}
	}
}
