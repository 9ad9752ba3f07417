package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

// start runs one date in a coroutine of its own.
func (r *rangeRun) start(ctx workflow.Context, f *run.InFlight, decision ledger.Decision) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		state, reason := r.runDate(ctx, f, decision)
		r.count(ctx, f, state, reason)
	})
}

// dateEnd is how the run of a date ended: success, cancelled, failed with the reason, or skipped. A
// partial run saw the date up to until.
type dateEnd struct {
	state   run.State
	reason  string
	partial bool
	until   time.Time
}

// runDate runs a date and returns its state: success, cancelled, failed with the reason, or skipped.
//
// If the run saw only part of the date, and the date is over by now, the date runs again at once:
// once more, so that a run that is always partial cannot repeat for ever. A run that was cancelled
// is left alone, and a rerun of some tasks, which keeps the records that had landed.
func (r *rangeRun) runDate(ctx workflow.Context, f *run.InFlight, decision ledger.Decision) (run.State, string) {
	for {
		end := r.runOnce(ctx, f, decision)
		if !end.partial || end.state == run.Cancelled || !f.Date.Over(workflow.Now(ctx)) || len(r.in.RerunTasks) > 0 {
			return end.state, end.reason
		}
		seen := run.Status{Date: f.Date, State: end.state, Partial: true, Until: end.until}
		if f.Again || r.Stopped != "" {
			return run.Failed, fmt.Sprintf("the run saw the date only up to %s UTC: run the date again", end.until.UTC().Format(time.DateTime))
		}
		f.Again, f.Attached, f.RunID = true, false, ""
		decision = ledger.Decide(f.Date, &ledger.Entry{Status: seen}, r.in.Reprocess)
	}
}

// runOnce runs a date once. If another run of the date is running, the range attaches to it: it
// waits for that run.
func (r *rangeRun) runOnce(ctx workflow.Context, f *run.InFlight, decision ledger.Decision) dateEnd {
	if f.RunID != "" { // started before the range continued as new
		return r.await(ctx, f.RunID, f)
	}
	if !f.Attached {
		end, rejected := r.runChild(ctx, f, decision)
		if !rejected {
			return end
		}
		f.Attached = true
		r.changed = true
	}
	end := r.await(ctx, "", f)
	entries, err := r.read(ctx, f.Date, f.Date) // knows of a failed run, too, what it saw
	if err != nil {
		return dateEnd{state: run.Failed, reason: failure.Reason(err)}
	}
	if entry := ledger.Find(entries, f.Date); entry != nil {
		end.partial, end.until = entry.Partial, entry.Until
	}
	return end
}

// runChild starts the run of a date as a child and waits until it has ended. Temporal rejects the
// start if a run of the date is running, or has ended in a way that the decision does not allow to
// repeat.
func (r *rangeRun) runChild(ctx workflow.Context, f *run.InFlight, decision ledger.Decision) (end dateEnd, rejected bool) {
	in := r.in.RunInput(f.Date, r.Parallel)
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, launch.ChildOptions(deployment(ctx), in, decision)), run.RunWorkflow, in)
	var started workflow.Execution
	var result run.Result
	err := child.GetChildWorkflowExecution().Get(ctx, &started)
	if err == nil {
		if r.stopNow {
			r.awaitCancelled(ctx, r.cancel(ctx, f.Date, started.RunID)) // stopped while the run was starting
		}
		f.RunID = started.RunID
		r.changed = true
		err = child.Get(ctx, &result)
	}
	var already *temporal.ChildWorkflowExecutionAlreadyStartedError
	switch {
	case errors.As(err, &already):
		f.RunID = ""
		return dateEnd{}, true
	// An operator cancelled or terminated the run, as the ledger says, too. Nothing cancels the context
	// of this coroutine.
	case temporal.IsCanceledError(err), errors.As(err, new(*temporal.TerminatedError)):
		return dateEnd{state: run.Cancelled}, false
	case err != nil:
		return dateEnd{state: run.Failed, reason: failure.Reason(err)}, false
	}
	return dateEnd{state: run.Success, partial: result.Partial, until: result.Until}, false
}

// await waits for a run that is not a child of this workflow run: the one with the id, or without
// an id the latest of the date. A run that ended before the range attached to it does not count:
// the date is skipped.
func (r *rangeRun) await(ctx workflow.Context, runID string, f *run.InFlight) dateEnd {
	var end activities.RunEnd
	in := activities.AwaitRunInput{WorkflowID: deployment(ctx).WorkflowID(r.in.DAG, f.Date), RunID: runID}
	summary := fmt.Sprintf("%s: wait for its run", f.Date)
	if err := workflow.ExecuteActivity(steps.WithPolicy(ctx, steps.AwaitPolicy, summary), steps.AwaitRun, in).Get(ctx, &end); err != nil {
		return dateEnd{state: run.Failed, reason: failure.Reason(err)}
	}
	switch {
	case f.Attached && (!end.Found || end.Closed.Before(f.Asked)):
		return dateEnd{state: run.Skipped}
	case !end.Found:
		return dateEnd{state: run.Failed, reason: "the run has ended, and its history is past Temporal's retention: see the ledger"}
	case end.Success:
		return dateEnd{state: run.Success, partial: end.Partial, until: end.Until}
	case end.Cancelled:
		return dateEnd{state: run.Cancelled}
	case end.Error == "":
		return dateEnd{state: run.Failed, reason: end.Status}
	}
	return dateEnd{state: run.Failed, reason: end.Error}
}

// count removes a date from those in flight and counts it.
func (r *rangeRun) count(ctx workflow.Context, f *run.InFlight, state run.State, reason string) {
	r.Running = slices.DeleteFunc(r.Running, func(other *run.InFlight) bool { return other == f })
	r.changed = true
	switch state {
	case run.Skipped:
		r.Skipped++
		return
	case run.Success:
		r.Success++
	case run.Cancelled: // by an operator: it is no failure that could stop the range
		r.Cancelled++
	default:
		r.Failed++
		if len(r.FailedDates) < maxFailedDates {
			r.FailedDates = append(r.FailedDates, f.Date)
		}
		if r.FirstError == "" {
			r.FirstError = failure.Cut(reason, maxError)
		}
	}
	if f.Attached {
		r.Attached++
	}
	r.Pace.RunEnded(workflow.Now(ctx), r.Parallel)
	if limit := r.in.OnFailure.Limit(); limit > 0 && r.Failed >= limit && r.Stopped == "" {
		r.Stopped = fmt.Sprintf("%d dates failed, and --on-failure is %s", r.Failed, r.in.OnFailure)
	}
}
