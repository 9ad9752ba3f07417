package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"go.temporal.io/sdk/activity"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// CancelNotebook cancels a Databricks run and waits until it has ended. A run that has already
// ended is left as it is. The workflow executes it when a try is cancelled: WaitNotebook cancels
// its run, too, but not if no worker was running at the time.
//
// Without the id of the run it looks for the active run that StartNotebook would rejoin: a worker
// may have died after it had started the run, and before it could return the id.
func (n *Notebooks) CancelNotebook(ctx context.Context, in CancelNotebookInput) error {
	if in.Run.RunID != 0 {
		return n.cancelAndWait(ctx, in.Run.RunID, in.Run.Link)
	}
	key := taskKey(in.Start, n.runToken(activity.GetInfo(ctx), in.Start))
	active, err := n.runsOfTask(ctx, in.Start)
	if err != nil {
		return err
	}
	for _, run := range active {
		if run.dates.From != in.Start.Date {
			continue
		}
		status, err := n.getRun(ctx, run.RunId)
		if err != nil {
			return databricksError(ctx, fmt.Sprintf("get active run %d", run.RunId), err)
		}
		if hasKey(status, key) {
			return n.cancelAndWait(ctx, run.RunId, status.RunPageUrl)
		}
	}
	return nil
}

// cancelAndWait cancels a run and waits until it has ended. An error is retried.
func (n *Notebooks) cancelAndWait(ctx context.Context, runID int64, page string) error {
	ended, err := n.cancelRun(ctx, runID)
	if err != nil {
		return databricksError(ctx, fmt.Sprintf("cancel run %d (%s)", runID, page), err)
	}
	if ended == nil {
		return fmt.Errorf("run %d was cancelled but has not ended yet; retrying: %s", runID, page)
	}
	return nil
}

// cancelOthers cancels the active runs of the same DAG, task and dates but its own, and waits until
// they have ended: a terminated workflow has left them, or one that was reset. If the task has the
// only slot of its pool, the same holds for the runs of other dates, except those that the Pools
// workflow has at work.
func (n *Notebooks) cancelOthers(ctx context.Context, in StartNotebookInput, own jobs.SubmitRun) error {
	active, err := n.runsOfTask(ctx, in)
	if err != nil {
		return err
	}
	for _, run := range active {
		if slices.Contains(in.Beside, run.dates.From) || !in.Alone && !run.dates.Overlap(in.Dates()) {
			continue
		}
		status, err := n.getRun(ctx, run.RunId)
		if err != nil {
			return databricksError(ctx, fmt.Sprintf("get active run %d", run.RunId), err)
		}
		if hasKey(status, own.Tasks[0].TaskKey) || !in.Alone && !handles(status, in.Dates()) {
			continue
		}
		activity.GetLogger(ctx).Warn("cancelling an active run of the same task that no workflow waits for", "run", run.RunId, "name", run.RunName)
		if err := n.cancelAndWait(ctx, run.RunId, status.RunPageUrl); err != nil {
			return err
		}
	}
	return nil
}

// handles reports whether a run handles one of the dates. The name of a run has only the first and
// the last of its dates.
func handles(status *jobs.Run, any []dates.Date) bool {
	if len(status.Tasks) == 0 || status.Tasks[0].NotebookTask == nil {
		return true
	}
	list, ok := status.Tasks[0].NotebookTask.BaseParameters[logicalDates]
	return !ok || slices.ContainsFunc(strings.Split(list, ","), func(date string) bool {
		return slices.Contains(any, dates.Date(date))
	})
}

// activeRun is an active run of a task, with its logical dates.
type activeRun struct {
	jobs.BaseRun
	dates run.DateSpan
}

// runsOfTask returns the active runs of a task, of all dates.
func (n *Notebooks) runsOfTask(ctx context.Context, in StartNotebookInput) ([]activeRun, error) {
	all, err := n.activeRuns(ctx)
	if err != nil {
		return nil, err
	}
	var active []activeRun
	for _, job := range all {
		if span, ok := n.Deployment.DatesOfJobRun(job.RunName, in.DAG, in.Task); ok {
			active = append(active, activeRun{job, span})
		}
	}
	return active, nil
}

// taskKey returns the key of the task of a run. It ends with the start of the token, which the API
// does not return: it distinguishes the run from others of the same name.
func taskKey(in StartNotebookInput, token string) string {
	return in.Task[:min(len(in.Task), maxTaskKey-17)] + "-" + token[:16]
}

func hasKey(run *jobs.Run, key string) bool {
	return len(run.Tasks) > 0 && run.Tasks[0].TaskKey == key
}
