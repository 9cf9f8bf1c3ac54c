//go:build !linux

package lab

import (
	"context"
	"time"
)

// sleepExactly is sleep where the kernel has no timers to wait for.
func sleepExactly(ctx context.Context, d time.Duration) error { return sleep(ctx, d) }
