package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/starter/term"
)

// PollAge is how long ago a running worker may have polled: a poll lasts a minute at most, and the
// server forgets a poller after five.
const PollAge = 2 * time.Minute

// CheckWorker returns the workers that have polled the task queue recently, for workflows and for
// activities, or an error if there is none.
func (r *Reader) CheckWorker(ctx context.Context, conn *temporal.Connection) (string, error) {
	var names []string
	for _, kind := range []enumspb.TaskQueueType{enumspb.TASK_QUEUE_TYPE_WORKFLOW, enumspb.TASK_QUEUE_TYPE_ACTIVITY} {
		queue, err := conn.DescribeTaskQueue(ctx, r.Settings.Deployment.TaskQueue(), kind)
		if err != nil {
			return "", conn.Classify(err)
		}
		names = nil
		for _, poller := range queue.GetPollers() {
			if r.Now().Sub(poller.GetLastAccessTime().AsTime()) < PollAge {
				names = append(names, poller.GetIdentity())
			}
		}
		if len(names) == 0 {
			return "", fmt.Errorf("no worker polls task queue %s: start one with `bin/workers`; if one runs, look at its log", r.Settings.Deployment.TaskQueue())
		}
	}
	slices.Sort(names)
	return fmt.Sprintf("%s polls task queue %s", term.Join(slices.Compact(names)), r.Settings.Deployment.TaskQueue()), nil
}
