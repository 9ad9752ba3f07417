package schedule

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// server is a Temporal with one daily Schedule and some open runs.
type server struct {
	workflowservice.WorkflowServiceClient
	exists  bool
	hour    int    // at which the Schedule fires
	paused  string // why it is paused
	created time.Time
	updated time.Time
	open    map[dates.Date]run.State
	query   string // the last list filter
	err     error
}

func (s *server) ScheduleClient() client.ScheduleClient { return handle{s: s} }

func (s *server) WorkflowService() workflowservice.WorkflowServiceClient { return s }

// handle is the client of the Schedule.
type handle struct {
	client.ScheduleClient
	client.ScheduleHandle
	s  *server
	id string
}

func (h handle) GetHandle(_ context.Context, id string) client.ScheduleHandle {
	h.id = id
	return h
}

func (h handle) Describe(context.Context) (*client.ScheduleDescription, error) {
	s := h.s
	if !s.exists || h.id != someDeployment.ScheduleID(dagName) {
		return nil, errors.Join(s.err, serviceerror.NewNotFound("schedule not found"))
	}
	return &client.ScheduleDescription{
		Schedule: client.Schedule{State: &client.ScheduleState{Paused: s.paused != "", Note: s.paused}}, Info: client.ScheduleInfo{CreatedAt: s.created, LastUpdateAt: s.updated},
	}, s.err
}

// ListScheduleMatchingTimes includes the start of the span, as the real server does.
func (s *server) ListScheduleMatchingTimes(_ context.Context, r *workflowservice.ListScheduleMatchingTimesRequest, _ ...grpc.CallOption) (*workflowservice.ListScheduleMatchingTimesResponse, error) {
	answer := &workflowservice.ListScheduleMatchingTimesResponse{}
	if r.GetScheduleId() != someDeployment.ScheduleID(dagName) {
		return nil, serviceerror.NewNotFound("no such Schedule")
	}
	for at := r.GetStartTime().AsTime().Truncate(24 * time.Hour).Add(time.Duration(s.hour) * time.Hour); !at.After(r.GetEndTime().AsTime()); at = at.Add(24 * time.Hour) {
		answer.StartTime = append(answer.StartTime, timestamppb.New(at))
	}
	return answer, nil
}

func (s *server) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	s.query = r.GetQuery()
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	for date, state := range s.open {
		fields := map[string]*commonpb.Payload{}
		for key, value := range map[string]any{"PinflowDate": date.Start(), "PinflowState": state} {
			payload, err := converter.GetDefaultDataConverter().ToPayload(value)
			if err != nil {
				return nil, err
			}
			fields[key] = payload
		}
		page.Executions = append(page.Executions, &workflowpb.WorkflowExecutionInfo{
			Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, SearchAttributes: &commonpb.SearchAttributes{IndexedFields: fields},
		})
	}
	return page, nil
}

// dagName is the name of the DAG in all tests of this package.
const dagName = "daily"

// someDeployment is the deployment of all tests of this package.
const someDeployment = run.Deployment("some")

var (
	named = dag.Definition{Name: dagName, Deadline: 6 * time.Hour}
	now   = time.Date(2022, 10, 19, 6, 30, 0, 0, time.UTC)
	week  = now.AddDate(0, 0, -7)
)

// look returns the overdue dates with the states of their runs. The ledger has entries with those
// states.
func look(t *testing.T, s *server, states map[dates.Date]run.State) (overdue []string, report Report) {
	return lookFor(t, s, named, states, "")
}

