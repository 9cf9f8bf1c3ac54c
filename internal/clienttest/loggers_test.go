package clienttest

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/pghold/pghold"
)

// lines are what a logger has written, each as JSON.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(bytes.TrimSpace(p))
	return len(p), nil
}

func (l lines) Sync() error { return nil }

func TestZap(t *testing.T) {
	testShortages(t, "msg", func(to lines) *pghold.Recorder {
		logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), to, zap.InfoLevel))
		// recipe: zap
		recorder := pghold.NewRecorder(pghold.Config{OnShortage: func(s pghold.Shortage) {
			logger.Warn("waiting for a database connection",
				zap.String("pool", s.Pool),
				zap.String("route", s.Route),
				zap.Float64("waited_s", s.Waited.Seconds()),
				zap.Int("waiting", s.Waiting),
				zap.Stringers("holders", s.Holders),
				zap.Error(s.Err)) // nothing where it is nil
		}})
		// end
		return recorder
	})
}

func TestZerolog(t *testing.T) {
	testShortages(t, "message", func(to lines) *pghold.Recorder {
		logger := zerolog.New(to)
		// recipe: zerolog
		recorder := pghold.NewRecorder(pghold.Config{
			OnShortage: pghold.LogShortage(slog.New(zerolog.NewSlogHandler(logger))),
		})
		// end
		return recorder
	})
}

// testShortages wants a caller who waits and one whose wait fails to be logged with all
// that is known of them, in virtual time.
func testShortages(t *testing.T, message string, recorder func(lines) *pghold.Recorder) {
	synctest.Test(t, func(t *testing.T) {
		logged := make(lines, 10)
		r := recorder(logged)
		ctx := pghold.WithRoute(t.Context(), "GET /waits")
		want := map[string]any{"level": "warn", message: "waiting for a database connection", "route": "GET /waits"}

		main := r.Pool("main")
		hold := main.Checkout(pghold.WithRoute(t.Context(), "GET /holds"))
		wait := main.Wait(ctx)
		waits := maps.Clone(want)
		waits["pool"], waits["waited_s"], waits["waiting"] = "main", 1.0, 1.0
		checkShortage(t, <-logged, waits, "1 of 1 held by GET /holds, loggers_test.go:")
		wait.Checkout().Release()
		hold.Release()

		r.Pool("other").Wait(ctx).Fail(context.DeadlineExceeded)
		fails := maps.Clone(want)
		fails["pool"], fails["waited_s"], fails["waiting"], fails["error"] = "other", 0.0, 0.0, context.DeadlineExceeded.Error()
		checkShortage(t, <-logged, fails, "")
		if len(logged) != 0 {
			t.Errorf("there is more in the log: %s", <-logged)
		}
	})
}

// checkShortage compares a line of a log, but for its time. holder is how the only holder
// begins, "" where there is none.
func checkShortage(t *testing.T, line string, want map[string]any, holder string) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	holders, ok := got["holders"].([]any)
	if text, is := got["holders"].(string); is { // LogShortage has them in one
		ok = true
		if text != "" {
			holders = []any{text}
		}
	}
	if !ok || holder == "" && len(holders) != 0 || holder != "" && (len(holders) != 1 || !strings.HasPrefix(holders[0].(string), holder)) {
		t.Errorf("the holders are %v, want one that begins with %q", got["holders"], holder)
	}
	for _, key := range []string{"holders", "ts", "time"} {
		delete(got, key)
	}
	if !maps.Equal(got, want) {
		t.Errorf("logged %v, want %v", got, want)
	}
}
