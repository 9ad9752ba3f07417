package activities

import (
	"context"
	"time"

	"github.com/pinflow/pinflow/internal/pause"
)

// clock tells the time and waits. The zero value is the real one; tests put theirs in its place.
type clock struct {
	time func() time.Time
	wait func(ctx context.Context, d time.Duration) error
}

func (c clock) now() time.Time {
	if c.time != nil {
		return c.time()
	}
	return time.Now()
}

// sleep waits, or returns the context's cause as soon as the context is done.
func (c clock) sleep(ctx context.Context, d time.Duration) error {
	if c.wait != nil {
		return c.wait(ctx, d)
	}
	return pause.For(ctx, d)
}
