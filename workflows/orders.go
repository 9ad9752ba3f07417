package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/run"
)

// pause lets no task of the run start another try. What is at work goes on.
func (r *dagRun) pause(ctx workflow.Context, p run.Pause) error {
	r.paused = p.Since(workflow.Now(ctx))
	r.show(ctx)
	return nil
}

func (r *dagRun) checkPause(p run.Pause) error {
	switch {
	case !r.ended.IsZero():
		return errors.New("the run has ended: there is nothing to pause")
	case r.paused != "":
		return fmt.Errorf("the run is paused already: %s", r.paused)
	}
	return p.Check()
}

func (r *dagRun) resume(ctx workflow.Context, _ run.Pause) error {
	r.paused = ""
	r.show(ctx)
	return nil
}

func (r *dagRun) checkResume(run.Pause) error {
	if r.paused == "" {
		return errors.New("the run is not paused")
	}
	return nil
}

// unpaused waits while the run is paused.
func (r *dagRun) unpaused(ctx workflow.Context, s *run.Task) error {
	if r.paused == "" {
		return nil
	}
	r.wait(ctx, s, "the run to be resumed")
	return workflow.Await(ctx, func() bool { return r.paused == "" })
}
