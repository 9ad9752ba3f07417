package alarm

import (
	"context"
	"fmt"
	"regexp"
	"strings"
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
	"github.com/pinflow/pinflow/internal/schedule"
)

// server is a Temporal with runs, and without a Schedule.
type server struct {
	workflowservice.WorkflowServiceClient
	runs []*serverRun
	// unset reports whether the namespace lacks the search attribute of warnings.
	unset bool
}

// serverRun is a run. Visibility still shows stale, if that is set.
type serverRun struct {
	date    dates.Date
	id      string
	status  enumspb.WorkflowExecutionStatus
	state   run.State
	stale   run.State
	warned  bool
	attempt int32
	ended   time.Time
}

func (r *serverRun) info(state run.State) *workflowpb.WorkflowExecutionInfo {
	fields := map[string]*commonpb.Payload{}
	for key, value := range map[string]any{"PinflowDate": r.date.Start(), "PinflowState": state, "PinflowWarned": r.warned} {
		fields[key], _ = converter.GetDefaultDataConverter().ToPayload(value)
	}
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: "dev.daily." + string(r.date), RunId: r.id}, Status: r.status,
		StartTime: timestamppb.New(r.date.End()), SearchAttributes: &commonpb.SearchAttributes{IndexedFields: fields},
	}
	if !r.ended.IsZero() {
		info.CloseTime = timestamppb.New(r.ended)
	}
	return info
}

func (s *server) ScheduleClient() client.ScheduleClient                    { return noSchedule{} }
func (s *server) WorkflowService() workflowservice.WorkflowServiceClient   { return s }
func (noSchedule) GetHandle(context.Context, string) client.ScheduleHandle { return noSchedule{} }
func (noSchedule) Describe(context.Context) (*client.ScheduleDescription, error) {
	return nil, serviceerror.NewNotFound("schedule not found")
}

type noSchedule struct {
	client.ScheduleClient
	client.ScheduleHandle
}

var statusIs = regexp.MustCompile(`ExecutionStatus = '(\w+)'`)

func (s *server) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	if s.unset && strings.Contains(r.GetQuery(), "PinflowWarned") {
		return nil, serviceerror.NewInvalidArgument("invalid query: PinflowWarned is not defined")
	}
	for _, each := range s.runs {
		if want := statusIs.FindStringSubmatch(r.GetQuery()); want != nil && want[1] != each.status.String() {
			continue
		}
		if strings.Contains(r.GetQuery(), "PinflowWarned = true") && !each.warned {
			continue
		}
		state := each.state
		if each.stale != "" {
			state = each.stale
		}
		page.Executions = append(page.Executions, each.info(state))
	}
	return page, nil
}

func (s *server) DescribeWorkflowExecution(_ context.Context, r *workflowservice.DescribeWorkflowExecutionRequest, _ ...grpc.CallOption) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	for _, each := range s.runs {
		if each.id == r.GetExecution().GetRunId() {
			answer := &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: each.info(each.state)}
			if each.attempt > 0 {
				answer.PendingWorkflowTask = &workflowpb.PendingWorkflowTaskInfo{Attempt: each.attempt, OriginalScheduledTime: timestamppb.New(each.date.End())}
			}
			return answer, nil
		}
	}
	return nil, serviceerror.NewNotFound("no such workflow")
}

// watched is a Watch over that server and a ledger.
type watched struct {
	*Watch
	server *server
	now    time.Time
}

const (
	open      = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	completed = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	failed    = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
)

func newWatched(runs ...*serverRun) *watched {
	s := &server{runs: runs}
	return &watched{server: s, now: time.Date(2022, 10, 19, 12, 0, 0, 0, time.UTC), Watch: &Watch{
		Lookout: schedule.Lookout{Temporal: s, Namespace: "default", Deployment: "dev", Ledger: &ledger.Ledger{Objects: buckettest.New()}},
		Catalog: dag.NewCatalog(daily), UI: "http://ui",
	}}
}

var daily = dag.Definition{Name: "daily", Schedule: dag.Schedule{Cron: "0 0 * * *"}, Deadline: 6 * time.Hour}

// entered writes the ledger's entry of a run that ended an hour after its date.
func (w *watched) entered(t *testing.T, date dates.Date, id string, state run.State, change ...func(*ledger.Entry)) {
	entry := ledger.Entry{Status: run.Status{DAG: "daily", Date: date, RunID: id, State: state, Started: date.End(), Ended: date.End().Add(time.Hour)}}
	for _, f := range change {
		f(&entry)
	}
	require.NoError(t, w.Ledger.Write(t.Context(), entry))
}

