package service

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// The user is told every 10 s what is being waited for, also while there is no answer.
func TestAwait_TellsWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		asked := 0
		err := await(t.Context(), func(context.Context) error {
			switch asked++; asked {
			case 1:
				time.Sleep(11 * time.Second)
				return errors.New("refused")
			case 2:
				time.Sleep(10 * time.Second)
				return errors.New("refused again")
			}
			return nil
		}, func(waited time.Duration, last error) { told = append(told, waited.String()+": "+last.Error()) })
		if want := []string{"10s: it has not answered", "20s: refused"}; err != nil || asked != 3 || !slices.Equal(told, want) {
			t.Errorf("got %v after asking %d times, and was told %q; want %q", err, asked, told, want)
		}
	})
}

// What comes when the time is over is no answer.
func TestAwait_TheLastAnswerBeforeTheEnd(t *testing.T) {
	for _, afterwards := range []error{nil, context.Canceled} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			asked := 0
			err := await(ctx, func(ctx context.Context) error {
				if asked++; asked == 1 {
					return errors.New("refused")
				}
				<-ctx.Done()
				return afterwards
			}, func(time.Duration, error) {})
			if err == nil || err.Error() != "refused" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAddress(t *testing.T) {
	for from, want := range map[string]string{
		"http://127.0.0.1:8080/health": "127.0.0.1:8080",
		"http://localhost/":            "localhost:http",
		"https://[::1]":                "[::1]:https",
	} {
		u, err := url.Parse(from)
		if err != nil || address(u) != want {
			t.Errorf("%s leads to %s (%v), want %s", from, address(u), err, want)
		}
	}
}
