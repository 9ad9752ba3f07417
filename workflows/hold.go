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

// decidedError ends a held task in the state that an operator decided on.
type decidedError struct {
	state run.State
	// reason is the task's error if the operator left it failed. A failure that was resolved is not
	// the task's error any more: the history of tries keeps it.
	reason string
}

func (e *decidedError) Error() string { return "decided: " + string(e.state) }

// hold waits for an operator's decision about a failed task. It returns nil if the task is to run
// again, a decidedError for the other decisions, and the cause unchanged if the task does not hold.
func (r *dagRun) hold(ctx workflow.Context, s *run.Task, cause error, holds bool) error {
	if !holds {
		return cause
	}
	r.set(ctx, s, run.Held, failure.Reason(cause))
	r.upsertState(ctx, run.Held)
	if err := workflow.Await(ctx, func() bool { _, decided := r.decisions[s.ID]; return decided }); err != nil {
		return err
	}
	d := r.decisions[s.ID]
	delete(r.decisions, s.ID)
	s.Decision = d.String()
	state, _ := d.Choice.State()
	s.State = state
	r.upsertState(ctx, r.state())
	if state == run.Running {
		return nil
	}
	decided := &decidedError{state: state}
	if state == run.Failed {
		decided.reason = failure.Reason(cause)
	}
	return decided
}

// upsertState makes held runs searchable.
func (r *dagRun) upsertState(ctx workflow.Context, state run.State) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, search.State.ValueSet(string(state))); err != nil {
		workflow.GetLogger(ctx).Warn("The state of the run was not made searchable", "state", state, "error", err)
	}
}

// decide handles run.DecideUpdate.
func (r *dagRun) decide(_ workflow.Context, d run.Decision) error {
	r.decisions[d.Task] = d
	return nil
}

// checkDecision rejects a decision that cannot be carried out. The error names those that can.
func (r *dagRun) checkDecision(d run.Decision) error {
	s := r.task(d.Task)
	_, decided := r.decisions[d.Task]
	_, known := d.Choice.State()
	switch {
	case s == nil:
		return fmt.Errorf("no task %q in this DAG; its tasks are %s", d.Task, strings.Join(r.dag.IDs(), ", "))
	case decided:
		return fmt.Errorf("task %s already has a decision", d.Task)
	case s.State != run.Held:
		return fmt.Errorf("task %s is %s; only a held task takes a decision; held: %s", d.Task, s.State, r.held())
	case !known:
		return fmt.Errorf("unknown decision %q: want %s, %s, %s or %s", d.Choice, run.RetryTask, run.FailTask, run.SucceedTask, run.SkipTask)
	case strings.TrimSpace(d.Reason) == "":
		return errors.New("a decision needs a reason; the ledger keeps it")
	}
	return nil
}

// held returns the ids of the held tasks as text.
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
