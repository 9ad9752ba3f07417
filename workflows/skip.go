package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
)

// applySkips skips what the outcome of a successful task skips. Tasks that have already started, as
// some trigger rules allow, continue.
func (r *dagRun) applySkips(ctx workflow.Context, s *run.Task) {
	skipped, reason := r.skips(s)
	for _, other := range r.tasks {
		if other.State == run.None && slices.Contains(skipped, other.ID) {
			r.finish(ctx, other, run.Skipped, reason)
		}
	}
}

// skips returns what the outcome of a task skips, and why. A branch skips children of the task; the
// trigger rules decide about the tasks below them. A short circuit skips everything downstream,
// whatever the rules.
func (r *dagRun) skips(s *run.Task) (skipped dag.Tasks, reason string) {
	if s.SkipRest {
		return r.dag.Below(s.ID), s.ID + " ended the rest of the run"
	}
	return s.SkipChildren, "not on the branch that " + s.ID + " took"
}
