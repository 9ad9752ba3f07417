package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// errRetry makes a task run again because an operator decided so.
var errRetry = errors.New("decided: retry")

// decidedError ends a task in the state that an operator decided on.
type decidedError struct{ decision run.Decision }

func (e *decidedError) Error() string { return "decided: " + e.decision.String() }

// unlessDecided works for a task until the work returns. A decision about the task cancels the
// work, and applies when it has returned, so that two tries never run at a time. The error is then
// errRetry or a decidedError, whatever the work returned; otherwise it is that of the work.
func (r *dagRun) unlessDecided(ctx workflow.Context, s *run.Task, work func(workflow.Context) error) error {
	var err error
	tries := len(s.History)
	if _, decided := r.decisions[s.ID]; !decided {
		working, cancel := workflow.WithCancel(ctx)
		r.interrupts[s.ID] = cancel
		err = work(working)
		cancel()
		delete(r.interrupts, s.ID)
	}
	d, decided := r.decisions[s.ID]
	if !decided {
		return err
	}
	delete(r.decisions, s.ID)
	if s.Waiting = ""; len(s.History) > tries && s.History[tries].State == run.Cancelled {
		s.History[tries].Error = failure.Cut("cancelled: "+d.String(), maxTryError)
	}
	switch {
	case d.Choice != run.RetryTask:
		return &decidedError{d}
	case ctx.Err() != nil: // no try starts in a cancelled run
		return ctx.Err()
	}
	return errRetry
}

// decide handles run.DecideUpdate. A task with work in progress carries the decision out itself.
func (r *dagRun) decide(ctx workflow.Context, d run.Decision) error {
	s := r.task(d.Task)
	s.Decision = d.String()
	switch {
	case s.State == run.None:
		r.mark(ctx, s, d)
	case s.State.Final():
		r.decideAgain(ctx, s, d)
	default:
		if s.State == run.Running {
			s.Waiting = "its current try to be cancelled"
		}
		r.decisions[s.ID] = d
		if cancel, working := r.interrupts[s.ID]; working {
			cancel()
		}
	}
	r.changed = true // the children of a task that is final now are to be started
	r.show(ctx)
	return nil
}

// mark gives a task the final state that an operator decided on. Only a failed task has an error.
func (r *dagRun) mark(ctx workflow.Context, s *run.Task, d run.Decision) {
	state, _ := d.Choice.State()
	reason := ""
	if state == run.Failed {
		if reason = s.Error; reason == "" {
			reason = "decided: " + d.String()
		}
	}
	r.finish(ctx, s, state, reason)
}

// checkDecision rejects a decision that cannot be carried out. The error names those that can.
func (r *dagRun) checkDecision(ctx workflow.Context, d run.Decision) error {
	s := r.task(d.Task)
	_, known := d.Choice.State()
	switch {
	case s == nil:
		return fmt.Errorf("no task %q in this DAG; its tasks are %s", d.Task, strings.Join(r.dag.IDs(), ", "))
	case !known:
		return fmt.Errorf("unknown decision %q: want %s", d.Choice, joined(run.Choices, ", "))
	case strings.TrimSpace(d.Reason) == "":
		return errors.New("a decision needs a reason; the ledger keeps it")
	case r.timedOut || ctx.Err() != nil:
		return fmt.Errorf("%s, so that its tasks take no more decisions: when it has ended, run tasks again with `starter rerun`", r.interruption())
	case !r.interpreting:
		return errors.New("the run is starting or ending: try again in a moment, or run tasks again with `starter rerun` when it has ended")
	}
	if earlier, decided := r.decisions[s.ID]; decided {
		return fmt.Errorf("task %s already has a decision, which is carried out when its current try has ended: %s", s.ID, earlier)
	}
	obstacle := r.obstacle(s, d.Choice)
	if obstacle == "" {
		return nil
	}
	possible := slices.DeleteFunc(slices.Clone(run.Choices), func(c run.Choice) bool { return r.obstacle(s, c) != "" })
	message := fmt.Sprintf("task %s %s; possible: %s", s.ID, obstacle, joined(possible, ", "))
	if held := r.inState(run.Held); len(held) > 0 {
		message += "; held: " + strings.Join(held, ", ")
	}
	return errors.New(message)
}

// obstacle returns why a task does not take a decision; empty if it takes it.
func (r *dagRun) obstacle(s *run.Task, c run.Choice) string {
	state, _ := c.State()
	switch {
	case c == run.RetryTask && s.State == run.None:
		return "is none: no try of it has started"
	case c == run.RetryTask && s.State == run.Queued:
		return "is queued: its next try starts as soon as it can; it waits for " + s.Waiting
	case c == run.RetryTask && s.State.Final():
		return r.obstacleToRetry(s)
	case s.State == state && state.Final():
		return fmt.Sprintf("is %s already", state)
	}
	return ""
}

// inState returns the ids of the tasks in that state.
func (r *dagRun) inState(state run.State) dag.Tasks {
	var ids dag.Tasks
	for _, s := range r.tasks {
		if s.State == state {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func joined[S ~string](all []S, separator string) string {
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = string(one)
	}
	return strings.Join(texts, separator)
}
