package pghold_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

// What took most of the time is named, though something short comes after it; and a stack
// that is older than the call that is under way says nothing of it.
func TestHold_DoingNamesWhatTookLong(t *testing.T) { synctest.Test(t, holdDoingNamesWhatTookLong) }

func holdDoingNamesWhatTookLong(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	pghold.Do(t.Context(), "GET /oauth", func(ctx context.Context) {
		defer r.Pool("main").Checkout(ctx).Release()
		long := pghold.StartSlowCall(ctx, "POST provider/token")
		time.Sleep(2 * time.Second)
		r.OpenHolds() // has a stack of the long one
		long.End()
		time.Sleep(time.Millisecond)
		short := pghold.StartSlowCall(ctx, "GET provider/profile")
		defer short.End()
		time.Sleep(30 * time.Millisecond)
		h := r.Pool("main").Holders()[0]
		if want := "in GET provider/profile at doing_test.go:"; !strings.HasPrefix(h.Doing, want) || !strings.HasSuffix(h.Doing, ", after POST provider/token for 2.0 s") {
			t.Errorf("it is said to be %q, want %q and what took 2 s before", h.Doing, want)
		}
	})
}

// LogShortage(nil) is heard where a service has discarded the log package's output.
func TestLogShortage_WhereTheLogIsDiscarded(t *testing.T) {
	said := func() string {
		stderr := os.Stderr
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		os.Stderr = w
		pghold.LogShortage(nil)(pghold.Shortage{Pool: "main"})
		os.Stderr = stderr
		w.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	if got := said(); !strings.Contains(got, "waiting for a database connection") {
		t.Errorf("standard error has %q", got)
	}
	var b bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&b, nil)))
	defer slog.SetDefault(before)
	log.SetOutput(io.Discard)
	if got := said(); got != "" || !strings.Contains(b.String(), "waiting for a database connection") {
		t.Errorf("slog has a handler of its own, which says %q, and standard error has %q", b.String(), got)
	}
}
