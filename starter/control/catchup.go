package control

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/starter/history"
)

// lookBack is how many ledger entries are read at a time in the search for the last success.
const lookBack = 30

// ResumeOptions is how the Schedule is resumed.
type ResumeOptions struct {
	// Catchup runs the missing dates, as a backfill of Parallel dates at a time.
	Catchup  bool
	Parallel int
	// Max limits the backfill to the latest dates; 0 is no limit.
	Max int
}

// Resumed is what resuming the Schedule did.
type Resumed struct {
	history.ScheduleView
	// Catchup holds the dates that a backfill runs now, Left those that remain missing.
	Catchup *history.DateSpan `json:"catchup,omitempty"`
	Left    *history.DateSpan `json:"left,omitempty"`
	// WorkflowID and UI are those of the backfill.
	WorkflowID string `json:"workflowId,omitempty"`
	UI         string `json:"ui,omitempty"`
}

// ResumeSchedule resumes the Schedule. It starts the backfill first: if that fails, the Schedule
// remains as it was.
func (c *Controller) ResumeSchedule(ctx context.Context, conn *temporal.Connection, o ResumeOptions) (Resumed, error) {
	handle := c.ScheduleHandle(ctx, conn)
	description, err := handle.Describe(ctx)
	if err != nil {
		return Resumed{}, c.ScheduleError(conn, err)
	}
	missing, err := c.missingDates(ctx, conn, description)
	if err != nil {
		return Resumed{}, err
	}
	done := Resumed{Left: missing}
	if o.Catchup && missing != nil {
		if done.Catchup, done.Left = missing.Latest(o.Max); done.Catchup != nil {
			if done.WorkflowID, done.UI, err = c.startCatchup(ctx, conn, done.Catchup, o.Parallel); err != nil {
				return Resumed{}, err
			}
		}
	}
	if err := handle.Unpause(ctx, client.ScheduleUnpauseOptions{Note: "resumed with `starter schedule resume`"}); err != nil {
		return Resumed{}, c.ScheduleError(conn, err)
	}
	if description, err = handle.Describe(ctx); err != nil {
		return Resumed{}, c.ScheduleError(conn, err)
	}
	done.ScheduleView, err = c.ViewSchedule(description)
	return done, err
}

// missingDates returns the dates from the day after the last success to yesterday, among those for
// which the Schedule should have fired since its creation.
func (c *Controller) missingDates(ctx context.Context, conn *temporal.Connection, description *client.ScheduleDescription) (*history.DateSpan, error) {
	firings, err := schedule.Past(ctx, conn, conn.Namespace, c.Settings.Deployment.ScheduleID(c.DAG.Name), description.Info, description.Info.CreatedAt, c.Now())
	if err != nil || len(firings) == 0 {
		return nil, conn.Classify(err)
	}
	first, last := firings[0].Date, c.Yesterday()
	for to := last; to >= first; { // the last success is rarely far back: the search starts at the end
		from := max(first, to.Add(1-lookBack))
		entries, err := c.Entries(ctx, from, to)
		if err != nil {
			return nil, err
		}
		for i := len(entries) - 1; i >= 0; i-- {
			if entry := entries[i]; entry.State == run.Success && !entry.Partial {
				return history.DatesFrom(entry.Date.Add(1), last), nil
			}
		}
		to = from.Add(-1)
	}
	return history.DatesFrom(first, last), nil
}

// startCatchup starts the backfill of the missing dates, or finds the one that is already running.
func (c *Controller) startCatchup(ctx context.Context, conn *temporal.Connection, missing *history.DateSpan, parallel int) (id, link string, err error) {
	in := run.RangeInput{
		DAG: c.DAG.Name, From: missing.From, To: missing.To, Parallel: parallel, Trigger: run.Backfill, Reprocess: run.ReprocessFailed,
		TriggeredBy: c.Operator(),
	}
	started, err := conn.ExecuteWorkflow(ctx, launch.RangeOptions(c.Settings.Deployment, in), run.RangeWorkflow, in)
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case err == nil:
		return started.GetID(), c.UILink(conn, started.GetID(), started.GetRunID()), nil
	case errors.As(err, &running):
		id = c.Settings.Deployment.RangeWorkflowID(in.DAG, in.From, in.To)
		c.Log("A backfill of these dates is already running.")
		return id, c.UILink(conn, id, running.RunId), nil
	}
	return "", "", fmt.Errorf("the backfill could not be started, and the Schedule was not resumed: %w", conn.Classify(err))
}
