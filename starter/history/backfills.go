package history

import (
	"context"
	"errors"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// OpenBackfills returns the running backfills, the oldest first.
func (r *Reader) OpenBackfills(ctx context.Context, conn *temporal.Connection) ([]RunRow, error) {
	rows, err := r.Runs(ctx, conn, search.Filter{Type: run.RangeWorkflow, NotTrigger: run.Scheduled, Open: true}, overviewListed)
	slices.SortFunc(rows, func(a, b RunRow) int { return a.Started.Compare(b.Started) })
	return rows, err
}

// OpenBackfillIDs returns the workflow ids of the running backfills, the oldest first.
func (r *Reader) OpenBackfillIDs(ctx context.Context, conn *temporal.Connection) ([]string, error) {
	rows, err := r.OpenBackfills(ctx, conn)
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.WorkflowID
	}
	return ids, err
}

// BackfillStatus is the progress of a backfill.
type BackfillStatus struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	run.RangeProgress
	// Left is the estimated remaining time in seconds; 0 if there is no estimate.
	Left float64 `json:"left,omitempty"`
	UI   string  `json:"ui"`
}

// CheckBackfill returns an error if the deployment has no backfill with that id. An operator may give
// the id of a backfill of another deployment.
func (r *Reader) CheckBackfill(ctx context.Context, conn *temporal.Connection, id string) error {
	_, err := r.describeBackfill(ctx, conn, id)
	return err
}

func (r *Reader) describeBackfill(ctx context.Context, conn *temporal.Connection, id string) (*workflowpb.WorkflowExecutionInfo, error) {
	description, err := conn.DescribeWorkflowExecution(ctx, id, "")
	if errors.As(err, new(*serviceerror.NotFound)) {
		return nil, fmt.Errorf("there is no backfill %s: `%s` lists the running ones", id, r.Command("backfill show"))
	}
	if err != nil {
		return nil, conn.Classify(err)
	}
	info := description.GetWorkflowExecutionInfo()
	if queue := info.GetTaskQueue(); queue != r.Settings.Deployment.TaskQueue() {
		return nil, fmt.Errorf("%s is of deployment %s, and the settings are of deployment %s: set PINFLOW_DEPLOYMENT", id, queue, r.Settings.Deployment)
	}
	return info, nil
}

// Backfill returns the progress of a backfill.
func (r *Reader) Backfill(ctx context.Context, conn *temporal.Connection, id string) (BackfillStatus, error) {
	info, err := r.describeBackfill(ctx, conn, id)
	if err != nil {
		return BackfillStatus{}, err
	}
	view := BackfillStatus{ID: id, Status: string(search.StateOf(info.GetStatus())), UI: r.UILink(conn, id, info.GetExecution().GetRunId())}
	if err := r.Query(ctx, conn, id, "", run.ProgressQuery, &view.RangeProgress); err != nil {
		return BackfillStatus{}, err
	}
	if left, ok := view.RangeProgress.Left(); ok && info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		view.Left = left.Seconds()
	}
	return view, nil
}
