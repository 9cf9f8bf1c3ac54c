package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// step is what a long computation is at, for who waits for it. The zero step says
// nothing.
type step struct{ text atomic.Pointer[string] }

// is says what it is about and what is asked of it.
func (s *step) is(parts ...string) {
	text := strings.Join(parts, ": ")
	s.text.Store(&text)
}

func (s *step) line(waited time.Duration) string {
	text := "predicting"
	if at := s.text.Load(); at != nil {
		text += " " + *at
	}
	return fmt.Sprintf("%.0f s, %s", waited.Seconds(), text)
}

// patient is how long nobody asks what takes so long.
const patient = time.Second

// awaited returns what is sent on a channel. Where that takes longer than a second, and
// out is a terminal, a line there says what it is at; it is gone at the end.
func awaited[T any](ctx context.Context, ended <-chan T, out io.Writer, now *step) (T, error) {
	return awaitedOn(ctx, ended, raw(out), terminalWidth(out), now)
}

func awaitedOn[T any](ctx context.Context, ended <-chan T, out io.Writer, width int, now *step) (done T, _ error) {
	began, shown := time.Now(), &statusLine{out: out, width: width}
	defer shown.end()
	tick := time.NewTicker(patient / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return done, errInterrupted
		case done = <-ended:
			return done, nil
		case at := <-tick.C:
			if waited := at.Sub(began); waited >= patient {
				shown.show(now.line(waited))
			}
		}
	}
}
