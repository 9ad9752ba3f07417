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
)

// errPastFailed says that the task cannot run, because that of the date before has failed.
var errPastFailed = errors.New("past failed")

// awaitPast waits until the same task of the date before has succeeded or was skipped, if the task demands it. The waiting is one
// activity that Temporal tries again and again: it costs no events and holds neither a worker nor a slot of a pool, so that dates that
// wait for each other cannot stop each other.
//
// A run of a backfill does not wait for a task that has failed: the backfill would never end. A scheduled or manual run waits until
// somebody has repaired the date before.
func (r *dagRun) awaitPast(ctx workflow.Context, t dag.Task, s *run.Task) error {
	if !t.DependsOnPast || r.in.IgnorePast {
		return nil
	}
	in := activities.CheckPastInput{
		DAG: r.in.DAG, Date: r.in.Date.Add(-1), WorkflowID: run.WorkflowID(r.in.DAG, r.in.Date.Add(-1)), Task: t.ID,
		BackfillStart: r.in.BackfillStart, FailedIsFinal: r.in.Trigger == run.Backfill,
	}
	r.wait(ctx, s, fmt.Sprintf("%s of %s", t.ID, in.Date))
	summary := fmt.Sprintf("%s: wait for %s of %s", t.ID, t.ID, in.Date)
	err := workflow.ExecuteActivity(withPolicy(ctx, pastPolicy, summary), checkPast, in).Get(ctx, nil)
	var failure1 *temporal.ApplicationError
	if errors.As(err, &failure1) && failure1.Type() == failure.PastFailed {
		return fmt.Errorf("%w: %s", errPastFailed, failure1.Message())
	}
	return err
}
