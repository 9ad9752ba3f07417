package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// runningRuns are the runs that are going, those that wait for somebody first, then by date.
func (a *app) runningRuns(ctx context.Context, conn *temporal.Connection, asking bool) (running []runNow, more int, err error) {
	query, errQuery := runsFilter{going: true}.query()
	rows, err := a.listRuns(ctx, conn, query, overviewListed)
	if err := errors.Join(errQuery, err); err != nil {
		return nil, 0, err
	}
	held := func(r runRow) int {
		if r.State == string(run.Held) {
			return 0
		}
		return 1
	}
	slices.SortFunc(rows, func(a, b runRow) int {
		if order := held(a) - held(b); order != 0 {
			return order
		}
		return strings.Compare(string(a.Date), string(b.Date))
	})
	more = max(0, len(rows)-overviewRuns)
	rows = rows[:len(rows)-more]
	running = make([]runNow, len(rows))
	group, ctx := errgroup.WithContext(ctx)
	for i, row := range rows {
		running[i] = runNow{Date: row.Date, State: row.State, Trigger: row.Trigger, Partial: row.Partial, Started: row.Started, UI: row.UI}
		if !asking {
			continue
		}
		group.Go(func() error {
			status, err := a.queryRun(ctx, conn, row.WorkflowID, row.RunID)
			if unanswered(err) {
				return nil
			}
			running[i].State, running[i].Now, running[i].Partial = string(status.State), doing(status), status.Partial
			return err
		})
	}
	return running, more, group.Wait()
}

// unanswered says that a workflow could not be asked, as no worker answers or it has ended and is forgotten.
func unanswered(err error) bool {
	return errors.As(err, new(*noWorkerError)) || errors.As(err, new(*serviceerror.NotFound))
}

// doing is what a run does and what it waits for: what waits for somebody comes first.
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
			running = append(running, task.ID+" runs")
		}
	}
	all := slices.Concat(held, running, waiting)
	switch {
	case len(all) > 0:
		return all
	case status.State.Final():
		return []string{"has just ended"}
	}
	return []string{"starts"}
}

// runningBackfills are the backfills that are going, the oldest first.
func (a *app) runningBackfills(ctx context.Context, conn *temporal.Connection, asking bool) ([]backfillNow, error) {
	rows, err := a.goingBackfills(ctx, conn)
	if err != nil {
		return nil, err
	}
	all := make([]backfillNow, len(rows))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(overviewRuns)
	for i, row := range rows {
		all[i] = backfillNow{WorkflowID: row.WorkflowID, Started: row.Started, UI: row.UI}
		if !asking {
			continue
		}
		group.Go(func() error {
			var progress run.RangeProgress
			err := a.query(ctx, conn, row.WorkflowID, "", run.ProgressQuery, &progress)
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

// pools are all pools of the namespace. One whose workflow does not run has nobody who holds or wants a slot.
func (a *app) pools(ctx context.Context, conn *temporal.Connection, asking bool) ([]poolNow, error) {
	all := make([]poolNow, len(workflows.DefaultCatalog.Pools))
	group, ctx := errgroup.WithContext(ctx)
	for i, pool := range workflows.DefaultCatalog.Pools {
		all[i] = poolNow{Name: pool.Name, Slots: pool.Slots, Holders: []run.Slot{}, Waiting: []run.Slot{}}
		group.Go(func() error {
			id := run.PoolWorkflowID(pool.Name)
			description, err := conn.DescribeWorkflowExecution(ctx, id, "")
			if errors.As(err, new(*serviceerror.NotFound)) || err == nil && description.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
				return nil
			}
			if err != nil {
				return conn.Classify(err)
			}
			all[i].Unknown = true
			if !asking {
				return nil
			}
			var state run.PoolState
			if err := a.query(ctx, conn, id, "", run.PoolQuery, &state); err != nil {
				if unanswered(err) {
					return nil
				}
				return err
			}
			all[i] = poolNow{Name: pool.Name, Slots: state.Slots, Holders: append(all[i].Holders, state.Holders...), Waiting: append(all[i].Waiting, state.Waiting...), Announced: state.Reserved}
			return nil
		})
	}
	return all, group.Wait()
}