// found returns the texts of the alarms.
func (w *watched) found(t *testing.T) []string {
	found, err := w.Find(t.Context(), daily, w.now.AddDate(0, 0, -7), w.now)
	require.NoError(t, err)
	texts := []string{}
	for _, a := range found.Alarms {
		require.Equal(t, Raised, a.State)
		texts = append(texts, a.Text)
	}
	return texts
}

func (w *watched) isOver(t *testing.T, a Alarm) string {
	reason, over, err := w.Over(t.Context(), a)
	require.NoError(t, err)
	if !over {
		return "no"
	}
	return reason
}

func TestWatch(t *testing.T) {
	const date = dates.Date("2022-10-18")

	t.Run("a_deleted_schedule_still_makes_dates_overdue", func(t *testing.T) {
		w := newWatched()
		require.Empty(t, w.found(t), "nothing has run yet")
		w.entered(t, "2022-10-17", "r1", run.Success)
		require.Equal(t, []string{"daily of 2022-10-18 is overdue: its deadline was 2022-10-19 06:00 UTC, and no run has ended and none is running. " +
			"There is no Schedule: create it with `starter schedule apply`. Next: `starter run 2022-10-18`."}, w.found(t))
		overdue := Alarm{Kind: Overdue, DAG: "daily", Date: date}
		require.Equal(t, "no", w.isOver(t, overdue))
		w.entered(t, date, "r2", run.Success, func(e *ledger.Entry) { e.Partial = true })
		require.Equal(t, "no", w.isOver(t, overdue), "a partial run does not end the date")
		w.entered(t, date, "r3", run.Failed)
		require.Equal(t, "its run has ended: failed", w.isOver(t, overdue))
		require.Empty(t, w.found(t))
	})

	t.Run("a_failed_run_is_over_when_a_later_one_succeeds", func(t *testing.T) {
		ended := date.End().Add(time.Hour)
		w := newWatched(&serverRun{date: date, id: "r1", status: failed, state: run.Failed, ended: ended})
		w.entered(t, date, "r1", run.Failed, func(e *ledger.Entry) {
			e.Tasks = []run.Task{{ID: "clean_pin", State: run.Failed, Error: "no such table\nmore"}}
		})
		require.Equal(t, []string{"daily of 2022-10-18 has failed: clean_pin: no such table. Next: `starter rerun 2022-10-18 --failed`."}, w.found(t))
		alarm := Alarm{Kind: Failed, DAG: "daily", Date: date, RunID: "r1", Since: ended}
		require.Equal(t, "no", w.isOver(t, alarm))
		later := func(e *ledger.Entry) { e.Ended = ended.Add(time.Hour) }
		w.entered(t, date, "r2", run.Failed, later)
		require.Equal(t, "no", w.isOver(t, alarm), "the date is still not good")
		require.Empty(t, w.found(t), "the later run has its own alarm")
		w.entered(t, date, "r3", run.Success, later)
		require.Equal(t, "a later run has succeeded", w.isOver(t, alarm))
	})

	t.Run("a_run_that_left_no_entry_has_failed_too", func(t *testing.T) {
		ended := date.End().Add(2 * time.Hour)
		w := newWatched(&serverRun{date: date, id: "r2", status: enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, state: run.Running, ended: ended})
		w.entered(t, date, "r1", run.Success)
		require.Equal(t, []string{"daily of 2022-10-18 has failed: the run ended as timed_out and has left no entry in the ledger. Next: `starter run 2022-10-18`."}, w.found(t))
		require.Equal(t, "no", w.isOver(t, Alarm{Kind: Failed, DAG: "daily", Date: date, RunID: "r2", Since: ended}), "the success came before it")
	})

	t.Run("a_cancelled_or_terminated_run_is_no_failure", func(t *testing.T) {
		w := newWatched(
			&serverRun{date: date, id: "r1", status: enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, state: run.Cancelled, ended: date.End()},
			&serverRun{date: date, id: "r2", status: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, state: run.Running, ended: date.End()})
		w.entered(t, date, "r1", run.Cancelled)
		require.Empty(t, w.found(t))
	})

	t.Run("a_held_run_is_over_when_it_is_decided", func(t *testing.T) {
		r := &serverRun{date: "2022-10-19", id: "r1", status: open, state: run.Held}
		w := newWatched(r)
		require.Equal(t, []string{"daily of 2022-10-19 is held: a task waits for a decision. Next: `starter task retry|skip|fail|succeed 2022-10-19 <task> --reason …`."}, w.found(t))
		w.Query = func(context.Context, string, string) (run.Status, error) {
			return run.Status{Tasks: []run.Task{{ID: "load", State: run.Success}, {ID: "query", State: run.Held, Error: "broken\nand more"}}}, nil
		}
		require.Contains(t, w.found(t)[0], "is held: query waits for a decision: broken. Next: `starter task retry|skip|fail|succeed 2022-10-19 query")
		w.Query = func(context.Context, string, string) (run.Status, error) {
			return run.Status{}, fmt.Errorf("no answer")
		}
		require.Contains(t, w.found(t)[0], "a task waits for a decision")

		alarm := Alarm{Kind: Held, DAG: "daily", Date: r.date, WorkflowID: "daily-2022-10-19", RunID: "r1"}
		require.Equal(t, "no", w.isOver(t, alarm))
		r.state, r.stale = run.Running, run.Held
		require.Empty(t, w.found(t), "visibility is behind")
		require.Equal(t, "a decision was made", w.isOver(t, alarm))
		r.status, r.state, r.ended = completed, run.Success, w.now
		require.Equal(t, "the run has ended: success", w.isOver(t, alarm))
		w.server.runs = nil
		require.Equal(t, "the run has ended: unknown", w.isOver(t, alarm), "Temporal has forgotten it")
	})

	t.Run("a_blocked_run_is_over_when_its_workflow_task_succeeds", func(t *testing.T) {
		r := &serverRun{date: "2022-10-19", id: "r1", status: open, state: run.Running, attempt: 2}
		w := newWatched(r)
		require.Empty(t, w.found(t), "a worker may just be restarting")
		r.attempt = 3
		require.Equal(t, []string{"daily of 2022-10-19 is blocked: its workflow task fails since 2022-10-20 00:00 UTC, attempt 3; workers of a build that can run it continue it. Next: `starter status 2022-10-19`."}, w.found(t))
		alarm := Alarm{Kind: Blocked, DAG: "daily", Date: r.date, WorkflowID: "daily-2022-10-19", RunID: "r1"}
		require.Equal(t, "no", w.isOver(t, alarm))
		r.attempt = 0
		require.Equal(t, "its workflow task succeeds again", w.isOver(t, alarm))
	})

	t.Run("a_warning_is_over_when_a_later_run_has_none", func(t *testing.T) {
		ended := date.End().Add(time.Hour)
		w := newWatched(&serverRun{date: date, id: "r1", status: completed, state: run.Success, warned: true, ended: ended})
		warnings := func(e *ledger.Entry) { e.Warnings = []string{"load: no records"} }
		w.entered(t, date, "r1", run.Success, warnings)
		require.Equal(t, []string{"daily of 2022-10-18 has succeeded with warnings: load: no records. Next: `starter status 2022-10-18`."}, w.found(t))
		alarm := Alarm{Kind: Warning, DAG: "daily", Date: date, RunID: "r1", Since: ended}
		later := func(e *ledger.Entry) { e.Ended = ended.Add(time.Hour) }
		w.entered(t, date, "r2", run.Success, warnings, later)
		require.Equal(t, "no", w.isOver(t, alarm))
		w.entered(t, date, "r3", run.Success, later)
		require.Equal(t, "a later run has succeeded", w.isOver(t, alarm))
	})

	t.Run("what_cannot_be_found_does_not_silence_the_rest", func(t *testing.T) {
		w := newWatched(&serverRun{date: "2022-10-19", id: "r1", status: open, state: run.Held})
		w.server.unset = true
		found, err := w.Find(t.Context(), daily, w.now.AddDate(0, 0, -7), w.now)
		require.ErrorContains(t, err, "run `starter setup`")
		require.True(t, found.Checked)
		require.Len(t, found.Alarms, 1)
		require.Equal(t, Held, found.Alarms[0].Kind)
	})

	t.Run("counts_the_open_runs", func(t *testing.T) {
		w := newWatched(&serverRun{date: "2022-10-19", id: "a", status: open, state: run.Running}, &serverRun{date: "2022-10-20", id: "b", status: open, state: run.Running, attempt: 9})
		found, err := w.Find(t.Context(), daily, w.now.AddDate(0, 0, -7), w.now)
		require.NoError(t, err)
		require.Equal(t, map[run.State]int{run.Running: 1, run.Held: 0, run.Blocked: 1}, found.Open)
	})
}
