package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/run"
)

// decideAgain carries out a decision about a final task while the run is open. A retry clears the
// task and everything downstream, as Airflow's clear does: these tasks run again when their trigger
// rules hold. Another state clears only the tasks downstream that the old state kept from running.
func (r *dagRun) decideAgain(ctx workflow.Context, s *run.Task, d run.Decision) {
	if d.Choice == run.RetryTask {
		r.clear(s)
		s.Decision = d.String()
	} else {
		r.mark(ctx, s, d)
	}
	below := r.dag.Below(s.ID)
	for _, other := range r.tasks {
		kept := (other.State == run.UpstreamFailed || other.State == run.Skipped) &&
			other.Started.IsZero() && other.Decision == ""
		if slices.Contains(below, other.ID) && (kept || d.Choice == run.RetryTask) {
			r.clear(other)
		}
	}
	for _, other := range r.tasks {
		if other.State == run.Success {
			r.applySkips(ctx, other) // its branch is still the one that was taken
		}
	}
}

// clear takes a task back to before its parents decided about it. Its tries stay in its history,
// and the next one has the next number: the number is part of the identity of a Databricks run.
func (r *dagRun) clear(s *run.Task) {
	t, _ := r.dag.Task(s.ID)
	cleared := newTask(t)
	cleared.Tries, cleared.History = s.Tries, s.History
	*s = cleared
}

// obstacleToRetry returns why a final task cannot be retried; empty if it can.
func (r *dagRun) obstacleToRetry(s *run.Task) string {
	below := r.dag.Below(s.ID)
	for _, other := range r.tasks {
		if slices.Contains(below, other.ID) && other.State != run.None && !other.State.Final() {
			return fmt.Sprintf("cannot be retried while %s, downstream of it, is %s: wait for it, or decide about it first",
				other.ID, other.State)
		}
	}
	for _, other := range r.tasks {
		if skipped, reason := r.skips(other); other.State == run.Success && slices.Contains(skipped, s.ID) {
			return fmt.Sprintf("is %s and would be again: %s", s.State, reason)
		}
	}
	t, _ := r.dag.Task(s.ID)
	switch decided := t.TriggerRule.Decide(r.states(t.After)); decided {
	case run.UpstreamFailed:
		failed := r.dag.FailedAbove(s.ID, func(id string) run.State { return r.task(id).State })
		return fmt.Sprintf("is %s and would be again: retry what failed above it (%s)", s.State, strings.Join(failed, ", "))
	case run.Skipped:
		return fmt.Sprintf("is %s, and its trigger rule %s would skip it", s.State, t.TriggerRule.Name())
	}
	return ""
}
