package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// server is a Temporal with one Schedule that fires each midnight, and some runs.
type server struct {
	workflowservice.WorkflowServiceClient
	exists  bool
	hour    int // at which it fires
	paused  string
	created time.Time
	updated time.Time
	going   map[dates.Date]run.State
	asked   string
	err     error
}

func (s *server) ScheduleClient() client.ScheduleClient { return handle{s: s} }

func (s *server) WorkflowService() workflowservice.WorkflowServiceClient { return s }

// handle is the way to the Schedule.
type handle struct {
	client.ScheduleClient
	client.ScheduleHandle
	s *server
}

func (h handle) GetHandle(context.Context, string) client.ScheduleHandle { return h }

func (h handle) Describe(context.Context) (*client.ScheduleDescription, error) {
	s := h.s
	if !s.exists {
		return nil, errors.Join(s.err, serviceerror.NewNotFound("schedule not found"))
	}
	return &client.ScheduleDescription{
		Schedule: client.Schedule{State: &client.ScheduleState{Paused: s.paused != "", Note: s.paused}}, Info: client.ScheduleInfo{CreatedAt: s.created, LastUpdateAt: s.updated},
	}, s.err
}

// ListScheduleMatchingTimes answers one time too many at the start, as the server includes it.
func (s *server) ListScheduleMatchingTimes(_ context.Context, r *workflowservice.ListScheduleMatchingTimesRequest, _ ...grpc.CallOption) (*workflowservice.ListScheduleMatchingTimesResponse, error) {
	answer := &workflowservice.ListScheduleMatchingTimesResponse{}
	for at := r.GetStartTime().AsTime().Truncate(24 * time.Hour).Add(time.Duration(s.hour) * time.Hour); !at.After(r.GetEndTime().AsTime()); at = at.Add(24 * time.Hour) {
		answer.StartTime = append(answer.StartTime, timestamppb.New(at))
	}
	return answer, nil
}

func (s *server) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	s.asked = r.GetQuery()
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	for date, state := range s.going {
		fields := map[string]*commonpb.Payload{}
		for key, value := range map[string]any{"PinflowDate": date.Start(), "PinflowState": state} {
			payload, err := converter.GetDefaultDataConverter().ToPayload(value)
			if err != nil {
				return nil, err
			}
			fields[key] = payload
		}
		page.Executions = append(page.Executions, &workflowpb.WorkflowExecutionInfo{SearchAttributes: &commonpb.SearchAttributes{IndexedFields: fields}})
	}
	return page, nil
}

// ledger is a bucket with the ledger entries of some dates.
type fakeLedger struct {
	bucket.Objects
	states map[dates.Date]string
}

func (l fakeLedger) List(_ context.Context, list bucket.ListInput) (all []bucket.Object, _ error) {
	for day := dates.Date("2022-10-01"); day < "2022-11-01"; day = day.Add(1) {
		key := list.Prefix + string(day) + ".json"
		if _, ok := l.states[day]; ok && key > list.After && key < list.Before {
			all = append(all, bucket.Object{Key: key})
		}
	}
	return all, nil
}

func (l fakeLedger) Get(_ context.Context, key string) ([]byte, error) {
	date := dates.Date(key[len("runs/pinterest-daily/") : len(key)-len(".json")])
	return json.Marshal(ledger.Entry{Date: date, State: l.states[date]})
}

var (
	named = dag.Definition{Name: workflows.DailyName, Deadline: 6 * time.Hour}
	now   = time.Date(2022, 10, 19, 6, 30, 0, 0, time.UTC)
	week  = now.AddDate(0, 0, -7)
)

// look says which dates are overdue, and how far they are.
func look(t *testing.T, s *server, states map[dates.Date]string) (said []string, report Report) {
	report, err := Lookout{Temporal: s, Namespace: "default", Ledger: &ledger.Ledger{Objects: fakeLedger{states: states}}}.Overdue(t.Context(), named, week, now)
	require.NoError(t, err)
	for _, o := range report.Overdue {
		said = append(said, fmt.Sprintf("%s %s", o.Date, o.State))
	}
	return said, report
}

func TestLookout_FindsDatesThatNeverStartedAndRunsThatHang(t *testing.T) {
	s := &server{exists: true, created: now.AddDate(0, -1, 0), going: map[dates.Date]run.State{"2022-10-17": run.Held}}
	said, report := look(t, s, map[dates.Date]string{"2022-10-12": "success", "2022-10-13": "failed", "2022-10-14": "success", "2022-10-16": "success"})
	require.Equal(t, []string{"2022-10-15 none", "2022-10-17 held", "2022-10-18 none"}, said)
	require.True(t, report.Scheduled)
	require.Empty(t, report.Paused)
	require.Contains(t, s.asked, "BETWEEN '2022-10-12T00:00:00Z' AND '2022-10-18T00:00:00Z' AND ExecutionStatus = 'Running'")
}

func TestLookout_ExpectsNothingOfBeforeTheScheduleWasCreated(t *testing.T) {
	s := &server{exists: true, created: time.Date(2022, 10, 17, 12, 0, 0, 0, time.UTC)}
	said, _ := look(t, s, nil)
	require.Equal(t, []string{"2022-10-17 none", "2022-10-18 none"}, said, "its first firing was for the 17th")
	s.created = time.Date(2022, 10, 17, 0, 0, 0, 0, time.UTC).Add(-time.Minute) // it fires a minute later, for the 16th
	said, _ = look(t, s, nil)
	require.Equal(t, []string{"2022-10-16 none", "2022-10-17 none", "2022-10-18 none"}, said)
	s.created = now.Add(-time.Hour)
	said, report := look(t, s, nil)
	require.Empty(t, said)
	require.True(t, report.Scheduled)
	said, report = look(t, &server{}, nil)
	require.Empty(t, said)
	require.False(t, report.Scheduled, "no Schedule, no expectation")
}

// The Schedule was created at three in the morning of the 16th. If it fires at six, its first date is the 15th; but if it has been changed since,
// it may have fired at midnight on its first day, and then nobody ever expected the 15th.
func TestPast_DoesNotGuessWhatAnEarlierSpecificationSaid(t *testing.T) {
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
		firings, err := Past(t.Context(), &server{hour: row.hour}, "default", workflows.DailyName, info, week, now)
		require.NoError(t, err)
		require.Equal(t, row.first, firings[0].Date, name)
	}
}

func TestLookout_ExpectsTheDatesOfAPausedSchedule(t *testing.T) {
	s := &server{exists: true, created: now.AddDate(0, 0, -2), paused: "holiday"}
	said, report := look(t, s, nil)
	require.Equal(t, []string{"2022-10-17 none", "2022-10-18 none"}, said)
	require.Equal(t, "holiday", report.Paused)
}

func TestLookout_FailsIfItCannotAsk(t *testing.T) {
	_, err := Lookout{Temporal: &server{exists: true, err: errors.New("no answer")}, Ledger: &ledger.Ledger{Objects: fakeLedger{}}}.Overdue(t.Context(), named, week, now)
	require.ErrorContains(t, err, "no answer")
}
