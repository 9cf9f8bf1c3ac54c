package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAwaited_SaysWhatTakesLongerThanASecond(t *testing.T) {
	for _, c := range []struct {
		name  string
		takes time.Duration
		width int
		want  string // "" where nothing may be shown
	}{
		{"soon done", 900 * time.Millisecond, 80, ""},
		{"no terminal", 5 * time.Second, 0, ""},
		{"long", 5 * time.Second, 80, "4 s, predicting chat: how many connections"},
		{"narrow", 5 * time.Second, 12, "4 s, predic\r"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				var now step
				ended := make(chan int, 1)
				go func() {
					now.is("chat", "how many connections")
					time.Sleep(c.takes)
					ended <- 42
				}()
				got, err := awaitedOn(t.Context(), ended, &out, c.width, &now)
				if got != 42 || err != nil {
					t.Errorf("got %d, %v", got, err)
				}
				if c.want == "" && out.Len() > 0 || !strings.Contains(out.String(), c.want) {
					t.Errorf("shown: %q, want %q", out.String(), c.want)
				}
				if out.Len() > 0 && !strings.HasSuffix(out.String(), "\r\x1b[K") {
					t.Errorf("the line is not gone at the end: %q", out.String())
				}
			})
		})
	}
}

func TestAwaited_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var now step
	if _, err := awaitedOn(ctx, make(chan int), new(strings.Builder), 80, &now); !errors.Is(err, errInterrupted) {
		t.Errorf("got %v", err)
	}
}
