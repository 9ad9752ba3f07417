package history

import (
	"context"
	"errors"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

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

// Backfill returns the progress of a backfill.
func (r *Reader) Backfill(ctx context.Context, conn *temporal.Connection, id string) (BackfillStatus, error) {
	description, err := conn.DescribeWorkflowExecution(ctx, id, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return BackfillStatus{}, fmt.Errorf("there is no backfill %s: `%s` lists the running ones", id, r.Command("backfill show"))
	}
	if err != nil {
		return BackfillStatus{}, conn.Classify(err)
	}
	info := description.GetWorkflowExecutionInfo()
	view := BackfillStatus{ID: id, Status: string(search.StateOf(info.GetStatus())), UI: r.UILink(conn, id, info.GetExecution().GetRunId())}
	if err := r.Query(ctx, conn, id, "", run.ProgressQuery, &view.RangeProgress); err != nil {
		return BackfillStatus{}, err
	}
	if left, ok := view.RangeProgress.Left(); ok && info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		view.Left = left.Seconds()
	}
	return view, nil
}
