package workflows

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
)

// work brings one task from queued to its final state: try after try.
func (r *run) work(ctx workflow.Context, t Task, s *TaskStatus) {
	s.Started = workflow.Now(ctx)
	allowed := t.tries()
	for {
		s.Tries++
		err := r.try(ctx, t, s)
		switch {
		case err == nil:
			r.final(ctx, s, Success, "")
			return
		case errors.Is(err, ErrSkip):
			r.final(ctx, s, Skipped, "")
			return
		case ctx.Err() != nil:
			r.cancelled(ctx, s)
			return
		case s.Tries < allowed:
			r.set(ctx, s, UpForRetry, activities.Reason(err))
			if pause(ctx, t.delay(), fmt.Sprintf("%s: delay before try %d", t.ID, s.Tries+1)) != nil {
				r.cancelled(ctx, s)
				return
			}
		case r.in.Hold:
			if state := r.hold(ctx, s, err); state.Final() {
				r.final(ctx, s, state, s.Error)
				return
			}
		default:
			r.final(ctx, s, Failed, activities.Reason(err))
			return
		}
	}
}

// cancelled ends a task that the order to cancel met at work.
func (r *run) cancelled(ctx workflow.Context, s *TaskStatus) {
	r.cut = true
	r.final(ctx, s, Failed, "cancelled")
}

// try starts the task's operator once: what needs no slot first, then the rest with a slot of the task's pool.
func (r *run) try(ctx workflow.Context, t Task, s *TaskStatus) error {
	try := Try{DAG: r.in.DAG, Date: r.in.Date, Task: t.ID, Number: s.Tries, Params: r.in.Params, Report: func(out Outcome) {
		s.Link, s.JobRunID = out.Link, out.JobRunID
		r.show(ctx)
	}}
	ctx = withTaskRef(ctx, try)
	s.Outcome = Outcome{}
	worked := time.Duration(0)
	if op, ok := t.Do.(Preparer); ok {
		r.set(ctx, s, Running, "")
		began := workflow.Now(ctx)
		out, err := within(ctx, t.Deadline, t.Deadline, func(ctx workflow.Context) (Outcome, error) { return op.Prepare(ctx, try) })
		if err != nil {
			return err
		}
		s.Outcome, try.Prepared = out, out
		worked = workflow.Now(ctx).Sub(began)
	}
	release, err := r.acquire(ctx, t, s)
	if err != nil {
		return err
	}
	defer release()
	r.set(ctx, s, Running, "")
	out, err := within(ctx, t.Deadline, t.Deadline-worked, func(ctx workflow.Context) (Outcome, error) { return t.Do.Run(ctx, try) })
	if !reflect.ValueOf(out).IsZero() {
		s.Outcome = out
	}
	return err
}

// within lets work go on for as long as is left of the deadline; then it is cancelled, and has failed if it had not done its work.
func within(ctx workflow.Context, deadline, left time.Duration, work func(workflow.Context) (Outcome, error)) (Outcome, error) {
	if deadline == 0 {
		return work(ctx)
	}
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	late := false
	workflow.Go(ctx, func(ctx workflow.Context) {
		if pause(ctx, left, fmt.Sprintf("deadline of %s", deadline)) == nil {
			late = true
			cancel()
		}
	})
	out, err := work(ctx)
	if late && err != nil {
		err = fmt.Errorf("not done after its deadline of %s", deadline)
	}
	return out, err
}

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

// hold parks a task until an operator decides, and returns the state that follows: a final one, or Running for another try.
func (r *run) hold(ctx workflow.Context, s *TaskStatus, failure error) State {
	r.set(ctx, s, Held, activities.Reason(failure))
	r.markHeld(ctx, Held)
	waiting := workflow.Await(ctx, func() bool { _, decided := r.decisions[s.ID]; return decided })
	if waiting != nil {
		r.cancelled(ctx, s)
		return Failed
	}
	d := r.decisions[s.ID]
	delete(r.decisions, s.ID)
	s.Decision = d.String()
	s.State, _ = d.Choice.state()
	r.markHeld(ctx, r.state())
	return s.State
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
		return fmt.Errorf("task %s is %s: only a held task waits for a decision", d.Task, s.State)
	case !known:
		return fmt.Errorf("%q is no decision: it can be %s, %s, %s or %s", d.Choice, RetryTask, FailTask, SucceedTask, SkipTask)
	case strings.TrimSpace(d.Reason) == "":
		return errors.New("a decision needs a reason: it is recorded with the run")
	}
	return nil
}
