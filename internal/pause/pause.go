// Package pause waits until a time has passed or a context is done.
package pause

import (
	"context"
	"time"
)

// For waits for d, or returns the context's cause as soon as ctx is done. It does not wait if d is
// zero or negative.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
