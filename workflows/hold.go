package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// hold waits for an operator's decision about a failed task, and returns it as unlessDecided does.
// It returns the cause unchanged if the task does not hold.
func (r *dagRun) hold(ctx workflow.Context, s *run.Task, cause error, holds bool) error {
	if !holds {
		return cause
	}
	r.set(ctx, s, run.Held, failure.Reason(cause))
	r.upsertState(ctx, run.Held)
	err := r.unlessDecided(ctx, s, func(ctx workflow.Context) error {
		ctx.Done().Receive(ctx, nil)
		return ctx.Err()
	})
	if ctx.Err() == nil {
		s.State = run.Running // decided, so that the run is not held any more
		r.upsertState(ctx, r.state())
	}
	return err
}

// upsertState makes held runs searchable.
func (r *dagRun) upsertState(ctx workflow.Context, state run.State) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, search.State.ValueSet(string(state))); err != nil {
		workflow.GetLogger(ctx).Warn("The state of the run was not made searchable", "state", state, "error", err)
	}
}
