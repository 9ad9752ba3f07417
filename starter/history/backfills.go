package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	sdktemporal "go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
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

// BackfillStatus is a backfill: its progress, or how it ended.
type BackfillStatus struct {
	ID string `json:"id"`
	// Status is the state of the backfill: running, blocked, success, failed, cancelled, terminated or
	// timed_out.
	Status string    `json:"status"`
	Ended  time.Time `json:"ended,omitzero"`
	run.RangeProgress
	// Left is the estimated remaining time in seconds; 0 if there is no estimate.
	Left float64 `json:"left,omitempty"`
	// Unknown is why the progress of a running backfill is not known.
	Unknown string `json:"unknown,omitempty"`
	UI      string `json:"ui"`
}

// Backfills returns the latest backfills, the latest started first, at most so many.
func (r *Reader) Backfills(ctx context.Context, conn *temporal.Connection, limit int) ([]BackfillStatus, error) {
	rows, err := r.Runs(ctx, conn, search.Filter{Type: run.RangeWorkflow, NotTrigger: run.Scheduled}, overviewListed)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(row RunRow) bool { return row.State == search.ContinuedAsNew }) // the next run of the same backfill
	rows = rows[:min(limit, len(rows))]
	all := make([]BackfillStatus, len(rows))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(spanQueries)
	for i, row := range rows {
		group.Go(func() (err error) {
			all[i], err = r.backfill(ctx, conn, row)
			return err
		})
	}
	return all, group.Wait()
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
		return nil, fmt.Errorf("there is no backfill %s: `%s` lists them", id, r.Command("backfill show"))
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

// Backfill returns a backfill: the latest one with that id.
func (r *Reader) Backfill(ctx context.Context, conn *temporal.Connection, id string) (BackfillStatus, error) {
	info, err := r.describeBackfill(ctx, conn, id)
	if err != nil {
		return BackfillStatus{}, err
	}
	found, err := search.Of(info)
	if err != nil {
		return BackfillStatus{}, err
	}
	return r.backfill(ctx, conn, RunRow{Run: found, UI: r.UILink(conn, id, found.RunID)})
}

// backfill returns the backfill of a row: from a worker if it is running, from its result otherwise.
func (r *Reader) backfill(ctx context.Context, conn *temporal.Connection, row RunRow) (BackfillStatus, error) {
	status := BackfillStatus{ID: row.WorkflowID, Status: string(row.State), Ended: row.Ended, UI: row.UI}
	status.From, status.To = spanOf(row.WorkflowID)
	status.Started = row.Started
	if !row.Ended.IsZero() {
		return status, status.readResult(ctx, conn, row.RunID)
	}
	var progress run.RangeProgress
	err := r.Query(ctx, conn, row.WorkflowID, "", run.ProgressQuery, &progress)
	var blocked *BlockedError
	switch {
	case errors.As(err, &blocked):
		status.Status, status.Unknown = string(run.Blocked), blocked.String()+"\n"+blocked.WayOut
		return status, nil
	case errors.As(err, new(*NoWorkerError)):
		status.Unknown = err.Error()
		return status, nil
	case err != nil:
		return BackfillStatus{}, err
	}
	status.RangeProgress = progress
	if left, ok := progress.Left(); ok {
		status.Left = left.Seconds()
	}
	return status, nil
}

// readResult adds the result of a backfill that has ended. One that was ended from outside has none.
func (s *BackfillStatus) readResult(ctx context.Context, conn *temporal.Connection, runID string) error {
	err := conn.GetWorkflow(ctx, s.ID, runID).Get(ctx, &s.RangeResult)
	var (
		failed    *sdktemporal.ApplicationError
		cancelled *sdktemporal.CanceledError
	)
	switch {
	case errors.As(err, &failed) && failed.Type() == failure.RangeFailed:
		return failed.Details(&s.RangeResult)
	case errors.As(err, &cancelled) && cancelled.HasDetails():
		return cancelled.Details(&s.RangeResult)
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return nil
}

// spanOf returns the dates in the id of a backfill.
func spanOf(id string) (from, to dates.Date) {
	const length = len(time.DateOnly)
	if len(id) < 2*length+1 {
		return "", ""
	}
	end := id[len(id)-2*length-1:]
	return dates.Date(end[:length]), dates.Date(end[length+1:])
}
