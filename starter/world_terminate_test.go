package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

const terminated = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED

func (f *fakeTemporal) SignalWithStartWorkflow(_ context.Context, _, _ string, message any, _ client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	f.messages = append(f.messages, message.(run.PoolsMessage))
	return nil, f.sendErr
}

func (s *fakeService) TerminateWorkflowExecution(_ context.Context, r *workflowservice.TerminateWorkflowExecutionRequest, _ ...grpc.CallOption) (*workflowservice.TerminateWorkflowExecutionResponse, error) {
	e, ok := s.temporal.executions[r.GetWorkflowExecution().GetWorkflowId()]
	if !ok || e.status != running || e.runID != r.GetWorkflowExecution().GetRunId() {
		return nil, serviceerror.NewNotFound("workflow execution already completed")
	}
	e.end(r.GetIdentity(), r.GetReason())
	return &workflowservice.TerminateWorkflowExecutionResponse{}, nil
}

// end terminates the run.
func (e *fakeExecution) end(by, why string) {
	e.status, e.closed, e.attempt = terminated, at(40), 0
	e.happened(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionTerminatedEventAttributes{
		WorkflowExecutionTerminatedEventAttributes: &historypb.WorkflowExecutionTerminatedEventAttributes{Identity: by, Reason: why},
	}})
}

// happened adds an event to the history.
func (e *fakeExecution) happened(kind enumspb.EventType, event *historypb.HistoryEvent) int64 {
	event.EventType, event.EventId, event.EventTime = kind, int64(len(e.history)+1), timestamppb.New(at(len(e.history)))
	e.history = append(e.history, event)
	return event.EventId
}

// started adds the events with which a run of the pipeline begins.
func (e *fakeExecution) started(t *testing.T, in run.Input) {
	e.happened(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: payloads(t, in)},
	}})
	table := map[string]any{"tasks": []map[string]any{
		{"id": "load", "pool": "load", "expect": map[string]any{"warnEmpty": true}}, {"id": "clean_pin", "after": []string{"load"}, "pool": "clean_pin"},
		{"id": "clean_old", "after": []string{"load"}, "pool": "clean_old"},
	}}
	e.happened(enumspb.EVENT_TYPE_MARKER_RECORDED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_MarkerRecordedEventAttributes{
		MarkerRecordedEventAttributes: &historypb.MarkerRecordedEventAttributes{MarkerName: "SideEffect", Details: map[string]*commonpb.Payloads{"data": payloads(t, table)}},
	}})
}

// requested adds the events of a try whose work has started.
func (e *fakeExecution) requested(t *testing.T, task string, try int, job int64) (scheduled int64) {
	request := run.Request{WorkflowID: e.id, RunID: e.runID, Task: task, Try: try}
	scheduled = e.happened(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
		ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{ActivityType: &commonpb.ActivityType{Name: "RunInPool"}, Input: payloads(t, request)},
	}})
	work := run.WorkStarted{RunID: e.runID, Task: task, Try: try, Started: at(int(scheduled)), Link: jobLink(job), JobRunID: job}
	e.happened(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
		WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: run.StartedSignal, Input: payloads(t, work)},
	}})
	return scheduled
}

// answered adds the event of a try that was successful.
func (e *fakeExecution) answered(t *testing.T, scheduled int64, done run.WorkDone) {
	e.happened(enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
		ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: scheduled, Result: payloads(t, done)},
	}})
}

func payloads(t *testing.T, value any) *commonpb.Payloads {
	t.Helper()
	encoded, err := converter.GetDefaultDataConverter().ToPayloads(value)
	require.NoError(t, err)
	return encoded
}

func jobLink(id int64) string { return fmt.Sprintf("https://workspace/?o=1#job/runs/%d", id) }

// jobRunning is an active run on Databricks.
func jobRunning(id int64, deployment run.Deployment, date dates.Date, task string) (jobs.BaseRun, *jobs.Run) {
	name := deployment.JobRunName(pipeline, date, task, 1)
	return jobs.BaseRun{RunId: id, RunName: name, RunPageUrl: jobLink(id)}, &jobs.Run{RunId: id, RunName: name, RunPageUrl: jobLink(id)}
}

// active lets the world's Databricks have active runs.
func (w *world) active(all ...activeJob) *fakeJobs {
	f := &fakeJobs{runs: map[int64]*jobs.Run{}}
	for _, job := range all {
		listed, found := jobRunning(job.id, job.deployment, job.date, job.task)
		f.listed, f.runs[job.id] = append(f.listed, listed), found
	}
	w.runs = f
	return f
}

type activeJob struct {
	id         int64
	deployment run.Deployment
	date       dates.Date
	task       string
}
