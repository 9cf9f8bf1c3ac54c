package pghold

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/pghold/pghold/internal/callsite"
)

// strays are slow calls that were made in goroutines of Do, but without its context, so that
// no hold knows of them: of the whole program, for they belong to no recorder.
var strays strayCalls

type strayCalls struct {
	attributed atomic.Bool // a call was made with a context
	seen       atomic.Int64
}

// enoughStrays is how many there have to be, and none with a context, for a hint. Then it is
// looked for no more.
const enoughStrays = 16

// see counts a slow call whose context has no scope. That is right where it is a part of
// another call, and where no handler makes it.
func (s *strayCalls) see(ctx context.Context) {
	if s.attributed.Load() || s.seen.Load() >= enoughStrays || doing.Load() == 0 || ctx.Value(scopeKey{}) != nil {
		return
	}
	var pcs [128]uintptr
	if callsite.Within(pcs[:runtime.Callers(3, pcs[:])], doFrame) { // above StartSlowCall
		s.seen.Add(1)
	}
}

// tellStrays tells once that slow calls are not known by the holds they are made in.
func (r *Recorder) tellStrays() {
	if n := strays.seen.Load(); n >= enoughStrays && !strays.attributed.Load() {
		go r.tell("calls", fmt.Sprintf("none of %d client calls that handlers made had the context of a request, so that no hold knows of them: pass r.Context() on, as to http.NewRequestWithContext. "+
			"https://github.com/pghold/pghold/blob/main/docs/holds.md#where-no-context-is-passed-on says what is known without.", n))
	}
}
