package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// WatchInterval is how often a run is queried. A query costs a workflow task of the worker, no
// event.
const WatchInterval = 300 * time.Millisecond

// Watcher shows a run that is followed.
type Watcher interface {
	// Show shows the status of the run; landing is zero if the run is not landing records.
	Show(status run.Status, landing Landing)
	// NoAnswer shows why the run does not answer: it is blocked, or no worker answers for it.
	NoAnswer(err error)
	// ShowsLanding reports whether Show uses the landing, for which the history must be read.
	ShowsLanding() bool
	// End removes what must not remain on the screen; Leave leaves it there.
	End()
	Leave()
}

// Watch follows a run until it has ended, and returns how it ended. A failed run is not an error.
// If the context ends, the run continues.
func (r *Reader) Watch(ctx context.Context, conn *temporal.Connection, started client.WorkflowRun, date dates.Date, watcher Watcher) (run.Status, error) {
	defer watcher.End()
	ended := make(chan error, 1)
	go func() { ended <- started.Get(ctx, nil) }()
	for {
		status, err := r.QueryRun(ctx, conn, started.GetID(), started.GetRunID())
		switch {
		case err == nil:
			watcher.Show(status, r.landing(ctx, conn, status, watcher))
		case errors.As(err, new(*NoWorkerError)), errors.As(err, new(*BlockedError)): // a worker of another build may end it
			watcher.NoAnswer(err)
		}
		select {
		case failed := <-ended:
			if ctx.Err() != nil {
				watcher.Leave()
				return run.Status{}, fmt.Errorf("stopped watching (%w): the run continues; follow it with `%s`", context.Cause(ctx), r.Command("status "+string(date)+" --watch"))
			}
			return r.endOf(ctx, conn, started, date, watcher, failed)
		case <-r.After(WatchInterval):
		}
	}
}

// landing returns the progress of the run's landing. It is a convenience: an error leaves it zero.
func (r *Reader) landing(ctx context.Context, conn *temporal.Connection, status run.Status, watcher Watcher) Landing {
	if !watcher.ShowsLanding() || !lands(status) {
		return Landing{}
	}
	progress, err := landingOf(ctx, conn, status.WorkflowID, status.RunID)
	if err != nil {
		return Landing{}
	}
	return progress
}

// lands reports whether the run lands records now: a task is running that has not started a
// notebook.
func lands(status run.Status) bool {
	for _, task := range status.Tasks {
		if task.State == run.Running && task.Link == "" {
			return true
		}
	}
	return false
}

// endOf returns the status of a run that has ended, with the error of its workflow.
func (r *Reader) endOf(ctx context.Context, conn *temporal.Connection, ended client.WorkflowRun, date dates.Date, watcher Watcher, failed error) (run.Status, error) {
	status, err := r.QueryRun(ctx, conn, ended.GetID(), ended.GetRunID())
	if err != nil {
		status, err = r.RecordedStatus(ctx, date, ended.GetRunID())
	}
	if err != nil {
		return run.Status{}, errors.Join(failed, err)
	}
	watcher.Show(status, Landing{})
	if failed != nil && !status.State.Bad() { // it was terminated, or could not write the ledger
		if recorded, err := r.RecordedStatus(ctx, date, ended.GetRunID()); err == nil && recorded.State.Bad() {
			return recorded, nil
		}
		status.State, status.Error = run.Failed, failure.Reason(failed)
	}
	return status, nil
}
