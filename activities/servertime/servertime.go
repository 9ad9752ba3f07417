// Package servertime is the time of the Temporal server, within an attempt of an activity.
//
// Schedules fire, and workflows decide, by the server's clock. A worker whose own clock is behind
// it would take a date for unfinished whose scheduled run has started, and one whose clock is ahead
// would end a date early. Activities therefore compare dates with this clock.
package servertime

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/pinflow/pinflow/internal/pause"
)

// heartbeatEvery is the time between two heartbeats of a wait.
const heartbeatEvery = 5 * time.Second

// Clock is the server's time. It is behind by as long as the task took to reach the worker, so that
// a date that is over by this clock is over by the server's, too.
type Clock struct {
	local          pause.Clock
	started, began time.Time // the start of the attempt, by the server's clock and by the worker's
}

// Of returns the clock of an attempt of an activity that Temporal's server has started: not of a
// local activity. Call it first, because the time until then is lost. local is the worker's clock,
// of which only differences count.
func Of(ctx context.Context, local pause.Clock) Clock {
	return Clock{local: local, started: activity.GetInfo(ctx).StartedTime, began: local.Now()}
}

// Now returns the server's time, in UTC.
func (c Clock) Now() time.Time { return c.started.Add(c.local.Now().Sub(c.began)).UTC() }

// WaitUntil waits until a time of the server, and heartbeats with what it waits for. It returns the
// context's cause as soon as ctx is done.
func (c Clock) WaitUntil(ctx context.Context, moment time.Time, what string) error {
	for left := moment.Sub(c.Now()); left > 0; left = moment.Sub(c.Now()) {
		activity.RecordHeartbeat(ctx, fmt.Sprintf("waiting for %s", what))
		if err := c.local.Sleep(ctx, min(left, heartbeatEvery)); err != nil {
			return err
		}
	}
	return nil
}
