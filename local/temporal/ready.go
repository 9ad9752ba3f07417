package temporal

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/primitives"
)

// WaitSchedules returns when the server can answer about the namespace's schedules. They are workflows that a worker inside the server runs,
// which comes up some moments after the frontend. A question that is asked before waits in vain, and until its caller's patience ends.
func WaitSchedules(ctx context.Context, address, namespace string) error {
	c, err := client.NewLazyClient(client.Options{HostPort: address, Namespace: namespace})
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		asking, done := context.WithTimeout(ctx, time.Second)
		queue, err := c.WorkflowService().DescribeTaskQueue(asking, &workflowservice.DescribeTaskQueueRequest{
			Namespace:     namespace,
			TaskQueue:     &taskqueuepb.TaskQueue{Name: primitives.PerNSWorkerTaskQueue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
			TaskQueueType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		})
		done()
		if err == nil && len(queue.GetPollers()) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server's own worker for namespace %s does not come up: %w", namespace, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
