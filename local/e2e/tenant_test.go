package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/primitives"
	"google.golang.org/protobuf/types/known/durationpb"
)

// shared is the stack of all tests that leave their stack alone. The first of them starts it,
// TestMain stops it.
var shared sharedStack

type sharedStack struct {
	data    string // its directory
	once    sync.Once
	stack   *process
	env     []string
	err     error
	tenants atomic.Int64
}

// start starts the stack, if that has not been done.
func (s *sharedStack) start() error {
	s.once.Do(func() {
		var offset string
		if offset, s.err = offsets.take(); s.err != nil {
			return
		}
		if s.stack, s.env, s.err = launchStack(s.data, offset); s.err != nil {
			return
		}
		// The AWS SDK finds its settings in the environment only. They are the same for all
		// tenants, so that the tests' own clients can have them beside each other, which t.Setenv
		// would not allow.
		for _, pair := range s.env {
			if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") {
				s.err = errors.Join(s.err, os.Setenv(name, value))
			}
		}
	})
	return s.err
}

// stop ends the stack, if it was started.
func (s *sharedStack) stop() error {
	if s.stack != nil && !s.stack.stop() {
		return fmt.Errorf("the shared stack did not end after SIGTERM\n%s", tail(s.stack.output.String()))
	}
	return nil
}

// startTenant gives the test a system of its own on the shared stack, in which it meets no other
// test: a deployment with a namespace, topics, a bucket, a worker and a gateway. The workspace is
// shared: a deployment has a schema and notebooks of its own, and leaves the runs of others alone.
func startTenant(t *testing.T, settings ...string) *system {
	t.Helper()
	s := startBareTenant(t, settings...)
	s.startPrograms()
	return s
}

// startBareTenant starts a tenant without its setup, worker and gateway.
func startBareTenant(t *testing.T, settings ...string) *system {
	t.Helper()
	require.NoError(t, shared.start())
	s := newSystem(t)
	s.stack = shared.stack
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the shared stack said:\n%s", tail(s.stack.output.String()))
		}
	})
	name := fmt.Sprintf("tenant-%d", shared.tenants.Add(1))
	at := func(base int) string { return "127.0.0.1:" + port(t, base, s.offset) }
	s.env = append(append([]string{}, shared.env...),
		"PINFLOW_DEPLOYMENT="+name, "TEMPORAL_NAMESPACE="+name, "PINFLOW_USER_ID="+name, "PINFLOW_POSTS_TOPIC="+name+".posts", "PINFLOW_BUCKET="+name,
		"PINFLOW_WORKER_ADDRESS="+at(9464),
		"PINFLOW_GATEWAY_ADDRESS="+at(8082), "PINFLOW_GATEWAY_URL=http://"+at(8082))
	s.env = append(s.env, settings...)
	require.NoError(t, makeNamespace(t.Context(), s.setting("TEMPORAL_ADDRESS"), name))
	return s
}

// makeNamespace registers a namespace and returns when the server's own worker is at work in it:
// what is asked about Schedules before waits in vain.
func makeNamespace(ctx context.Context, address, name string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := client.NewLazyClient(client.Options{HostPort: address, Namespace: name})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		return fmt.Errorf("register namespace %s: %w", name, err)
	}
	for {
		queue, err := c.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
			Namespace:     name,
			TaskQueue:     &taskqueuepb.TaskQueue{Name: primitives.PerNSWorkerTaskQueue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
			TaskQueueType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		})
		if err == nil && len(queue.GetPollers()) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server's own worker for namespace %s does not come up: %w", name, errors.Join(ctx.Err(), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
