package landing

import (
	"cmp"
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// PlanHeartbeat is how often PlanLanding heartbeats. Its heartbeat timeout must be several times as
// long.
const PlanHeartbeat = 3 * time.Second

// heartbeat heartbeats until the caller stops it: whatever the activity waits for, its worker lives.
// The other timeouts limit how long that may take.
func (l *Activities) heartbeat(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(cmp.Or(l.beat, PlanHeartbeat))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return func() {
		cancel()
		<-stopped
	}
}
