package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

// errPastFailed is the error of a task that cannot run because it failed for the date before.
var errPastFailed = errors.New("past failed")

// awaitPast waits until the task has succeeded, or was skipped, for the date before, if it depends
// on the past. The wait is one activity that Temporal retries. It adds no events to the history and
// holds neither a worker nor a slot, so that dates that wait for each other cannot deadlock.
//
// A run of a backfill does not wait for a failed task, because the backfill would never end. A
// scheduled or manual run waits until an operator has repaired the date before.
func (r *dagRun) awaitPast(ctx workflow.Context, t dag.Task, s *run.Task) error {
	if !t.DependsOnPast || r.in.IgnorePast {
		return nil
	}
	in := activities.CheckPastInput{
		DAG: r.in.DAG, Date: r.in.Date.Add(-1), WorkflowID: deployment(ctx).WorkflowID(r.in.DAG, r.in.Date.Add(-1)), Task: t.ID,
		BackfillStart: r.in.BackfillStart, FailedIsFinal: r.in.Trigger == run.Backfill,
	}
	r.wait(ctx, s, fmt.Sprintf("%s of %s", t.ID, in.Date))
	summary := fmt.Sprintf("%s: wait for %s of %s", t.ID, t.ID, in.Date)
	err := workflow.ExecuteActivity(steps.WithPolicy(ctx, steps.PastPolicy, summary), steps.CheckPast, in).Get(ctx, nil)
	var typed *temporal.ApplicationError
	if errors.As(err, &typed) && typed.Type() == failure.PastFailed {
		return fmt.Errorf("%w: %s", errPastFailed, typed.Message())
	}
	return err
}