// lookFor is look for another definition. The ledger's entries are of runs with that trigger.
func lookFor(t *testing.T, s *server, definition dag.Definition, states map[dates.Date]run.State, trigger run.Trigger) (overdue []string, report Report) {
	entries := &ledger.Ledger{Objects: buckettest.New()}
	for date, state := range states {
		require.NoError(t, entries.Write(t.Context(), ledger.Entry{Status: run.Status{DAG: dagName, Date: date, State: state, Trigger: trigger}}))
	}
	report, err := Lookout{Temporal: s, Namespace: "default", Deployment: someDeployment, Ledger: entries}.Overdue(t.Context(), definition, week, now)
	require.NoError(t, err)
	for _, o := range report.Overdue {
		overdue = append(overdue, fmt.Sprintf("%s %s", o.Date, o.State))
	}
	return overdue, report
}

func TestLookout(t *testing.T) {
	t.Run("finds_dates_that_never_started_and_runs_that_hang", func(t *testing.T) {
		s := &server{exists: true, created: now.AddDate(0, -1, 0), open: map[dates.Date]run.State{"2022-10-17": run.Held}}
		overdue, report := look(t, s, map[dates.Date]run.State{"2022-10-12": run.Success, "2022-10-13": run.Failed, "2022-10-14": run.Success, "2022-10-16": run.Success})
		require.Equal(t, []string{"2022-10-15 none", "2022-10-17 held", "2022-10-18 none"}, overdue)
		require.NotNil(t, report.Schedule)
		require.Empty(t, report.Paused)
		require.Contains(t, s.query, "TaskQueue = 'some'", "another deployment may have the same dates")
		require.Contains(t, s.query, "PinflowDate >= '2022-10-12T00:00:00Z' AND PinflowDate < '2022-10-19T00:00:00Z' AND ExecutionStatus = 'Running'")
	})

	t.Run("expects_no_dates_from_before_the_schedule", func(t *testing.T) {
		s := &server{exists: true, created: time.Date(2022, 10, 17, 12, 0, 0, 0, time.UTC)}
		overdue, _ := look(t, s, nil)
		require.Equal(t, []string{"2022-10-17 none", "2022-10-18 none"}, overdue, "its first firing was for the 17th")
		s.created = time.Date(2022, 10, 17, 0, 0, 0, 0, time.UTC).Add(-time.Minute) // it fires a minute later, for the 16th
		overdue, _ = look(t, s, nil)
		require.Equal(t, []string{"2022-10-16 none", "2022-10-17 none", "2022-10-18 none"}, overdue)
		s.created = now.Add(-time.Hour)
		overdue, report := look(t, s, nil)
		require.Empty(t, overdue)
		require.Equal(t, "dates are expected since 2022-10-19 (the Schedule's creation); set PINFLOW_START_DATE for an earlier one", report.String())
		overdue, report = look(t, &server{}, nil)
		require.Empty(t, overdue)
		require.False(t, report.Gone, "the DAG has no schedule, so that no date is expected")
	})

	t.Run("expects_the_dates_of_a_paused_schedule", func(t *testing.T) {
		s := &server{exists: true, created: now.AddDate(0, 0, -2), paused: "holiday"}
		overdue, report := look(t, s, nil)
		require.Equal(t, []string{"2022-10-17 none", "2022-10-18 none"}, overdue)
		require.Equal(t, "holiday", report.Paused)
	})

	t.Run("reports_an_unreachable_temporal", func(t *testing.T) {
		_, err := Lookout{Temporal: &server{exists: true, err: errors.New("no answer")}, Deployment: someDeployment, Ledger: &ledger.Ledger{Objects: buckettest.New()}}.Overdue(t.Context(), named, week, now)
		require.ErrorContains(t, err, "no answer")
	})
}

