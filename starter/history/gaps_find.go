package history

import (
	"cmp"
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/internal/search"
)

// foundGaps are the facts behind the gaps, and the Schedule as it is now.
type foundGaps struct {
	GapFacts
	// Expected is which dates should have run.
	Expected schedule.Expected
	now      *ScheduleNow
}

// warned returns the dates whose run has succeeded with warnings, in their order.
func (f foundGaps) warned() []WarnedDate {
	var all []WarnedDate
	for _, entry := range f.Entries {
		if entry.Warned() {
			all = append(all, WarnedDate{entry.Date, entry.Warnings})
		}
	}
	return all
}

// FindGaps collects what is known of the dates from since on.
func (r *Reader) FindGaps(ctx context.Context, conn *temporal.Connection, since dates.Date) (foundGaps, error) {
	found := foundGaps{GapFacts: GapFacts{Definition: r.DAG, Command: r.Command, Now: r.Now()}}
	var err error
	if found.Entries, err = r.Entries(ctx, since, r.Yesterday()); err != nil {
		return found, err
	}
	if found.Expected, err = r.expected(ctx, conn, since, found.Entries); err != nil {
		return found, err
	}
	found.Firings = found.Expected.Firings
	found.Schedule.Gone = found.Expected.Gone
	if found.Expected.Schedule != nil {
		if err := r.findSchedule(ctx, conn, found.Expected.Schedule, &found); err != nil {
			return found, err
		}
	}
	rows, err := r.Runs(ctx, conn, search.Filter{From: since, To: r.Yesterday()}, overviewListed)
	if err != nil {
		return found, err
	}
	found.Runs = latestRuns(found.Entries, rows)
	found.Ranges, err = r.findRanges(ctx, conn, found.GapFacts)
	return found, err
}

// expected returns which dates should have run from since on.
func (r *Reader) expected(
	ctx context.Context, conn *temporal.Connection, since dates.Date, entries []ledger.Entry,
) (schedule.Expected, error) {
	objects, err := r.bucket(ctx)
	if err != nil {
		return schedule.Expected{}, s3.Classify(err)
	}
	lookout := schedule.Lookout{
		Temporal: conn, Namespace: conn.Namespace, Deployment: r.Settings.Deployment, Ledger: &ledger.Ledger{Objects: objects},
	}
	from := since.End().Add(-time.Second) // the first firing that can be for since comes at its end
	in := schedule.ExpectInput{Definition: r.Settings.Definition(r.DAG), Entries: entries, Since: from, Now: r.Now()}
	expected, err := lookout.Expect(ctx, in)
	return expected, conn.Classify(err)
}

// findSchedule adds the state of the Schedule.
func (r *Reader) findSchedule(
	ctx context.Context, conn *temporal.Connection, description *client.ScheduleDescription, found *foundGaps,
) error {
	v, err := r.ViewSchedule(description)
	if err != nil {
		return err
	}
	counts, err := conn.WorkflowService().DescribeSchedule(ctx, &workflowservice.DescribeScheduleRequest{
		Namespace: conn.Namespace, ScheduleId: v.ID,
	})
	if err != nil {
		return conn.Classify(err)
	}
	found.Schedule = ScheduleCounts{
		Paused: v.Paused, Note: cmp.Or(v.Note, "no reason given"), Created: description.Info.CreatedAt,
		Missed: counts.GetInfo().GetMissedCatchupWindow(), Skipped: counts.GetInfo().GetOverlapSkipped(), Dropped: counts.GetInfo().GetBufferDropped(),
	}
	found.now = &ScheduleNow{
		ID: v.ID, Paused: v.Paused, Note: v.Note, Differs: len(v.Behind) > 0,
		Missed: found.Schedule.Missed, Skipped: found.Schedule.Skipped, Dropped: found.Schedule.Dropped,
	}
	if len(v.Next) > 0 {
		found.now.Next = &schedule.Firing{At: v.Next[0], Date: schedule.LogicalDate(v.Next[0])}
	}
	return nil
}

// findRanges returns the ranges of the firings whose dates have no run.
func (r *Reader) findRanges(
	ctx context.Context, conn *temporal.Connection, facts GapFacts,
) (map[dates.Date]RangeFact, error) {
	found := make([]RangeFact, len(facts.Firings))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(overviewRuns)
	for i, f := range facts.Firings {
		if _, ran := facts.Runs[f.Date]; ran {
			continue
		}
		group.Go(func() error {
			id := r.Settings.Deployment.ScheduledRangeID(r.DAG.Name, f.At)
			description, err := conn.DescribeWorkflowExecution(ctx, id, "")
			if errors.As(err, new(*serviceerror.NotFound)) {
				return nil
			}
			status := description.GetWorkflowExecutionInfo().GetStatus()
			running := status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
			found[i] = RangeFact{Known: true, Running: running, Status: search.StateOf(status)}
			return conn.Classify(err)
		})
	}
	ranges := map[dates.Date]RangeFact{}
	err := group.Wait()
	for i, f := range facts.Firings {
		if found[i].Known {
			ranges[f.Date] = found[i]
		}
	}
	return ranges, err
}
