package pause

import (
	"context"
	"time"
)

// clock tells the time and waits. The zero value is the real one; tests put theirs in its place.
type Clock struct {
	Time func() time.Time
	Wait func(ctx context.Context, d time.Duration) error
}

func (c Clock) Now() time.Time {
	if c.Time != nil {
		return c.Time()
	}
	return time.Now()
}

// sleep waits, or returns the context's cause as soon as the context is done.
func (c Clock) Sleep(ctx context.Context, d time.Duration) error {
	if c.Wait != nil {
		return c.Wait(ctx, d)
	}
	return For(ctx, d)
}
