package history

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/starter/term"
)

const (
	// blockedEvents is how many of the latest events are searched for the failure. Temporal records
	// the first failure only, so that few events can follow it.
	blockedEvents = 50
	// blockedMessage limits the message of a failure, in characters.
	blockedMessage = 300
)

// Blocked is why an open workflow neither continues nor answers: its workflow task fails again and
// again, for example because the worker's code differs from the workflow's history.
type Blocked struct {
	// Since is when the workflow task failed first, Attempt the attempt that is due or under way.
	Since   time.Time `json:"since"`
	Attempt int32     `json:"attempt"`
	// Cause is Temporal's word for the first failure, Message the first line of its text.
	Cause   string `json:"cause,omitempty"`
	Message string `json:"message,omitempty"`
}

func (b Blocked) String() string {
	text := fmt.Sprintf("workflow task fails since %s UTC, attempt %d", b.Since.UTC().Format("2006-01-02 15:04"), b.Attempt)
	switch {
	case b.Message != "":
		text += ": " + b.Message
	case b.Cause != "":
		text += ": " + b.Cause
	}
	return text
}

// BlockedError is the error of a question to a blocked workflow, or of a change of it.
type BlockedError struct {
	Blocked
	// ID is the workflow id, WayOut what the reader can do.
	ID, WayOut string
}

func (e *BlockedError) Error() string {
	return fmt.Sprintf("%s is blocked: %s\n%s", e.ID, e.Blocked, e.WayOut)
}

// Hint returns what the reader can do.
func (e *BlockedError) Hint() string { return e.WayOut }

// wayOut says what to do about a blocked workflow: to repair it, or to end it.
func (r *Reader) wayOut(workflowID string) string {
	end := "terminate it in the Web UI"
	if date, ok := strings.CutPrefix(workflowID, r.WorkflowID("")); ok && len(date) == len(time.DateOnly) {
		end = fmt.Sprintf("end it with `%s`", r.Command("terminate "+date+" --reason text"))
	}
	return "Deploy workers of a build that can run it, or " + end + "."
}

// blockedOf returns why a workflow is blocked, or nil if it is not. It needs no worker.
func blockedOf(ctx context.Context, conn *temporal.Connection, id, runID string) (*Blocked, error) {
	description, err := conn.DescribeWorkflowExecution(ctx, id, runID)
	if errors.As(err, new(*serviceerror.NotFound)) {
		return nil, nil
	}
	if err != nil {
		return nil, conn.Classify(err)
	}
	info, pending := description.GetWorkflowExecutionInfo(), description.GetPendingWorkflowTask()
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || pending.GetAttempt() < search.BlockedAttempts {
		return nil, nil
	}
	blocked := firstFailure(ctx, conn, info.GetExecution(), pending)
	return &blocked, nil
}

// firstFailure returns when and why the pending workflow task failed first. The failure is known
// without it, so that an error leaves only the cause open.
func firstFailure(ctx context.Context, conn *temporal.Connection, execution *commonpb.WorkflowExecution, pending *workflowpb.PendingWorkflowTaskInfo) Blocked {
	b := Blocked{Since: pending.GetOriginalScheduledTime().AsTime(), Attempt: pending.GetAttempt()}
	page, err := conn.WorkflowService().GetWorkflowExecutionHistoryReverse(ctx, &workflowservice.GetWorkflowExecutionHistoryReverseRequest{
		Namespace: conn.Namespace, Execution: execution, MaximumPageSize: blockedEvents,
	})
	if err != nil {
		return b
	}
	for _, event := range page.GetHistory().GetEvents() {
		switch attributes := event.GetAttributes().(type) {
		case *historypb.HistoryEvent_WorkflowTaskFailedEventAttributes:
			failed := attributes.WorkflowTaskFailedEventAttributes
			b.Since, b.Cause = event.GetEventTime().AsTime(), failed.GetCause().String()
			b.Message = term.FirstLine(failed.GetFailure().GetMessage(), blockedMessage)
			return b
		case *historypb.HistoryEvent_WorkflowTaskTimedOutEventAttributes:
			b.Since, b.Cause = event.GetEventTime().AsTime(), "the worker did not complete it in time"
			return b
		}
	}
	return b
}

// markBlocked gives the open workflows among the rows that are blocked their state. Visibility does
// not know it.
func (r *Reader) markBlocked(ctx context.Context, conn *temporal.Connection, rows []RunRow) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(spanQueries)
	for i := range rows {
		if row := &rows[i]; row.Ended.IsZero() {
			group.Go(func() error {
				blocked, err := blockedOf(ctx, conn, row.WorkflowID, row.RunID)
				if blocked != nil {
					row.State, row.Blocked = run.Blocked, blocked
				}
				return err
			})
		}
	}
	return group.Wait()
}

// BlockedWorkflow is a run, a backfill or the Pools workflow that is blocked.
type BlockedWorkflow struct {
	WorkflowID string
	Blocked    *Blocked
	WayOut     string
}

// BlockedWorkflows returns the open runs and ranges of the DAG that are blocked, and the workflow of
// the pools if that is.
func (r *Reader) BlockedWorkflows(ctx context.Context, conn *temporal.Connection) ([]BlockedWorkflow, error) {
	var all []BlockedWorkflow
	for _, kind := range []string{run.RunWorkflow, run.RangeWorkflow} {
		rows, err := r.Runs(ctx, conn, search.Filter{Type: kind, State: run.Blocked}, maxRunning)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			all = append(all, BlockedWorkflow{row.WorkflowID, row.Blocked, r.wayOut(row.WorkflowID)})
		}
	}
	pools := r.Settings.Deployment.PoolsID()
	blocked, err := blockedOf(ctx, conn, pools, "")
	if blocked != nil {
		all = append(all, BlockedWorkflow{pools, blocked, r.wayOut(pools)})
	}
	return all, err
}
