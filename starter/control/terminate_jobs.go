package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/systems"
	"github.com/pinflow/pinflow/starter/term"
)

// JobRun is a Databricks run of a terminated run.
type JobRun struct {
	Task     string `json:"task"`
	JobRunID int64  `json:"jobRunId"`
	Link     string `json:"link,omitempty"`
	// Ended reports whether it has ended.
	Ended bool `json:"ended"`
}

func (j JobRun) String() string {
	text := j.name()
	if j.Link != "" {
		text += " (" + j.Link + ")"
	}
	return text
}

func (j JobRun) ended() JobRun {
	j.Ended = true
	return j
}

// addJob adds a Databricks run, in place of what was known of it.
func (t *Termination) addJob(job JobRun) {
	t.JobRuns = slices.DeleteFunc(t.JobRuns, func(j JobRun) bool { return j.JobRunID == job.JobRunID })
	t.JobRuns = append(t.JobRuns, job)
}

func (j JobRun) name() string { return fmt.Sprintf("%d of %s", j.JobRunID, j.Task) }

// cancelJobRuns cancels the active Databricks runs of the date, by their names, and waits until they
// have ended: those of tasks without a pool, of which only the run knew, and those that no worker is
// running to cancel.
func (c *Controller) cancelJobRuns(ctx context.Context, status run.Status, done *Termination) {
	err := c.cancelActive(ctx, done)
	for _, task := range status.Tasks { // those that were not found, because Databricks did not answer
		known := slices.ContainsFunc(done.JobRuns, func(j JobRun) bool { return j.JobRunID == task.JobRunID })
		if err != nil && task.State == run.Cancelled && task.JobRunID != 0 && !known {
			done.addJob(JobRun{Task: task.ID, JobRunID: task.JobRunID, Link: task.Link})
		}
	}
	var left []string
	for _, job := range done.JobRuns {
		if !job.Ended {
			left = append(left, job.String())
		}
	}
	switch {
	case ctx.Err() != nil:
	case err == nil && len(left) == 0:
	case errors.Is(err, errTime):
		done.leave(err, "%s: cancelled, but not ended yet.", jobRuns(left))
	case len(left) > 0:
		done.leave(err, "%s may continue: %v. Repeat the command, or cancel it there.", jobRuns(left), err)
	case err != nil:
		done.leave(err, "Databricks runs of this date may continue: %v. Repeat the command.", err)
	}
}

func jobRuns(names []string) string {
	if len(names) == 1 {
		return "Databricks run " + names[0]
	}
	return "Databricks runs " + term.Join(names)
}

// cancelActive does the work of cancelJobRuns. Each time that all runs have ended it looks again: a
// worker may have been starting one.
func (c *Controller) cancelActive(ctx context.Context, done *Termination) error {
	ws, err := c.Systems.Workspace()
	if err != nil {
		return databricks.Classify(err)
	}
	var asked []int64 // to end
	for {
		found, err := c.activeJobRuns(ctx, ws.Runs, done.Date, asked)
		if err != nil || len(found) == 0 {
			return databricks.Classify(err)
		}
		for _, job := range found {
			done.addJob(job)
			asked = append(asked, job.JobRunID)
			if _, err := ws.Runs.CancelRun(ctx, jobs.CancelRun{RunId: job.JobRunID}); err != nil {
				return databricks.Classify(err)
			}
		}
		c.Log("Waiting until Databricks has cancelled %s.", names(found))
		if err := c.awaitEnd(ctx, ws.Runs, done); err != nil {
			return databricks.Classify(err)
		}
	}
}

func names(all []JobRun) string {
	texts := make([]string, len(all))
	for i, job := range all {
		texts[i] = job.name()
	}
	return term.Join(texts)
}

// activeJobRuns returns the active Databricks runs of the date, except those that were asked to end.
func (c *Controller) activeJobRuns(ctx context.Context, api systems.JobRuns, date dates.Date, asked []int64) (found []JobRun, err error) {
	listed := api.ListRuns(ctx, jobs.ListRunsRequest{ActiveOnly: true, RunType: jobs.RunTypeSubmitRun})
	for listed.HasNext(ctx) {
		active, err := listed.Next(ctx)
		if err != nil {
			return nil, err
		}
		task, ok := c.Settings.Deployment.TaskOfJobRun(active.RunName, c.DAG.Name, date)
		if ok && !slices.Contains(asked, active.RunId) {
			found = append(found, JobRun{Task: task, JobRunID: active.RunId, Link: active.RunPageUrl})
		}
	}
	return found, nil
}

// awaitEnd waits until all Databricks runs have ended. The error is errTime if that takes too long.
func (c *Controller) awaitEnd(ctx context.Context, api systems.JobRuns, done *Termination) error {
	for waited := time.Duration(0); ; waited += endInterval {
		open := 0
		for i := range done.JobRuns {
			job := &done.JobRuns[i]
			if job.Ended {
				continue
			}
			got, err := api.GetRun(ctx, jobs.GetRunRequest{RunId: job.JobRunID})
			if err != nil && (waited >= endWait || fault.KindOf(databricks.Classify(err)) != fault.Unreachable) {
				return err
			}
			if job.Ended = err == nil && hasEnded(got); !job.Ended {
				open++
			}
		}
		switch {
		case open == 0:
			return nil
		case waited >= endWait:
			return errTime
		case !c.rest(ctx):
			return ctx.Err()
		}
	}
}

// hasEnded reports whether a Databricks run has ended. Versions of the API differ in the fields that
// they fill.
func hasEnded(found *jobs.Run) bool {
	return found.EndTime != 0 || found.Status != nil && found.Status.State == jobs.RunLifecycleStateV2StateTerminated
}
