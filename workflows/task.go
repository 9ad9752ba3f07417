package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// maxTryError is how much of a try's error is kept in its record, in bytes.
const maxTryError = 300

// work brings one task from queued to its final state: try after try.
func (r *dagRun) work(ctx workflow.Context, t dag.Task, s *run.Task) {
	s.Started = workflow.Now(ctx)
	allowed := s.Tries + t.MaxTries()
	err := r.awaitPast(ctx, t, s)
	for err == nil {
		if err = r.unpaused(ctx, s); err != nil {
			break
		}
		s.Tries++
		err = r.try(ctx, t, s)
		switch {
		case err == nil:
			r.final(ctx, s, run.Success, "")
			r.skip(ctx, s)
			return
		case errors.Is(err, ErrSkip), ctx.Err() != nil:
		case isExpectation(err):
			err = r.park(ctx, s, err, r.in.Hold || t.Expect.Hold)
		case s.Tries < allowed:
			r.set(ctx, s, run.UpForRetry, failure.Reason(err))
			err = pause(ctx, t.DelayBetweenTries(), fmt.Sprintf("%s: delay before try %d", t.ID, s.Tries+1))
		default:
			err = r.park(ctx, s, err, r.in.Hold)
		}
	}
	r.finish(ctx, s, err)
}

// finish ends a task that did not succeed by its own work.
func (r *dagRun) finish(ctx workflow.Context, s *run.Task, err error) {
	var decided *decidedError
	switch {
	case errors.As(err, &decided):
		r.final(ctx, s, decided.state, s.Error)
	case errors.Is(err, ErrSkip):
		r.final(ctx, s, run.Skipped, "")
	case ctx.Err() != nil:
		r.interrupted = true
		r.final(ctx, s, run.Failed, r.interruption())
	case errors.Is(err, errPastFailed):
		r.final(ctx, s, run.UpstreamFailed, err.Error())
	default:
		r.final(ctx, s, run.Failed, failure.Reason(err))
	}
}

// cutBy says what ended the run before its time.
func (r *dagRun) interruption() string {
	if r.timedOut {
		return fmt.Sprintf("the run's deadline of %s came", r.in.RunTimeout)
	}
	return "the run was cancelled"
}

func isExpectation(err error) bool {
	var typed *temporal.ApplicationError
	return errors.As(err, &typed) && typed.Type() == failure.Expectation
}

// try starts the task's operator once, and records how that went.
func (r *dagRun) try(ctx workflow.Context, t dag.Task, s *run.Task) error {
	record := &run.Try{Number: s.Tries, Started: workflow.Now(ctx)}
	s.Outcome, s.Trying = run.Outcome{}, record
	err := r.operate(ctx, t, s, record)
	switch {
	case err == nil:
		record.State = run.Success
	case errors.Is(err, ErrSkip):
		record.State = run.Skipped
	default:
		record.State, record.Error = run.Failed, cut(oneLine(errors.New(failure.Reason(err))), maxTryError)
	}
	record.Ended, record.Link, record.JobRunID = workflow.Now(ctx), s.Link, s.JobRunID
	s.History, s.Trying = append(s.History, *record), nil
	return err
}

// operate runs the task's operator: what needs no slot first, then the rest with a slot of the task's pool. What the task has written is
// counted, and compared with what it expects, without the slot.
func (r *dagRun) operate(ctx workflow.Context, t dag.Task, s *run.Task, record *run.Try) error {
	try := TaskInstance{DAG: r.in.DAG, Date: r.in.Date, Task: t.ID, Number: s.Tries, Params: r.in.Params, Report: func(out run.Outcome) {
		s.Link, s.JobRunID = out.Link, out.JobRunID
		r.show(ctx)
	}}
	ctx = withTaskRef(ctx, try)
	worked := time.Duration(0)
	if op, ok := t.Do.(Preparer); ok {
		r.set(ctx, s, run.Running, "")
		began := workflow.Now(ctx)
		out, err := withTimeout(ctx, t.Timeout, t.Timeout, func(ctx workflow.Context) (run.Outcome, error) { return op.Prepare(ctx, try) })
		if err != nil {
			return err
		}
		s.Outcome, try.Prepared = out, out
		worked = workflow.Now(ctx).Sub(began)
	}
	release, err := r.acquire(ctx, t, s, record)
	if err != nil {
		return err
	}
	r.set(ctx, s, run.Running, "")
	out, err := withTimeout(ctx, t.Timeout, t.Timeout-worked, func(ctx workflow.Context) (run.Outcome, error) { return t.Do.(Operator).Run(ctx, try) })
	release()
	if err == nil || out.Link != "" {
		s.Outcome = out // else what Prepare left is all that is known
	}
	if err != nil {
		return err
	}
	if err := r.dag.CheckSkips(t.ID, out); err != nil {
		return err
	}
	s.Outcome, err = expect(ctx, t, try, s.Outcome)
	return err
}

// within lets work go on for as long as is left of the deadline; then it is cancelled, and has failed if it had not done its work.
func withTimeout(ctx workflow.Context, deadline, left time.Duration, work func(workflow.Context) (run.Outcome, error)) (run.Outcome, error) {
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
