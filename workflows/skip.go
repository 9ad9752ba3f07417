package workflows

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
)

// ErrSkip is returned by an operator whose task is to be skipped instead of failed.
var ErrSkip = errors.New("skip")

// skip does what a task that has succeeded says about those that come after it. A branch skips children; what comes after those is
// decided by their trigger rules. A short circuit skips all that comes after the task, whatever the rules say. Tasks that have started
// already, as a rule let them, go on.
func (r *dagRun) skip(ctx workflow.Context, s *run.Task) {
	skipped, why := dag.Tasks(s.SkipChildren), "not on the branch that "+s.ID+" took"
	if s.SkipRest {
		skipped, why = r.dag.Below(s.ID), s.ID+" ended the rest of the run"
	}
	for _, other := range r.tasks {
		if other.State == run.None && slices.Contains(skipped, other.ID) {
			r.final(ctx, other, run.Skipped, why)
		}
	}
}
