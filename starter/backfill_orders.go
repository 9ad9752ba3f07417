package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// backfillOrders are the commands that show and change backfills that are going. Each takes the id of a backfill; without one it means
// the only one that is going.
func (a *app) backfillOrders() []*cobra.Command {
	var reason string
	var now bool
	order := func(use, short, update string, input func() any) *cobra.Command {
		c := &cobra.Command{
			Use: use + " [id]", Short: short, Args: cobra.MaximumNArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				return a.orderBackfill(c, strings.Join(args, ""), update, input())
			},
		}
		c.Flags().StringVar(&reason, "reason", "", "why, for others to read")
		return prints(c, formTable, formJSON)
	}
	why := func() run.Pause {
		return run.Pause{By: a.operator(), Reason: orDefault(reason, "no reason given")}
	}
	pause := order("pause", "Start no more dates; those that run finish", run.PauseUpdate, func() any { return why() })
	resume := order("resume", "Go on with a paused backfill", run.ResumeUpdate, func() any { return why() })
	cancel := order("cancel", "End a backfill: dates that run finish, or are cancelled with --now", run.StopUpdate, func() any {
		return run.Stop{Pause: why(), Now: now}
	})
	cancel.Flags().BoolVar(&now, "now", false, "cancel the runs that are going, too")
	show := &cobra.Command{
		Use: "show [id]", Short: "Show how far backfills are", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.listBackfills(c, strings.Join(args, "")) },
	}
	parallel := &cobra.Command{
		Use: "parallel <n> [id]", Short: "Change how many dates run at a time", Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[0])
			if err != nil || n < 1 || n > run.MaxParallel {
				return usagef("parallel %s: it is a number between 1 and %d", args[0], run.MaxParallel)
			}
			return a.orderBackfill(c, strings.Join(args[1:], ""), run.ParallelUpdate, n)
		},
	}
	return []*cobra.Command{prints(show, formTable, formJSON), pause, resume, prints(parallel, formTable, formJSON), cancel}
}

func orDefault(text, otherwise string) string {
	if strings.TrimSpace(text) == "" {
		return otherwise
	}
	return text
}

// orderBackfill gives a backfill an order, and shows how it then stands.
func (a *app) orderBackfill(c *cobra.Command, id, update string, input any) error {
	ctx := c.Context()
	conn, err := a.connect.temporal(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if id == "" {
		if id, err = a.onlyBackfill(ctx, conn); err != nil {
			return err
		}
	}
	if err := a.order(ctx, conn, id, update, input); err != nil {
		return err
	}
	return a.printBackfills(c, conn, []string{id})
}

// order sends an update to a workflow and waits for its answer. One that is refused says what is possible.
func (a *app) order(ctx context.Context, conn *temporal.Connection, id, update string, input any) error {
	asking, done := context.WithTimeout(ctx, queryTimeout)
	defer done()
	handle, err := conn.UpdateWorkflow(asking, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: update, Args: []any{input}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(asking, nil)
	}
	var missing *serviceerror.NotFound
	switch {
	case err == nil:
		return nil
	case errors.As(err, &missing):
		return fmt.Errorf("%s is not going: it has ended, or was never started", id)
	case ctx.Err() == nil && asking.Err() != nil:
		return noWorker(err)
	}
	return conn.Classify(err)
}

// onlyBackfill is the id of the backfill that is going, if there is exactly one.
func (a *app) onlyBackfill(ctx context.Context, conn *temporal.Connection) (string, error) {
	ids, err := a.idsOfBackfills(ctx, conn)
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "", errors.New("no backfill is going")
	case len(ids) > 1:
		return "", usagef("which backfill? Name one of %s", strings.Join(ids, ", "))
	}
	return ids[0], nil
}

// goingBackfills are the backfills that are going, the oldest first.
func (a *app) goingBackfills(ctx context.Context, conn *temporal.Connection) ([]runRow, error) {
	rows, err := a.listRuns(ctx, conn, fmt.Sprintf("WorkflowType = '%s' AND %s = '%s' AND %s != '%s' AND ExecutionStatus = 'Running'", run.RangeWorkflow,
		search.DAG.GetName(), dailyName, search.Trigger.GetName(), run.Scheduled), overviewListed)
	slices.SortFunc(rows, func(a, b runRow) int { return a.Started.Compare(b.Started) })
	return rows, err
}

// idsOfBackfills are the ids of the backfills that are going.
func (a *app) idsOfBackfills(ctx context.Context, conn *temporal.Connection) ([]string, error) {
	rows, err := a.goingBackfills(ctx, conn)
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.WorkflowID
	}
	return ids, err
}

func (a *app) listBackfills(c *cobra.Command, id string) error {
	conn, err := a.connect.temporal(c.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	ids := []string{id}
	if id == "" {
		if ids, err = a.idsOfBackfills(c.Context(), conn); err != nil {
			return err
		}
	}
	return a.printBackfills(c, conn, ids)
}

// backfillView is how far a backfill is.
type backfillView struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	run.RangeProgress
	// Left is the time that it is likely to need, in seconds; 0 if that is not known.
	Left float64 `json:"left,omitempty"`
	UI   string  `json:"ui"`
}

func (a *app) printBackfills(c *cobra.Command, conn *temporal.Connection, ids []string) error {
	views := []backfillView{}
	for _, id := range ids {
		view, err := a.backfillView(c.Context(), conn, id)
		if err != nil {
			return err
		}
		views = append(views, view)
	}
	if a.form(c) == formJSON {
		return a.printJSON(views)
	}
	if len(views) == 0 {
		a.say("No backfill is going. Start one with `starter backfill --from date --to date`.")
	}
	for i, view := range views {
		if i > 0 {
			a.say("")
		}
		state := view.Status
		going := state == string(run.Running)
		if going && view.Paused != "" {
			state = "paused"
		}
		a.say("%s: %s", view.ID, state)
		a.say("  %d of %d dates done (%d success, %d failed, %d skipped), %d at a time", view.Done(), view.Total, view.Success, view.Failed, view.Skipped, view.Parallel)
		if note := a.backfillNote(view.RangeProgress); going && note != "" {
			a.say("  %s", note)
		}
		if going && view.Paused != "" {
			a.say("  %s", pausedBackfill(view.Paused))
		}
		if view.Stopped != "" {
			a.say("  %s", view.Stopped)
		}
		a.say("  %s", view.UI)
	}
	return nil
}

func (a *app) backfillView(ctx context.Context, conn *temporal.Connection, id string) (backfillView, error) {
	description, err := conn.DescribeWorkflowExecution(ctx, id, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return backfillView{}, fmt.Errorf("there is no backfill %s: `starter backfill show` lists those that are going", id)
	}
	if err != nil {
		return backfillView{}, conn.Classify(err)
	}
	info := description.GetWorkflowExecutionInfo()
	view := backfillView{ID: id, Status: executionState(info.GetStatus()), UI: a.uiLink(conn, id, info.GetExecution().GetRunId())}
	if err := a.query(ctx, conn, id, "", run.ProgressQuery, &view.RangeProgress); err != nil {
		return backfillView{}, err
	}
	if left, ok := view.RangeProgress.Left(); ok && info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		view.Left = left.Seconds()
	}
	return view, nil
}
