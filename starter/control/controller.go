// Package control is what operators change: it starts runs and backfills, sends updates to them,
// cancels them, and applies the Schedule. It prints nothing.
package control

import (
	"context"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
)

// Controller changes the runs and the Schedule of one DAG.
type Controller struct {
	*history.Reader
	// Operator returns who makes the change, for others to read.
	Operator func() string
	// Log reports something about the work that is not its result.
	Log func(format string, args ...any)
}

// Update sends an update to a workflow and waits for its result. The error of a rejected update
// says what is possible.
func (c *Controller) Update(ctx context.Context, conn *temporal.Connection, id, update string, input any) error {
	limited, done := context.WithTimeout(ctx, history.QueryTimeout)
	defer done()
	handle, err := conn.UpdateWorkflow(limited, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: update, Args: []any{input}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(limited, nil)
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*serviceerror.NotFound)):
		return fmt.Errorf("%s is not running: it has ended, or was never started", id)
	case ctx.Err() == nil && limited.Err() != nil:
		return c.NoAnswer(ctx, conn, id, "", err)
	}
	return conn.Classify(err)
}

// UpdateRun sends an update to the run of a date. The error of a date that is not running says what
// to do.
func (c *Controller) UpdateRun(ctx context.Context, conn *temporal.Connection, date dates.Date, update string, input any) error {
	if err := c.mustBeRunning(ctx, conn, date); err != nil {
		return err
	}
	return c.Update(ctx, conn, c.WorkflowID(date), update, input)
}

// Cancel requests the cancellation of a date's run and notes the reason. Temporal keeps the request
// until a worker is running. The second error is that of the note.
func (c *Controller) Cancel(ctx context.Context, conn *temporal.Connection, date dates.Date, reason string) (err, noteErr error) {
	var blocked *history.BlockedError
	switch err := c.mustBeRunning(ctx, conn, date); {
	case errors.As(err, &blocked): // Temporal keeps the request until a worker can run it
		c.Log("The run of %s is cancelled as soon as a worker can run it. Until then it is blocked: %s\n%s", date, blocked.Blocked, blocked.WayOut)
	case err != nil:
		return err, nil
	}
	_, err = conn.WorkflowService().RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace: conn.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: c.WorkflowID(date)},
		Identity: c.Operator(), Reason: reason,
	})
	if err != nil {
		return conn.Classify(err), nil
	}
	return nil, c.AddNote(ctx, date, "cancelled: "+reason)
}

// AddNote writes a note on a date.
func (c *Controller) AddNote(ctx context.Context, date dates.Date, text string) error {
	objects, err := c.Systems.Bucket(ctx, c.Settings)
	if err != nil {
		return s3.Classify(err)
	}
	notes := ledger.Notes{Objects: objects}
	return s3.Classify(notes.Add(ctx, ledger.Note{DAG: c.DAG.Name, Date: date, At: c.Now(), By: c.Operator(), Text: text}))
}

// mustBeRunning returns an error if the run of the date has ended, or if there is none.
func (c *Controller) mustBeRunning(ctx context.Context, conn *temporal.Connection, date dates.Date) error {
	status, err := c.Status(ctx, conn, date)
	switch {
	case errors.As(err, new(*history.NoWorkerError)): // it is running, and no worker answers
		return nil
	case err != nil:
		return err
	case !status.Ended.IsZero():
		return fmt.Errorf("the run of %s has ended (%s): run tasks again with `%s`", date, status.State, c.Command(fmt.Sprintf("rerun %s --from task", date)))
	}
	return nil
}

// Pause returns the argument of an update that pauses or resumes.
func (c *Controller) Pause(reason string) run.Pause {
	return run.Pause{By: c.Operator(), Reason: reason}
}
