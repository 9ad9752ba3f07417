package pause

import (
	"context"
	"time"
)

// Clock is the time. The zero value is the real time; tests replace it.
type Clock struct {
	// Time returns the time; time.Now by default.
	Time func() time.Time
	// Wait waits; For by default.
	Wait func(ctx context.Context, d time.Duration) error
}

// Now returns the time.
func (c Clock) Now() time.Time {
	if c.Time != nil {
		return c.Time()
	}
	return time.Now()
}

// Sleep waits for d, or returns the context's cause as soon as ctx is done.
func (c Clock) Sleep(ctx context.Context, d time.Duration) error {
	if c.Wait != nil {
		return c.Wait(ctx, d)
	}
	return For(ctx, d)
}
