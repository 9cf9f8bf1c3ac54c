package pghold_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/pghold/pghold"
)

func TestWait_Fail(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	p := r.Pool("main")
	for _, err := range []error{
		context.DeadlineExceeded, fmt.Errorf("wrapped: %w", context.DeadlineExceeded),
		context.Canceled, errors.New("refused"), nil,
	} {
		p.Wait(t.Context()).Fail(err)
	}
	if got := r.Snapshot().Pools[0]; got.Timeouts != 2 || got.Cancelled != 1 || got.Failures != 2 || got.Waiting != 0 || got.Checkouts != 0 {
		t.Errorf("got %+v, want 2 time-outs, 1 cancelled, 2 failures", got)
	}
}
