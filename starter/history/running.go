package history

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.temporal.io/api/serviceerror"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// runningRuns returns the open runs, blocked and held ones first, then by date.
func (r *Reader) runningRuns(ctx context.Context, conn *temporal.Connection, query bool) (running []RunNow, more int, err error) {
	rows, err := r.Runs(ctx, conn, search.Filter{Open: true}, overviewListed)
	if err != nil {
		return nil, 0, err
	}
	held := func(row RunRow) int {
		if row.State == run.Blocked || row.State == run.Held {
			return 0
		}
		return 1
	}
	slices.SortFunc(rows, func(a, b RunRow) int {
		if order := held(a) - held(b); order != 0 {
			return order
		}
		return strings.Compare(string(a.Date), string(b.Date))
	})
	more = max(0, len(rows)-overviewRuns)
	rows = rows[:len(rows)-more]
	running = make([]RunNow, len(rows))
	group, ctx := errgroup.WithContext(ctx)
	for i, row := range rows {
		running[i] = RunNow{Date: row.Date, State: row.State, Trigger: row.Trigger, Partial: row.Partial, Started: row.Started, UI: row.UI}
		if row.Blocked != nil {
			running[i].Now = []string{row.Blocked.String()}
			continue
		}
		if !query {
			continue
		}
		group.Go(func() error {
			status, err := r.QueryRun(ctx, conn, row.WorkflowID, row.RunID)
			if unanswered(err) {
				return nil
			}
			running[i].State, running[i].Now, running[i].Partial = status.State, doing(status), status.Partial
			return err
		})
	}
	return running, more, group.Wait()
}

// unanswered reports whether a query failed because the workflow is blocked, because no worker
// answers, or because Temporal has forgotten the workflow.
func unanswered(err error) bool {
	return errors.As(err, new(*BlockedError)) || errors.As(err, new(*NoWorkerError)) || errors.As(err, new(*serviceerror.NotFound))
}

// doing returns what a run does and what it waits for; what waits for an operator comes first.
func doing(status run.Status) []string {
	var held, running, waiting []string
	if status.Paused != "" {
		held = append(held, "paused: "+status.Paused)
	}
	for _, task := range status.Tasks {
		switch {
		case task.State == run.Held:
			held = append(held, task.ID+" waits for a decision")
		case task.State == run.UpForRetry:
			waiting = append(waiting, task.ID+" waits for its next try")
		case task.Waiting != "" && !task.State.Final():
			waiting = append(waiting, task.ID+" waits for "+task.Waiting)
		case task.State == run.Running:
			running = append(running, task.ID+" is running")
		}
	}
	all := slices.Concat(held, running, waiting)
	switch {
	case len(all) > 0:
		return all
	case status.State.Final():
		return []string{"has just ended"}
	}
	return []string{"is starting"}
}

// runningBackfills returns the running backfills, the oldest first.
func (r *Reader) runningBackfills(ctx context.Context, conn *temporal.Connection, query bool) ([]BackfillNow, error) {
	rows, err := r.OpenBackfills(ctx, conn)
	if err != nil {
		return nil, err
	}
	all := make([]BackfillNow, len(rows))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(overviewRuns)
	for i, row := range rows {
		all[i] = BackfillNow{WorkflowID: row.WorkflowID, Started: row.Started, Blocked: row.Blocked, UI: row.UI}
		if !query || row.Blocked != nil {
			continue
		}
		group.Go(func() error {
			var progress run.RangeProgress
			err := r.Query(ctx, conn, row.WorkflowID, "", run.ProgressQuery, &progress)
			if unanswered(err) {
				return nil
			}
			if left, ok := progress.Left(); ok {
				seconds := left.Seconds()
				all[i].Left = &seconds
			}
			all[i].Progress = &progress
			return err
		})
	}
	return all, group.Wait()
}
