// Package pause waits, for no longer than somebody is interested.
package pause

import (
	"context"
	"time"
)

// For waits for d, or returns the context's cause as soon as ctx is done. Nothing or less than nothing is no wait.
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
