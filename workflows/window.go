package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// follow brings one date of the window to its end, beside the others.
func (r *rangeRun) follow(ctx workflow.Context, f *run.InFlight, decision ledger.Decision) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		state, why := r.run(ctx, f, decision)
		r.leave(ctx, f, state, why)
	})
}

// run runs the date and returns how it ended: success, failed with the reason, or skipped.
//
// A date that somebody else runs already is waited for. If that run saw only a part of the date, and the date is over now, it is run
// again: the one who asked for the whole date gets it.
func (r *rangeRun) run(ctx workflow.Context, f *run.InFlight, decision ledger.Decision) (run.State, string) {
	if f.RunID != "" { // started before the range continued as new
		return r.await(ctx, f.RunID, f)
	}
	if !f.Attached {
		state, why, refused := r.start(ctx, f, decision)
		if !refused {
			return state, why
		}
		f.Attached = true
		r.changed = true
	}
	state, why := r.await(ctx, "", f)
	entries, err := r.read(ctx, f.Date, f.Date)
	if err != nil {
		return run.Failed, failure.Reason(err)
	}
	if entry := ledger.Find(entries, f.Date); entry != nil && entry.Partial && f.Date.Over(workflow.Now(ctx)) {
		f.Attached = false
		if again, why, refused := r.start(ctx, f, ledger.Decide(f.Date, entry, r.in.Reprocess)); !refused {
			return again, why
		}
		f.Attached = true
		return r.await(ctx, "", f)
	}
	return state, why
}

// start starts the run as a child and waits for its end. It is refused if Temporal knows a run of the date that forbids it: one that is
// going, or one that has ended and that the decision does not allow to be repeated.
func (r *rangeRun) start(ctx workflow.Context, f *run.InFlight, decision ledger.Decision) (state run.State, why string, refused bool) {
	in := run.Input{
		DAG: r.in.DAG, Date: f.Date, Trigger: r.in.Trigger, Params: r.in.Params, Hold: r.in.Hold, RerunTasks: r.in.RerunTasks,
		IgnorePast: r.in.IgnorePast, BackfillStart: r.in.From, RunTimeout: r.in.RunTimeout, TriggeredBy: r.in.TriggeredBy, Tags: r.in.Tags,
	}
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, launch.ChildOptions(in, decision)), run.RunWorkflow, in)
	var started workflow.Execution
	err := child.GetChildWorkflowExecution().Get(ctx, &started)
	if err == nil {
		if r.stopNow {
			r.cancelled(ctx, r.cancel(ctx, f.Date, started.RunID)) // the order came while the run was being started
		}
		f.RunID = started.RunID
		r.changed = true
		err = child.Get(ctx, nil)
	}
	var already *temporal.ChildWorkflowExecutionAlreadyStartedError
	switch {
	case errors.As(err, &already):
		f.RunID = ""
		return run.None, "", true
	case err != nil:
		return run.Failed, failure.Reason(err), false
	}
	return run.Success, "", false
}

// await waits for a run that is not our child, or no longer: the one of the id, or else the date's latest. If it had ended before we
// asked, it was not ours to wait for: the date is skipped.
func (r *rangeRun) await(ctx workflow.Context, runID string, f *run.InFlight) (run.State, string) {
	var end activities.RunEnd
	in := activities.AwaitRunInput{WorkflowID: run.WorkflowID(r.in.DAG, f.Date), RunID: runID}
	summary := fmt.Sprintf("%s: wait for its run", f.Date)
	if err := workflow.ExecuteActivity(withPolicy(ctx, awaitPolicy, summary), awaitRun, in).Get(ctx, &end); err != nil {
		return run.Failed, failure.Reason(err)
	}
	switch {
	case f.Attached && (!end.Found || end.Closed.Before(f.Asked)):
		return run.Skipped, ""
	case !end.Found:
		return run.Failed, "its run has ended, and Temporal has forgotten it: see its ledger entry"
	case end.Success:
		return run.Success, ""
	case end.Error == "":
		return run.Failed, end.Status
	}
	return run.Failed, end.Error
}