func TestExpect(t *testing.T) {
	daily := named
	daily.Schedule = dag.Schedule{Cron: "30 0 * * *"}

	t.Run("without_the_schedule_the_definition_says_what_is_expected", func(t *testing.T) {
		overdue, report := lookFor(t, &server{}, daily, map[dates.Date]run.State{"2022-10-16": run.Success}, run.Manual)
		require.Equal(t, []string{"2022-10-17 none", "2022-10-18 none"}, overdue)
		require.True(t, report.Gone)
		require.Equal(t, "dates are expected since 2022-10-16 (the first run); set PINFLOW_START_DATE for an earlier one", report.String())

		overdue, report = lookFor(t, &server{}, daily, nil, "")
		require.Empty(t, overdue, "nothing has run yet")
		require.True(t, report.Gone)
		require.Contains(t, report.String(), "no date is expected before the first run")
	})

	t.Run("a_schedule_that_was_created_again_expects_the_dates_between", func(t *testing.T) {
		s := &server{exists: true, created: now.Add(-time.Hour)}
		overdue, report := lookFor(t, s, daily, map[dates.Date]run.State{"2022-10-15": run.Success, "2022-10-16": run.Success}, run.Scheduled)
		require.Equal(t, []string{"2022-10-17 none", "2022-10-18 none"}, overdue)
		require.Equal(t, "dates are expected since 2022-10-15 (the first scheduled run); set PINFLOW_START_DATE for an earlier one", report.String())
		overdue, _ = lookFor(t, s, daily, map[dates.Date]run.State{"2022-10-15": run.Success}, run.Manual)
		require.Empty(t, overdue, "a run by hand says nothing of the days after it")
	})

	t.Run("the_start_date_comes_first", func(t *testing.T) {
		daily.StartDate = "2022-10-15"
		for name, s := range map[string]*server{"gone": {}, "created later": {exists: true, created: now}, "created before": {exists: true, created: now.AddDate(0, -1, 0)}} {
			overdue, report := lookFor(t, s, daily, map[dates.Date]run.State{"2022-10-14": run.Success, "2022-10-17": run.Success}, run.Manual)
			require.Equal(t, []string{"2022-10-15 none", "2022-10-16 none", "2022-10-18 none"}, overdue, name)
			require.Equal(t, "dates are expected since 2022-10-15 (the start date)", report.String(), name)
		}
	})

	t.Run("a_specification_fires_when_it_says", func(t *testing.T) {
		summer := time.Date(2022, 10, 28, 12, 0, 0, 0, time.UTC)
		firings, err := Spec{Cron: "30 3 * * *", TimeZone: "Europe/London"}.Firings(summer, summer.AddDate(0, 0, 3))
		require.NoError(t, err)
		var at []string
		for _, f := range firings {
			require.Equal(t, LogicalDate(f.At), f.Date)
			at = append(at, f.At.Format(time.RFC3339))
		}
		require.Equal(t, []string{"2022-10-29T02:30:00Z", "2022-10-30T03:30:00Z", "2022-10-31T03:30:00Z"}, at, "clocks are set back on the 30th")
		_, err = Spec{Cron: "often"}.Firings(summer, summer)
		require.Error(t, err)
	})
}

func TestPast(t *testing.T) {
	// The Schedule was created at 03:00 on the 16th. If it fires at 06:00, its first date is the
	// 15th. If it was changed since, it may have fired at midnight before, and then its first date
	// is the 16th.
	t.Run("leaves_out_a_date_that_an_earlier_specification_may_not_have_fired", func(t *testing.T) {
		created := time.Date(2022, 10, 16, 3, 0, 0, 0, time.UTC)
		for name, row := range map[string]struct {
			hour    int
			updated time.Time
			first   dates.Date
		}{
			"fires at midnight":            {0, time.Time{}, "2022-10-16"},
			"fires at six":                 {6, time.Time{}, "2022-10-15"},
			"changed before it ever fired": {6, created.Add(time.Hour), "2022-10-15"},
			"changed days later":           {6, created.AddDate(0, 0, 2), "2022-10-16"},
		} {
			info := client.ScheduleInfo{CreatedAt: created, LastUpdateAt: row.updated}
			firings, err := Past(t.Context(), &server{hour: row.hour}, "default", someDeployment.ScheduleID(dagName), info, week, now)
			require.NoError(t, err)
			require.Equal(t, row.first, firings[0].Date, name)
		}
	})
}
