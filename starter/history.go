package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

const (
	// historyRows bounds what is read from visibility: more runs than a namespace keeps of one DAG.
	historyRows = 100_000
	// historyQueries is how many runs are asked for their states at once.
	historyQueries = 16
)

// dateRun is the latest run of a date.
type dateRun struct {
	run.Status
	// TasksUnknown says that the run could not be asked, because no worker answers: its tasks stand as none.
	TasksUnknown bool `json:"tasksUnknown,omitempty"`
}

// history is the latest run of each date of a span that has run: what the ledger has, which outlives Temporal's retention, and above it
// the runs that are going, or that ended without telling the ledger.
type history struct {
	from, to dates.Date
	runs     map[dates.Date]dateRun
	// lost is why something is missing: what is known is shown all the same.
	lost error
}

// history reads the runs of a span of dates.
func (a *app) history(ctx context.Context, from, to dates.Date) (*history, error) {
	table, err := definitionOf(dailyName)
	if err != nil {
		return nil, err
	}
	h := &history{from: from, to: to, runs: map[dates.Date]dateRun{}}
	entries, err := a.ledgerEntries(ctx, from, to)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		h.runs[entry.Date] = dateRun{Status: entry.Status}
	}
	conn, err := a.connect.temporal(ctx)
	if err != nil {
		return h, h.lose(err)
	}
	defer conn.Close()
	rows, err := a.listRuns(ctx, conn, spanQuery(from, to), historyRows)
	if err != nil {
		return h, h.lose(err)
	}
	return h, h.overlay(ctx, a, conn, h.newer(rows), table)
}

// lose keeps an error that takes only a part of the history away, and returns any other.
func (h *history) lose(err error) error {
	if exitCode(err) != exitUnreachable {
		return err
	}
	h.lost = err
	return nil
}

// spanQuery is the search for the runs of a span of dates, in Temporal's list filter.
func spanQuery(from, to dates.Date) string {
	return fmt.Sprintf("WorkflowType = '%s' AND %s = '%s' AND %s BETWEEN '%s' AND '%s'", run.RunWorkflow, search.DAG.GetName(), dailyName,
		search.Date.GetName(), from.Start().Format(time.RFC3339), to.Start().Format(time.RFC3339))
}

// newer are the latest runs of their dates that the ledger does not have yet.
func (h *history) newer(rows []runRow) []runRow {
	latest := map[dates.Date]runRow{}
	for _, row := range rows {
		if before, ok := latest[row.Date]; row.Date != "" && (!ok || row.Started.After(before.Started)) {
			latest[row.Date] = row
		}
	}
	var found []runRow
	for date, row := range latest {
		recorded, ok := h.runs[date]
		if !ok || recorded.RunID != row.RunID && row.Started.After(recorded.Started) {
			found = append(found, row)
		}
	}
	slices.SortFunc(found, func(a, b runRow) int { return strings.Compare(string(a.Date), string(b.Date)) })
	return found
}

// overlay asks the runs for their states, and puts them above what the ledger has.
func (h *history) overlay(ctx context.Context, a *app, conn *temporal.Connection, rows []runRow, table dag.DAG) error {
	asked := make([]dateRun, len(rows))
	missing := make([]error, len(rows))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(historyQueries)
	for i, row := range rows {
		group.Go(func() error {
			status, err := a.queryRun(ctx, conn, row.WorkflowID, row.RunID)
			if err == nil {
				asked[i] = dateRun{Status: endedOutside(status, row)}
				return nil
			}
			if exitCode(err) != exitUnreachable && !errors.As(err, new(*serviceerror.NotFound)) {
				return err
			}
			asked[i], missing[i] = unasked(row, table), err
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, run := range asked {
		h.runs[rows[i].Date] = run
		if h.lost == nil {
			h.lost = missing[i]
		}
	}
	return nil
}

// endedOutside is the state of a run that has had no chance to say that it ended, as after a termination; any other stays as it is.
func endedOutside(status run.Status, row runRow) run.Status {
	if !row.Ended.IsZero() && !status.State.Final() {
		status.State, status.Ended = run.Failed, row.Ended
		status.Error = "the run was ended from outside: " + row.State
	}
	return status
}

// unasked is what visibility alone knows of a run.
func unasked(row runRow, table dag.DAG) dateRun {
	state := run.State(row.State)
	if !row.Ended.IsZero() && state != run.Success {
		state = run.Failed
	}
	status := run.Status{
		DAG: dailyName, Date: row.Date, State: state, Trigger: run.Trigger(row.Trigger), Partial: row.Partial, WorkflowID: row.WorkflowID, RunID: row.RunID,
		Started: row.Started, Ended: row.Ended,
	}
	for _, t := range table {
		status.Tasks = append(status.Tasks, run.Task{ID: t.ID, After: t.After, TriggerRule: string(t.TriggerRule.Name()), Pool: t.Pool, State: run.None})
	}
	if state == run.Failed && row.State != string(run.Failed) {
		status.Error = "the run was ended from outside: " + row.State
	}
	return dateRun{Status: status, TasksUnknown: true}
}

// latestRun is the latest run of a date. lost is why only a part of it is known. It is a *noRunError if there is none.
func (a *app) latestRun(ctx context.Context, date dates.Date) (r dateRun, lost, err error) {
	conn, err := a.connect.temporal(ctx)
	if exitCode(err) == exitUnreachable {
		status, ledgerErr := a.ledgerStatus(ctx, date, "")
		return dateRun{Status: status}, err, ledgerErr
	}
	if err != nil {
		return dateRun{}, nil, err
	}
	defer conn.Close()
	status, err := a.runStatus(ctx, conn, date)
	if !errors.As(err, new(*noWorkerError)) {
		return dateRun{Status: status}, nil, err
	}
	lost = err
	description, err := conn.DescribeWorkflowExecution(ctx, run.WorkflowID(dailyName, date), "")
	if err != nil {
		return dateRun{}, nil, conn.Classify(err)
	}
	row, err := a.runRow(conn, description.GetWorkflowExecutionInfo())
	if err != nil {
		return dateRun{}, nil, err
	}
	row.Date = date
	table, err := definitionOf(dailyName)
	return unasked(row, table), lost, err
}

// all are the runs in the order of their dates.
func (h *history) all() []dateRun {
	runs := []dateRun{}
	for date := h.from; date <= h.to; date = date.Add(1) {
		if run, ok := h.runs[date]; ok {
			runs = append(runs, run)
		}
	}
	return runs
}

// shown is the end of a view: what could not be asked is told after what was shown, and makes the exit code 3.
func (a *app) shown(lost error) error {
	if lost == nil {
		return nil
	}
	a.note("\nNot all is known: %v", lost)
	return errShown{exitUnreachable}
}
