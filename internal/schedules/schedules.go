// Package schedules asks Temporal what a DAG's Schedule fires for, and finds the dates that should have run by now and have not.
// It needs no worker, so that the absence of workers can be noticed.
package schedules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdktemporal "go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/workflows"
)

// MaxFirings is the most firings that Temporal lists at once (maxListMatchingTimesCount in its scheduler).
const MaxFirings = 1000

// Temporal is what the checks ask of Temporal; client.Client satisfies it.
type Temporal interface {
	ScheduleClient() client.ScheduleClient
	WorkflowService() workflowservice.WorkflowServiceClient
	ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
}

// Firing is a moment at which a Schedule fires, and the logical date that it is for.
type Firing struct {
	At   time.Time  `json:"firing"`
	Date dates.Date `json:"date"`
}

// Firings are those of a DAG's Schedule after from, up to and with to, at most MaxFirings: all that its specification as it is now names, whether
// the Schedule was paused then or not.
func Firings(ctx context.Context, temporal Temporal, namespace, dag string, from, to time.Time) ([]Firing, error) {
	answer, err := temporal.WorkflowService().ListScheduleMatchingTimes(ctx, &workflowservice.ListScheduleMatchingTimesRequest{
		Namespace: namespace, ScheduleId: workflows.ScheduleID(dag), StartTime: timestamppb.New(from), EndTime: timestamppb.New(to),
	})
	if err != nil {
		return nil, fmt.Errorf("list the firings of Schedule %s: %w", workflows.ScheduleID(dag), err)
	}
	var all []Firing
	for _, at := range answer.GetStartTime() {
		if moment := at.AsTime(); moment.After(from) && !moment.After(to) {
			all = append(all, Firing{At: moment, Date: workflows.LogicalDate(moment)})
		}
	}
	return all, nil
}

// Past are the firings of a DAG's Schedule that should have been: after since and after it was created, up to now. info is what Temporal says
// about the Schedule.
//
// Temporal knows the specification as it is now, not what it was. A Schedule that was created at three, fired at midnight and fires at six now
// would seem to have missed the firing of its first morning: such a date, of before the day it was created, is left out.
func Past(ctx context.Context, temporal Temporal, namespace, dag string, info client.ScheduleInfo, since, now time.Time) ([]Firing, error) {
	if info.CreatedAt.After(since) {
		since = info.CreatedAt
	}
	all, err := Firings(ctx, temporal, namespace, dag, since, now)
	return slices.DeleteFunc(all, func(f Firing) bool { return f.At.Before(info.LastUpdateAt) && f.Date < dates.Of(info.CreatedAt) }), err
}

// Lookout finds overdue dates.
type Lookout struct {
	Temporal  Temporal
	Namespace string
	Ledger    *activities.Ledger
}

// Report is what a Lookout found.
type Report struct {
	// Scheduled says that the DAG has a Schedule; without one nothing is expected. Paused is the reason if it is paused, and is not empty then.
	Scheduled bool
	Paused    string
	// Overdue are the overdue dates, in their order.
	Overdue []workflows.OverdueDate
}

// Overdue finds the DAG's overdue dates among those for which its Schedule fired after since. Dates of before the Schedule was created are not
// expected. Those for which it was paused are: whoever paused it decided that nothing starts, not that the date's answers are not missed.
func (l Lookout) Overdue(ctx context.Context, named workflows.Named, since, now time.Time) (Report, error) {
	description, err := l.Temporal.ScheduleClient().GetHandle(ctx, workflows.ScheduleID(named.Name)).Describe(ctx)
	if errors.As(err, new(*serviceerror.NotFound)) {
		return Report{}, nil
	}
	if err != nil {
		return Report{}, fmt.Errorf("describe Schedule %s: %w", workflows.ScheduleID(named.Name), err)
	}
	report := Report{Scheduled: true}
	if state := description.Schedule.State; state != nil && state.Paused {
		report.Paused = orElse(state.Note, "no reason was given")
	}
	firings, err := Past(ctx, l.Temporal, l.Namespace, named.Name, description.Info, since, now)
	if err != nil || len(firings) == 0 {
		return report, err
	}
	expected := make([]dates.Date, len(firings))
	for i, firing := range firings {
		expected[i] = firing.Date
	}
	first, last := expected[0], expected[len(expected)-1]
	entries, err := l.Ledger.Entries(ctx, activities.ReadLedgerInput{DAG: named.Name, From: first, To: last, Brief: true})
	if err != nil {
		return report, err
	}
	going, err := l.going(ctx, named.Name, first, last)
	if err != nil {
		return report, err
	}
	report.Overdue = workflows.Overdue(named, expected, entries, going, now)
	return report, nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// going are the states of the runs of those dates that have not ended.
func (l Lookout) going(ctx context.Context, dag string, first, last dates.Date) (map[dates.Date]workflows.State, error) {
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: l.Namespace,
		Query: fmt.Sprintf("WorkflowType = '%s' AND %s = '%s' AND %s BETWEEN '%s' AND '%s' AND ExecutionStatus = 'Running'", workflows.RunWorkflow,
			workflows.AttributeDAG.GetName(), dag, workflows.AttributeDate.GetName(), first.Start().Format(time.RFC3339), last.Start().Format(time.RFC3339)),
	}
	states := map[dates.Date]workflows.State{}
	for {
		page, err := l.Temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list the runs that are going: %w", err)
		}
		for _, info := range page.GetExecutions() {
			var start time.Time
			state := workflows.Running
			fields := info.GetSearchAttributes().GetIndexedFields()
			if err := errors.Join(attribute(fields, workflows.AttributeDate, &start), attribute(fields, workflows.AttributeState, &state)); err != nil {
				return nil, fmt.Errorf("run %s: %w", info.GetExecution().GetRunId(), err)
			}
			states[dates.Of(start)] = state
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return states, nil
		}
	}
}

// attribute reads a search attribute, if it is there.
func attribute(fields map[string]*commonpb.Payload, key sdktemporal.SearchAttributeKey, into any) error {
	payload, ok := fields[key.GetName()]
	if !ok {
		return nil
	}
	if err := converter.GetDefaultDataConverter().FromPayload(payload, into); err != nil {
		return fmt.Errorf("search attribute %s: %w", key.GetName(), err)
	}
	return nil
}
