package main

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/workflows"
)

// foundGaps are the facts behind the gaps, and the Schedule as it is now.
type foundGaps struct {
	gapFacts
	now *scheduleNow
}

// findGaps gathers what is known of the dates from since on. description is nil if there is no Schedule: then nothing is expected, and the dates
// that failed or were seen in part are all.
func (a *app) findGaps(ctx context.Context, conn *temporal.Connection, description *client.ScheduleDescription, since dates.Date) (foundGaps, error) {
	found := foundGaps{gapFacts: gapFacts{now: a.now()}}
	var err error
	if found.named, err = workflows.DefaultCatalog.Definition(dailyName); err != nil {
		return found, err
	}
	if description != nil {
		if err := a.findFirings(ctx, conn, description, since, &found); err != nil {
			return found, err
		}
	}
	if found.entries, err = a.ledgerEntries(ctx, since, a.yesterday()); err != nil {
		return found, err
	}
	rows, err := a.listRuns(ctx, conn, spanQuery(since, a.yesterday()), overviewListed)
	if err != nil {
		return found, err
	}
	found.runs = latestRuns(found.entries, rows)
	found.ranges, err = a.findRanges(ctx, conn, found.gapFacts)
	return found, err
}

// findFirings fills in the Schedule, and when it should have fired.
func (a *app) findFirings(ctx context.Context, conn *temporal.Connection, description *client.ScheduleDescription, since dates.Date, found *foundGaps) error {
	view, err := a.viewSchedule(description)
	if err != nil {
		return err
	}
	counts, err := conn.WorkflowService().DescribeSchedule(ctx, &workflowservice.DescribeScheduleRequest{Namespace: conn.Namespace, ScheduleId: view.ID})
	if err != nil {
		return conn.Classify(err)
	}
	found.schedule = scheduleCounts{
		paused: view.Paused, note: orNothing(view.Note), missed: counts.GetInfo().GetMissedCatchupWindow(),
		skipped: counts.GetInfo().GetOverlapSkipped(), dropped: counts.GetInfo().GetBufferDropped(),
	}
	found.now = &scheduleNow{
		ID: view.ID, Paused: view.Paused, Note: view.Note, Differs: len(view.Behind) > 0,
		Missed: found.schedule.missed, Skipped: found.schedule.skipped, Dropped: found.schedule.dropped,
	}
	if len(view.Next) > 0 {
		found.now.Next = &schedule.Firing{At: view.Next[0], Date: schedule.LogicalDate(view.Next[0])}
	}
	from := since.End().Add(-time.Second) // the first firing that can be for since comes when it ends
	found.firings, err = schedule.Past(ctx, conn, conn.Namespace, dailyName, description.Info, from, a.now())
	return conn.Classify(err)
}

// findRanges looks up the ranges of the firings whose dates have no run.
func (a *app) findRanges(ctx context.Context, conn *temporal.Connection, facts gapFacts) (map[dates.Date]rangeFact, error) {
	found := make([]rangeFact, len(facts.firings))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(overviewRuns)
	for i, f := range facts.firings {
		if _, run := facts.runs[f.Date]; run {
			continue
		}
		group.Go(func() error {
			description, err := conn.DescribeWorkflowExecution(ctx, run.ScheduledRangeID(dailyName, f.At), "")
			if errors.As(err, new(*serviceerror.NotFound)) {
				return nil
			}
			status := description.GetWorkflowExecutionInfo().GetStatus()
			found[i] = rangeFact{known: true, running: status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, status: executionState(status)}
			return conn.Classify(err)
		})
	}
	ranges := map[dates.Date]rangeFact{}
	err := group.Wait()
	for i, f := range facts.firings {
		if found[i].known {
			ranges[f.Date] = found[i]
		}
	}
	return ranges, err
}
