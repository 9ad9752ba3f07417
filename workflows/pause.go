package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/run"
)

// pause handles run.PauseUpdate: running tasks finish, no new tries start.
func (r *dagRun) pause(ctx workflow.Context, p run.Pause) error {
	r.paused = p.Since(workflow.Now(ctx))
	r.show(ctx)
	return nil
}

func (r *dagRun) checkPause(p run.Pause) error {
	switch {
	case !r.ended.IsZero():
		return errors.New("the run has ended; there is nothing to pause")
	case r.paused != "":
		return fmt.Errorf("the run is already paused: %s", r.paused)
	}
	return p.Check()
}

// resume handles run.ResumeUpdate.
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

// awaitResume waits while the run is paused.
func (r *dagRun) awaitResume(ctx workflow.Context, s *run.Task) error {
	if r.paused == "" {
		return nil
	}
	r.wait(ctx, s, "the run to be resumed")
	return workflow.Await(ctx, func() bool { return r.paused == "" })
}
