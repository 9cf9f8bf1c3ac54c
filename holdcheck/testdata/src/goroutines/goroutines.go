// Package goroutines has slow calls in goroutines, and waits for them.
package goroutines

import (
	"context"
	"database/sql"
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"
)

const u = "https://example.com/"

func fetch() error {
	_, err := http.Get(u)
	return err
}

func okNotJoined(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	go fetch()
	go func() {
		http.Post(u, "text/plain", nil)
	}()
	return tx.Commit()
}

func joinedByChannel(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	done := make(chan error, 1)
	go func() { done <- fetch() }()
	if err := <-done; err != nil { // want "(medium blocked|high http)"
		return err
	}
	return tx.Commit()
}

func okJoinedAfterCommit(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	done := make(chan error, 1)
	go func() { done <- fetch() }()
	if err := tx.Commit(); err != nil {
		return err
	}
	return <-done
}

func joinedByWaitGroup(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			fetch()
		}()
	}
	wg.Wait() // want "(medium blocked|high http)"
	return tx.Commit()
}

func okWaitGroupBefore(db *sql.DB) error {
	var wg sync.WaitGroup
	wg.Go(func() { fetch() })
	wg.Wait()
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	return tx.Commit()
}

func joinedByWaitGroupGo(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var wg sync.WaitGroup
	wg.Go(func() { fetch() })
	wg.Wait() // want "(medium blocked|high http)"
	return tx.Commit()
}

func okWaitGroupNotAwaited(db *sql.DB, wg *sync.WaitGroup) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	wg.Go(func() { fetch() })
	return tx.Commit()
}

func joinedByGroup(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	g, _ := errgroup.WithContext(ctx)
	g.Go(fetch)
	g.Go(fetch)
	if err := g.Wait(); err != nil { // want "(medium blocked|high http)"
		return err
	}
	return tx.Commit()
}

func okGroupAfterCommit(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	g, _ := errgroup.WithContext(ctx)
	g.Go(fetch)
	if err := tx.Commit(); err != nil {
		return err
	}
	return g.Wait()
}

// both asks two at once and waits for them.
func both() error {
	first, second := make(chan error), make(chan error)
	go func() { first <- fetch() }()
	go func() { second <- fetch() }()
	if err := <-first; err != nil {
		return err
	}
	return <-second
}

func joinedInCallee(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := both(); err != nil { // want "(medium blocked|high http)"
		return err
	}
	return tx.Commit()
}

// start starts and does not wait.
func start() <-chan error {
	done := make(chan error, 1)
	go func() { done <- fetch() }()
	return done
}

func okStartedInCallee(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	done := start()
	if err := tx.Commit(); err != nil {
		return err
	}
	return <-done
}

func insideGoroutine(db *sql.DB) {
	go func() {
		tx, err := db.Begin()
		if err != nil {
			return
		}
		defer tx.Rollback()
		fetch() // want "high http"
		tx.Commit()
	}()
}

func okInsideGoroutine(db *sql.DB) {
	go func() {
		tx, err := db.Begin()
		if err != nil {
			return
		}
		tx.Commit()
		fetch()
	}()
}

func handedToGoroutine(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	go work(tx)
	return nil
}

// work owns the transaction that it is handed.
func work(tx *sql.Tx) {
	tx.Exec("delete from a")
	tx.Commit()
}

func sendBlocks(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	out := make(chan string)
	go func() {
		for range out {
			fetch()
		}
	}()
	out <- "a" // want "medium blocked"
	return tx.Commit()
}

// queue has room for what is waiting.
type queue struct{ jobs chan string }

func newQueue() *queue { return &queue{make(chan string, 100)} }

func (q *queue) work() {
	for range q.jobs {
		fetch()
	}
}

func okEnqueue(db *sql.DB, q *queue) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	q.jobs <- "a"
	return tx.Commit()
}

func okSelectDefault(db *sql.DB, out chan string, done <-chan struct{}) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	select {
	case out <- "a":
	case <-done:
		return nil
	default:
	}
	return tx.Commit()
}

func selectBlocks(ctx context.Context, db *sql.DB, answers <-chan string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	select { // want "medium blocked"
	case <-answers:
	case <-ctx.Done():
		return ctx.Err()
	}
	return tx.Commit()
}

func okSelectAround(ctx context.Context, db *sql.DB, ticks <-chan string) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case name := <-ticks:
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "insert", name); err != nil {
				tx.Rollback()
				return err
			}
			if err := tx.Commit(); err != nil {
				return err
			}
		}
	}
}

func rangeBlocks(db *sql.DB, names <-chan string) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for name := range names { // want "medium blocked"
		tx.Exec("insert", name)
	}
	return tx.Commit()
}

func okRangeAround(db *sql.DB, names <-chan string) error {
	for name := range names {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		tx.Exec("insert", name)
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func condBlocks(db *sql.DB, c *sync.Cond) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	c.Wait() // want "medium blocked"
	return tx.Commit()
}

func okCondSignals(db *sql.DB, c *sync.Cond, wg *sync.WaitGroup) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	wg.Done()
	c.Broadcast()
	return tx.Commit()
}

func joinedInClosure(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	results := make(chan error)
	for range 2 {
		go func() {
			select {
			case results <- fetch():
			case <-ctx.Done():
			}
		}()
	}
	for range 2 {
		if err := <-results; err != nil { // want "(medium blocked|high http)"
			return err
		}
	}
	return tx.Commit()
}

// pool waits for its workers in a method.
type pool struct{ wg sync.WaitGroup }

func (p *pool) start(n int) {
	for range n {
		p.wg.Add(1)
		go func() {
			defer p.wg.Done()
			fetch()
		}()
	}
}

func (p *pool) stop() { p.wg.Wait() }

func joinedInMethod(db *sql.DB, p *pool) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	p.start(3)
	p.stop() // want "(medium blocked|high http)"
	return tx.Commit()
}
