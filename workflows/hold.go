package workflows

import (
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// decidedError ends a held task in the state that an operator has decided on.
type decidedError struct{ state run.State }

func (e *decidedError) Error() string { return "decided: " + string(e.state) }

// park lets an operator decide about a task that has failed, if the run or the task holds; else the failure stays. It returns nil if the
// task is to be tried again.
func (r *dagRun) park(ctx workflow.Context, s *run.Task, failure1 error, holds bool) error {
	if !holds {
		return failure1
	}
	r.set(ctx, s, run.Held, failure.Reason(failure1))
	r.markHeld(ctx, run.Held)
	if err := workflow.Await(ctx, func() bool { _, decided := r.decisions[s.ID]; return decided }); err != nil {
		return err
	}
	d := r.decisions[s.ID]
	delete(r.decisions, s.ID)
	s.Decision = d.String()
	state, _ := d.Choice.State()
	s.State = state
	r.markHeld(ctx, r.state())
	if state == run.Running {
		return nil
	}
	return &decidedError{state}
}

// markHeld lets a search by state find runs that wait for a person.
func (r *dagRun) markHeld(ctx workflow.Context, state run.State) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, search.State.ValueSet(string(state))); err != nil {
		workflow.GetLogger(ctx).Warn("The run's state could not be made searchable", "state", state, "error", err)
	}
}

// decide takes a decision for the task that waits for it.
func (r *dagRun) decide(_ workflow.Context, d run.Decision) error {
	r.decisions[d.Task] = d
	return nil
}

// checkDecision refuses a decision that cannot be taken, and says what can.
func (r *dagRun) checkDecision(d run.Decision) error {
	s := r.task(d.Task)
	_, decided := r.decisions[d.Task]
	_, known := d.Choice.State()
	switch {
	case s == nil:
		return fmt.Errorf("no task %q in this DAG: its tasks are %s", d.Task, strings.Join(r.dag.IDs(), ", "))
	case decided:
		return fmt.Errorf("about task %s has just been decided", d.Task)
	case s.State != run.Held:
		return fmt.Errorf("task %s is %s: only a held task waits for a decision; held: %s", d.Task, s.State, r.held())
	case !known:
		return fmt.Errorf("%q is no decision: it can be %s, %s, %s or %s", d.Choice, run.RetryTask, run.FailTask, run.SucceedTask, run.SkipTask)
	case strings.TrimSpace(d.Reason) == "":
		return errors.New("a decision needs a reason: it is recorded with the run")
	}
	return nil
}

// held names the tasks that wait for a decision.
func (r *dagRun) held() string {
	var ids dag.Tasks
	for _, s := range r.tasks {
		if s.State == run.Held {
			ids = append(ids, s.ID)
		}
	}
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}
