package control

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// Decide decides whether a date runs, as a backfill would.
func (c *Controller) Decide(ctx context.Context, date dates.Date, reprocess run.Reprocess) (ledger.Decision, error) {
	if reprocess == run.ReprocessAll { // whatever the ledger has
		return ledger.Decide(date, nil, reprocess), nil
	}
	entry, err := c.Entry(ctx, date)
	if err != nil {
		return ledger.Decision{}, err
	}
	return ledger.Decide(date, entry, reprocess), nil
}

// StartRun starts the run of a date. If the date is running, it joins that run if join is set and
// the run cannot differ from the one asked for; otherwise that is an error.
func (c *Controller) StartRun(ctx context.Context, conn *temporal.Connection, options client.StartWorkflowOptions, in run.Input, join bool) (client.WorkflowRun, error) {
	started, err := conn.ExecuteWorkflow(ctx, options, run.RunWorkflow, in)
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case err == nil:
		return started, nil
	case !errors.As(err, &running):
		return nil, conn.Classify(err)
	case !join || len(in.Params) > 0 || len(in.RerunTasks) > 0:
		return nil, fmt.Errorf("%s is already running, or has just ended, and a date has one run at a time: follow it with `%s`\n%s",
			in.Date, c.Command(fmt.Sprintf("status %s --watch", in.Date)), c.UILink(conn, c.Settings.Deployment.WorkflowID(in.DAG, in.Date), running.RunId))
	}
	c.Log("%s is already running: waiting for that run.", in.Date)
	return conn.GetWorkflow(ctx, c.Settings.Deployment.WorkflowID(in.DAG, in.Date), running.RunId), nil
}
