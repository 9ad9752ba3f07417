package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// maxTryError limits the text of an error in the history of tries, in bytes.
const maxTryError = 300

// runTask brings a task from queued to its final state, try after try.
func (r *dagRun) runTask(ctx workflow.Context, t dag.Task, s *run.Task) {
	s.Started = workflow.Now(ctx)
	allowed := s.Tries + t.MaxTries()
	err := r.unlessDecided(ctx, s, func(ctx workflow.Context) error { return r.awaitPast(ctx, t, s) })
	for err == nil || errors.Is(err, errRetry) {
		err = r.unlessDecided(ctx, s, func(ctx workflow.Context) error {
			if err := r.awaitResume(ctx, s); err != nil {
				return err
			}
			s.Tries++
			return r.try(ctx, t, s)
		})
		switch {
		case err == nil:
			r.finish(ctx, s, run.Success, "")
			r.applySkips(ctx, s)
			return
		case errors.Is(err, errRetry):
			allowed = s.Tries + t.MaxTries() // as after Airflow's clear
			delete(r.halves, s.ID)
		case errors.As(err, new(*decidedError)), errors.Is(err, operators.ErrSkip), ctx.Err() != nil:
		case r.split(s, err):
			allowed++ // the task has not failed alone yet
			r.set(ctx, s, run.UpForRetry, failure.Reason(err))
			err = nil
		case failure.Type(err) == failure.Expectation:
			err = r.hold(ctx, s, err, r.in.Hold || t.Expect.Hold)
		case s.Tries < allowed:
			r.set(ctx, s, run.UpForRetry, failure.Reason(err))
			err = r.unlessDecided(ctx, s, func(ctx workflow.Context) error {
				return steps.Sleep(ctx, t.DelayBetweenTries(), fmt.Sprintf("%s: delay before try %d", t.ID, s.Tries+1))
			})
		default:
			err = r.hold(ctx, s, err, r.in.Hold)
		}
	}
	r.fail(ctx, s, err)
}

// togetherError is the error of work that was done for several dates.
type togetherError struct {
	error
	dates int
}

func (e *togetherError) Unwrap() error { return e.error }

// split reports whether the next try is to go together with half as many dates as the last one,
// which failed. It starts at once: after a few steps the date that cannot succeed fails alone, and
// the others have succeeded. What fails for every date alike is not split.
func (r *dagRun) split(s *run.Task, err error) bool {
	var failed *togetherError
	if !errors.As(err, &failed) {
		return false
	}
	switch failure.Type(err) {
	case failure.NotebookConflict, failure.Missing, failure.Settings, failure.AccessDenied:
		return false
	}
	r.halves[s.ID] = failed.dates / 2
	return true
}

// fail gives a task without a successful try its final state.
func (r *dagRun) fail(ctx workflow.Context, s *run.Task, err error) {
	var decided *decidedError
	switch {
	case errors.As(err, &decided):
		r.mark(ctx, s, decided.decision)
	case errors.Is(err, operators.ErrSkip):
		r.finish(ctx, s, run.Skipped, "")
	case ctx.Err() != nil:
		r.interrupted = true
		r.finish(ctx, s, run.Cancelled, r.interruption())
	case errors.Is(err, errPastFailed):
		r.finish(ctx, s, run.UpstreamFailed, err.Error())
	default:
		r.finish(ctx, s, run.Failed, failure.Reason(err))
	}
}

// interruption returns why the run ended early.
func (r *dagRun) interruption() string {
	if r.timedOut {
		return fmt.Sprintf("the run timed out after %s", r.in.RunTimeout)
	}
	return "the run was cancelled"
}

// try runs the task's operator once and adds the try to the task's history.
func (r *dagRun) try(ctx workflow.Context, t dag.Task, s *run.Task) error {
	try := &run.Try{Number: s.Tries, Started: workflow.Now(ctx)}
	s.Outcome, s.Warnings, s.Trying = run.Outcome{}, nil, try
	err := r.operate(ctx, t, s, try)
	switch {
	case err == nil:
		try.State = run.Success
	case errors.Is(err, operators.ErrSkip):
		try.State = run.Skipped
	case ctx.Err() != nil:
		try.State, try.Error = run.Cancelled, r.interruption()
	default:
		try.State, try.Error = run.Failed, failure.Cut(failure.OneLine(errors.New(failure.Reason(err))), maxTryError)
	}
	try.Ended, try.Link, try.JobRunID, try.Together = workflow.Now(ctx), s.Link, s.JobRunID, s.Together
	s.History, s.Trying = append(s.History, *try), nil
	return err
}

// operate runs the task's operator: Prepare in this workflow, and what follows in the Pools workflow
// if the task has a pool.
func (r *dagRun) operate(ctx workflow.Context, t dag.Task, s *run.Task, record *run.Try) error {
	id := r.info.WorkflowExecution
	try := operators.TaskInstance{
		DAG: r.in.DAG, Date: r.in.Date, Task: t.ID, Number: s.Tries, WorkflowID: id.ID, RunID: id.RunID, Params: r.in.Params,
		AcceptGaps: r.in.AcceptGaps, By: r.in.TriggeredBy,
		Report: func(out run.Outcome) {
			s.Link, s.JobRunID, s.Together = out.Link, out.JobRunID, out.Together
			r.show(ctx)
		},
	}
	ctx = steps.WithTaskRef(ctx, try.Ref())
	l := operators.Limits{Timeout: t.Timeout, Counts: t.Expect.Demands() || t.Expect.Warns()}
	if op, ok := t.Do.(operators.Preparer); ok {
		r.set(ctx, s, run.Running, "")
		began := workflow.Now(ctx)
		out, err := operators.Prepare(ctx, op, try, t.Timeout)
		if err != nil {
			return err
		}
		s.Outcome, try.Prepared = out, out
		l.Worked = workflow.Now(ctx).Sub(began)
	}
	done, err := r.work(ctx, t, s, record, try, l)
	out := done.Outcome
	if err == nil || out.Link != "" {
		s.Outcome = out // otherwise the outcome of Prepare is all that is known
	}
	if err != nil && len(out.Together) > 1 {
		return &togetherError{err, len(out.Together)}
	}
	if err != nil {
		return err
	}
	if err := r.dag.CheckSkips(t.ID, out); err != nil {
		return err
	}
	s.Warnings, err = operators.Expect(t, done)
	return err
}

// work does the work of a try where it belongs.
func (r *dagRun) work(ctx workflow.Context, t dag.Task, s *run.Task, record *run.Try, try operators.TaskInstance, l operators.Limits) (run.WorkDone, error) {
	if t.Pool != "" {
		return r.workInPool(ctx, t, s, record, try, l)
	}
	r.set(ctx, s, run.Running, "")
	return operators.Perform(ctx, t.Do.(operators.Operator), try, l, func() {})
}
