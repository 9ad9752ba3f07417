package workflows

import (
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
)

// Choice is what an operator decides about a held task.
type Choice string

// The choices.
const (
	// RetryTask tries the task once more.
	RetryTask Choice = "retry"
	// FailTask lets the task be failed, as it would have been without holding.
	FailTask Choice = "fail"
	// SucceedTask takes the task for done: somebody did its work by hand.
	SucceedTask Choice = "succeed"
	// SkipTask takes the task for not needed.
	SkipTask Choice = "skip"
)

// Decision is an operator's word on a held task. By and Reason are recorded in the history and the ledger.
type Decision struct {
	Task   string `json:"task"`
	Choice Choice `json:"choice"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason"`
}

func (d Decision) String() string {
	if d.By == "" {
		return fmt.Sprintf("%s: %s", d.Choice, d.Reason)
	}
	return fmt.Sprintf("%s by %s: %s", d.Choice, d.By, d.Reason)
}

// state is what the choice makes of a held task; ok is false if it is none.
func (c Choice) state() (state State, ok bool) {
	switch c {
	case RetryTask:
		return Running, true
	case FailTask:
		return Failed, true
	case SucceedTask:
		return Success, true
	case SkipTask:
		return Skipped, true
	}
	return None, false
}

// decidedError ends a held task in the state that an operator has decided on.
type decidedError struct{ state State }

func (e *decidedError) Error() string { return "decided: " + string(e.state) }

// park lets an operator decide about a task that has failed, if the run or the task holds; else the failure stays. It returns nil if the
// task is to be tried again.
func (r *run) park(ctx workflow.Context, s *TaskStatus, failure error, holds bool) error {
	if !holds {
		return failure
	}
	r.set(ctx, s, Held, activities.Reason(failure))
	r.markHeld(ctx, Held)
	if err := workflow.Await(ctx, func() bool { _, decided := r.decisions[s.ID]; return decided }); err != nil {
		return err
	}
	d := r.decisions[s.ID]
	delete(r.decisions, s.ID)
	s.Decision = d.String()
	state, _ := d.Choice.state()
	s.State = state
	r.markHeld(ctx, r.state())
	if state == Running {
		return nil
	}
	return &decidedError{state}
}

// markHeld lets a search by state find runs that wait for a person.
func (r *run) markHeld(ctx workflow.Context, state State) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeState.ValueSet(string(state))); err != nil {
		workflow.GetLogger(ctx).Warn("The run's state could not be made searchable", "state", state, "error", err)
	}
}

// decide takes a decision for the task that waits for it.
func (r *run) decide(_ workflow.Context, d Decision) error {
	r.decisions[d.Task] = d
	return nil
}

// checkDecision refuses a decision that cannot be taken, and says what can.
func (r *run) checkDecision(d Decision) error {
	s := r.task(d.Task)
	_, decided := r.decisions[d.Task]
	_, known := d.Choice.state()
	switch {
	case s == nil:
		return fmt.Errorf("no task %q in this DAG: its tasks are %s", d.Task, strings.Join(r.dag.IDs(), ", "))
	case decided:
		return fmt.Errorf("about task %s has just been decided", d.Task)
	case s.State != Held:
		return fmt.Errorf("task %s is %s: only a held task waits for a decision; held: %s", d.Task, s.State, r.held())
	case !known:
		return fmt.Errorf("%q is no decision: it can be %s, %s, %s or %s", d.Choice, RetryTask, FailTask, SucceedTask, SkipTask)
	case strings.TrimSpace(d.Reason) == "":
		return errors.New("a decision needs a reason: it is recorded with the run")
	}
	return nil
}

// held names the tasks that wait for a decision.
func (r *run) held() string {
	var ids Tasks
	for _, s := range r.tasks {
		if s.State == Held {
			ids = append(ids, s.ID)
		}
	}
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}
