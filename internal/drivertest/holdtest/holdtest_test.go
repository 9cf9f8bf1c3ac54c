package holdtest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdtest"
	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/pgxhold"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// told is a test that is failed, and goes on.
type told struct {
	testing.TB
	errors []string
}

func (t *told) Helper()           {}
func (t *told) Error(args ...any) { t.errors = append(t.errors, fmt.Sprint(args...)) }
func (t *told) Errorf(format string, a ...any) {
	t.errors = append(t.errors, fmt.Sprintf(format, a...))
}

const slow = "POST 127.0.0.1:4711/charges"

// The test's own transaction, which is rolled back at the end, does not count; what
// a handler does with a connection of its own beside it does.
func TestFail_NotTheTestsOwnTransaction(t *testing.T) {
	cfg, err := pgxpool.ParseConfig(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	r := pghold.NewRecorder(pghold.Config{})
	if err := pgxhold.Install(cfg, r, "main"); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	handler := func(db interface {
		Begin(ctx context.Context) (pgx.Tx, error)
	}) {
		ctx := pghold.WithRoute(t.Context(), "GET /")
		tx, err := db.Begin(ctx) // a savepoint, or a connection
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(ctx)
		defer pghold.StartSlowCall(ctx, slow).End()
		time.Sleep(3 * time.Millisecond)
	}
	rules := holdtest.Rules{MaxGap: time.Millisecond}
	handler(tx)
	looked := &told{TB: t}
	holdtest.Fail(looked, r, rules)
	if len(looked.errors) != 0 {
		t.Errorf("with the transaction open: %q", looked.errors)
	}
	handler(pool)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	looked = &told{TB: t}
	holdtest.Fail(looked, r, rules)
	// A gap of the handler's around its call is as long as the server takes.
	calls := 0
	for _, e := range looked.errors {
		if !strings.HasPrefix(e, "GET / holds a connection of main") {
			t.Errorf("got %q, want the handler's hold only", e)
		}
		if strings.Contains(e, slow) && strings.Contains(e, ": once, for ") {
			calls++
		}
	}
	if calls != 1 {
		t.Errorf("got %q, want the handler's slow call, once", looked.errors)
	}
}
