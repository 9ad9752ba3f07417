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

// WaitSchedules returns when the server can describe the namespace's Schedules. They are workflows
// of a worker inside the server, which starts some moments after the frontend; earlier requests
// would hang until their timeout.
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
			return fmt.Errorf("the server's own worker for namespace %s did not start: %w", namespace, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
