package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"
)

// ErrSkip is returned by an operator whose task is to be skipped instead of failed.
var ErrSkip = errors.New("skip")

// checkSkips refuses a branch to what is no direct child of the task.
func (d DAG) checkSkips(task string, out Outcome) error {
	var children Tasks
	for _, t := range d {
		if slices.Contains(t.After, task) {
			children = append(children, t.ID)
		}
	}
	for _, id := range out.SkipChildren {
		if !slices.Contains(children, id) {
			return fmt.Errorf("task %s skips %q, which is none of its children: they are %s", task, id, strings.Join(children, ", "))
		}
	}
	return nil
}

// skip does what a task that has succeeded says about those that come after it. A branch skips children; what comes after those is
// decided by their trigger rules. A short circuit skips all that comes after the task, whatever the rules say. Tasks that have started
// already, as a rule let them, go on.
func (r *run) skip(ctx workflow.Context, s *TaskStatus) {
	skipped, why := Tasks(s.SkipChildren), "not on the branch that "+s.ID+" took"
	if s.SkipRest {
		skipped, why = r.dag.below(s.ID), s.ID+" ended the rest of the run"
	}
	for _, other := range r.tasks {
		if other.State == None && slices.Contains(skipped, other.ID) {
			r.final(ctx, other, Skipped, why)
		}
	}
}
