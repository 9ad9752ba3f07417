package workflows

import (
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// listen sets the handlers of queries and updates. Validators reject an update that is not
// possible; the error names what is.
func (r *rangeRun) listen(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, run.ProgressQuery, func() (run.RangeProgress, error) { return r.RangeProgress, nil }); err != nil {
		return err
	}
	return errors.Join(
		workflow.SetUpdateHandlerWithOptions(ctx, run.PauseUpdate, r.pause, workflow.UpdateHandlerOptions{Validator: r.checkPause}),
		workflow.SetUpdateHandlerWithOptions(ctx, run.ResumeUpdate, r.resume, workflow.UpdateHandlerOptions{Validator: r.checkResume}),
		workflow.SetUpdateHandlerWithOptions(ctx, run.ParallelUpdate, r.setParallel, workflow.UpdateHandlerOptions{Validator: run.CheckParallel}),
		workflow.SetUpdateHandlerWithOptions(ctx, run.StopUpdate, r.stop, workflow.UpdateHandlerOptions{Validator: r.checkStop}),
	)
}

// pause handles run.PauseUpdate: runs continue, no new ones start.
func (r *rangeRun) pause(ctx workflow.Context, p run.Pause) error {
	r.Paused = p.Since(workflow.Now(ctx))
	r.changed = true
	return nil
}

func (r *rangeRun) checkPause(p run.Pause) error {
	switch {
	case r.Stopped != "":
		return fmt.Errorf("the range has stopped (%s); there is nothing to pause", r.Stopped)
	case r.Paused != "":
		return fmt.Errorf("the range is already paused: %s", r.Paused)
	}
	return p.Check()
}

// resume handles run.ResumeUpdate.
func (r *rangeRun) resume(ctx workflow.Context, _ run.Pause) error {
	r.Paused = ""
	r.Pace.Changed(workflow.Now(ctx), len(r.Running))
	r.changed = true
	return nil
}

func (r *rangeRun) checkResume(run.Pause) error {
	if r.Paused == "" {
		return errors.New("the range is not paused")
	}
	return nil
}

// setParallel handles run.ParallelUpdate.
func (r *rangeRun) setParallel(ctx workflow.Context, parallel int) error {
	r.Pace.Changed(workflow.Now(ctx), len(r.Running))
	r.Parallel = parallel
	r.changed = true
	return nil
}

// stop handles run.StopUpdate: no more dates start, and with Now the range cancels the runs that it
// started. It does not cancel runs that it is only attached to.
func (r *rangeRun) stop(ctx workflow.Context, s run.Stop) error {
	r.Stopped = "stopped by " + s.String()
	r.Paused = ""
	r.changed = true
	if !s.Now {
		return nil
	}
	r.stopNow = true
	var requests []workflow.Future
	for _, f := range r.Running {
		if f.RunID != "" {
			requests = append(requests, r.cancel(ctx, f.Date, f.RunID))
		}
	}
	r.awaitCancelled(ctx, requests...)
	return nil
}

func (r *rangeRun) checkStop(s run.Stop) error {
	if strings.TrimSpace(s.Reason) == "" {
		return errors.New("a stop needs a reason for others to read")
	}
	return nil
}

func (r *rangeRun) cancel(ctx workflow.Context, date dates.Date, runID string) workflow.Future {
	return workflow.RequestCancelExternalWorkflow(ctx, deployment(ctx).WorkflowID(r.in.DAG, date), runID)
}

// awaitCancelled waits until cancellations have been delivered. Temporal drops those of a workflow
// that ends or continues as new before.
func (r *rangeRun) awaitCancelled(ctx workflow.Context, requests ...workflow.Future) {
	for _, request := range requests {
		if err := request.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Info("A run was not cancelled, because it has ended", "error", err)
		}
	}
}
