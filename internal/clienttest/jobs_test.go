package clienttest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pghold/pghold"
)

type job struct {
	name string // one of a few, such as send-invoices
	run  func(context.Context) error
}

// recipe: jobs
// work runs jobs until there are no more. Several goroutines may do so.
func work(ctx context.Context, jobs <-chan job) {
	for j := range jobs {
		var err error
		pghold.Do(ctx, "job "+j.name, func(ctx context.Context) { err = j.run(ctx) })
		if err != nil {
			slog.Error("a job has failed", "job", j.name, "error", err)
		}
	}
}

// end

func TestJobs(t *testing.T) {
	log := make(lines, 10)
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	r := pghold.NewRecorder(pghold.Config{StuckAfter: 1})
	pool := r.Pool("main")
	holding, called := make(chan bool), make(chan bool)
	jobs := make(chan job)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() { work(t.Context(), jobs) })
	}
	jobs <- job{"send-invoices", func(ctx context.Context) error {
		defer pool.Checkout(ctx).Release()
		sendMail(ctx)
		return nil
	}}
	jobs <- job{"remind", func(ctx context.Context) error {
		pool.Checkout(ctx).Release()
		sendMail(ctx)
		return errors.New("mailbox full")
	}}
	// Another's call is not in the hold of this one, which lasts as long.
	jobs <- job{"sum-up", func(ctx context.Context) error {
		defer pool.Checkout(ctx).Release()
		holding <- true
		<-called
		if open := r.OpenHolds(); len(open) != 1 || open[0].Route != "job sum-up" || open[0].Stack == nil {
			t.Errorf("the open holds are %+v, want that of the job, with its stack", open)
		}
		return nil
	}}
	jobs <- job{"greet", func(ctx context.Context) error {
		<-holding
		sendMail(ctx)
		called <- true
		return nil
	}}
	close(jobs)
	workers.Wait()

	for route, want := range map[string][]string{"job send-invoices": {"smtp in sendMail"}, "job remind": nil, "job sum-up": nil} {
		if holds, got := slowCallsIn(r, route); holds != 1 || !slices.Equal(got, want) {
			t.Errorf("%s has %d holds with the slow calls %q, want 1 with %q", route, holds, got, want)
		}
		if errors := holdtestErrors(t, r, route); len(errors) != len(want) {
			t.Errorf("holdtest says %q of %s, want an error for each of %q", errors, route, want)
		}
	}
	close(log)
	if line := <-log; len(log) != 0 || !strings.Contains(line, `job=remind error="mailbox full"`) {
		t.Errorf("logged %q and %d lines more, want the job that failed", line, len(log))
	}
}

// sendMail stands for whatever a job waits for that is not HTTP.
func sendMail(ctx context.Context) {
	call := pghold.StartSlowCall(ctx, "smtp")
	defer call.End()
}
