package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"
)

// Pause is who pauses or resumes a run or a range, and why.
type Pause struct {
	By     string `json:"by,omitempty"`
	Reason string `json:"reason"`
}

func (p Pause) String() string {
	if p.By == "" {
		return p.Reason
	}
	return p.By + ": " + p.Reason
}

// since is the pause for others to read: who, why and when.
func (p Pause) since(ctx workflow.Context) string {
	return fmt.Sprintf("%s (%s UTC)", p, workflow.Now(ctx).UTC().Format(time.DateTime))
}

func (p Pause) check() error {
	if strings.TrimSpace(p.Reason) == "" {
		return errors.New("a pause needs a reason: it is shown to others")
	}
	return nil
}

// pause lets no task of the run start another try. What is at work goes on.
func (r *run) pause(ctx workflow.Context, p Pause) error {
	r.paused = p.since(ctx)
	r.show(ctx)
	return nil
}

func (r *run) checkPause(p Pause) error {
	switch {
	case !r.ended.IsZero():
		return errors.New("the run has ended: there is nothing to pause")
	case r.paused != "":
		return fmt.Errorf("the run is paused already: %s", r.paused)
	}
	return p.check()
}

func (r *run) resume(ctx workflow.Context, _ Pause) error {
	r.paused = ""
	r.show(ctx)
	return nil
}

func (r *run) checkResume(Pause) error {
	if r.paused == "" {
		return errors.New("the run is not paused")
	}
	return nil
}

// unpaused waits while the run is paused.
func (r *run) unpaused(ctx workflow.Context, s *TaskStatus) error {
	if r.paused == "" {
		return nil
	}
	r.wait(ctx, s, "the run to be resumed")
	return workflow.Await(ctx, func() bool { return r.paused == "" })
}