// leave takes a date out of the window and counts it.
func (r *rangeRun) leave(ctx workflow.Context, f *run.InFlight, state run.State, why string) {
	r.Running = slices.DeleteFunc(r.Running, func(other *run.InFlight) bool { return other == f })
	r.changed = true
	switch state {
	case run.Skipped:
		r.Skipped++
		return
	case run.Success:
		r.Success++
	default:
		r.Failed++
		if len(r.FailedDates) < maxNamed {
			r.FailedDates = append(r.FailedDates, f.Date)
		}
		if r.FirstError == "" {
			r.FirstError = cut(why, maxError)
		}
	}
	if f.Attached {
		r.Attached++
	}
	r.Ran++
	r.Took += workflow.Now(ctx).Sub(f.Asked)
	if limit := r.in.OnFailure.Limit(); limit > 0 && r.Failed >= limit && r.Stopped == "" {
		r.Stopped = fmt.Sprintf("%d dates have failed, and on failure is %s", r.Failed, r.in.OnFailure)
	}
}

// listen answers ProgressQuery and takes the orders to a range. A wrong one is refused with what is possible.
func (r *rangeRun) listen(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, run.ProgressQuery, func() (run.RangeProgress, error) { return r.RangeProgress, nil }); err != nil {
		return err
	}
	return errors.Join(
		workflow.SetUpdateHandlerWithOptions(ctx, run.PauseUpdate, r.pause, workflow.UpdateHandlerOptions{Validator: r.checkPause}),
		workflow.SetUpdateHandlerWithOptions(ctx, run.ResumeUpdate, r.resume, workflow.UpdateHandlerOptions{Validator: r.checkResume}),
		workflow.SetUpdateHandlerWithOptions(ctx, run.ParallelUpdate, r.widen, workflow.UpdateHandlerOptions{Validator: run.CheckParallel}),
		workflow.SetUpdateHandlerWithOptions(ctx, run.StopUpdate, r.stop, workflow.UpdateHandlerOptions{Validator: r.checkStop}),
	)
}

func (r *rangeRun) pause(ctx workflow.Context, p run.Pause) error {
	r.Paused = p.Since(workflow.Now(ctx))
	r.changed = true
	return nil
}

func (r *rangeRun) checkPause(p run.Pause) error {
	switch {
	case r.Stopped != "":
		return fmt.Errorf("the range has stopped (%s): there is nothing to pause", r.Stopped)
	case r.Paused != "":
		return fmt.Errorf("the range is paused already: %s", r.Paused)
	}
	return p.Check()
}

func (r *rangeRun) resume(workflow.Context, run.Pause) error {
	r.Paused = ""
	r.changed = true
	return nil
}

func (r *rangeRun) checkResume(run.Pause) error {
	if r.Paused == "" {
		return errors.New("the range is not paused")
	}
	return nil
}

func (r *rangeRun) widen(_ workflow.Context, parallel int) error {
	r.Parallel = parallel
	r.changed = true
	return nil
}

// stop starts no more dates, and cancels those that run if asked to. Runs of others, to which the range is attached, are theirs.
func (r *rangeRun) stop(ctx workflow.Context, s run.Stop) error {
	r.Stopped = "stopped by " + s.String()
	r.Paused = ""
	r.changed = true
	if !s.Now {
		return nil
	}
	r.stopNow = true
	var cancels []workflow.Future
	for _, f := range r.Running {
		if f.RunID != "" {
			cancels = append(cancels, r.cancel(ctx, f.Date, f.RunID))
		}
	}
	r.cancelled(ctx, cancels...)
	return nil
}

func (r *rangeRun) cancel(ctx workflow.Context, date dates.Date, runID string) workflow.Future {
	return workflow.RequestCancelExternalWorkflow(ctx, run.WorkflowID(r.in.DAG, date), runID)
}

// cancelled waits until runs have been told to end: Temporal drops a request whose sender has ended or continued as new.
func (r *rangeRun) cancelled(ctx workflow.Context, cancels ...workflow.Future) {
	for _, told := range cancels {
		if err := told.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Info("A run could not be cancelled, as it has ended", "error", err)
		}
	}
}

func (r *rangeRun) checkStop(s run.Stop) error {
	if strings.TrimSpace(s.Reason) == "" {
		return errors.New("stopping needs a reason: it is shown to others")
	}
	return nil
}
