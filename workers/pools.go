package main

import (
	"context"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
)

const (
	// poolsInterval is how often a worker makes sure that the Pools workflow is running: the longest
	// time for which runs wait if it is terminated.
	poolsInterval = time.Minute
	// poolsTimeout limits one attempt. The next one follows.
	poolsTimeout = 10 * time.Second
)

// starter is the part of Temporal's client that starts workflows.
type starter interface {
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
}

// poolsKeeper starts the Pools workflow if it is not running. Requests would start it, too, but a
// run that waits for an answer sends none. Every worker does it: a start is one request, and
// changes nothing if the workflow is running.
type poolsKeeper struct {
	temporal   starter
	deployment run.Deployment
	log        *slog.Logger
}

// start keeps the workflow until the context ends. The function that it returns waits for the end
// of the last attempt.
func (k *poolsKeeper) start(ctx context.Context) (await func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		every := time.NewTicker(poolsInterval)
		defer every.Stop()
		for {
			k.keep(ctx)
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
		}
	}()
	return func() { <-ended }
}

func (k *poolsKeeper) keep(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, poolsTimeout)
	defer cancel()
	options := launch.PoolsOptions(k.deployment)
	if _, err := k.temporal.ExecuteWorkflow(limited, options, run.PoolsWorkflow, run.PoolsState{}); err != nil && ctx.Err() == nil {
		k.log.Warn("cannot start the Pools workflow, on which tasks with a pool wait; retrying", "workflow", options.ID, "error", err)
	}
}
