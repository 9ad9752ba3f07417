package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	schedulepb "go.temporal.io/api/schedule/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/internal/run"
)

// fakeTemporal keeps workflows by their ids. What a test needs otherwise it sets in the function
// fields.
type fakeTemporal struct {
	asking        sync.Mutex // a command asks several workflows at once
	client.Client            // panics for what no command should call
	executions    map[string]*fakeExecution
	started       []any // inputs of the workflows that were started
	execute       func(client.StartWorkflowOptions, any) (*fakeExecution, error)
	list          func(query string) ([]*workflowpb.WorkflowExecutionInfo, error)
	queryErr      error
	attributes    map[string]enumspb.IndexedValueType
	countErrs     []error // of the next counts
	schedules     map[string]*client.Schedule
	info          client.ScheduleInfo
	// deployment is nil if no worker has polled with Worker Versioning. Runs are counted by their
	// filters.
	deployment *deploymentpb.WorkerDeploymentInfo
	open       map[string]int64
	routed     []string // requests that changed the routing
	routeErr   error
	dropped    int64 // firings of the Schedule that were dropped from its buffer
	pollers    []*taskqueuepb.PollerInfo
	err        error // of every call
	updates    []client.UpdateWorkflowOptions
	updateErr  error
	cancels    []*workflowservice.RequestCancelWorkflowExecutionRequest
	messages   []run.PoolsMessage
	sendErr    error // of messages
}

func newFakeTemporal() *fakeTemporal {
	return &fakeTemporal{executions: map[string]*fakeExecution{}, schedules: map[string]*client.Schedule{}, attributes: map[string]enumspb.IndexedValueType{},
		list:    func(string) ([]*workflowpb.WorkflowExecutionInfo, error) { return nil, nil },
		pollers: []*taskqueuepb.PollerInfo{{Identity: "worker@host", LastAccessTime: timestamppb.New(noon.Add(-time.Minute))}}}
}

// fakeExecution is one run of a workflow. It has ended when its last answer has been given.
type fakeExecution struct {
	client.WorkflowRun
	id, runID string
	taskQueue string // that of the default deployment if empty
	status    enumspb.WorkflowExecutionStatus
	closed    time.Time
	answers   []any // to queries, one after the other; the last one again and again
	queryErr  error // of queries, instead of the answers
	result    func(into any) error
	pending   []*workflowpb.PendingActivityInfo
	attempt   int32                             // of the pending workflow task
	info      *workflowpb.WorkflowExecutionInfo // what a description says; nil: what follows from the fields above
	history   []*historypb.HistoryEvent
	asked     int
	over      chan struct{}
}

func (e *fakeExecution) GetID() string    { return e.id }
func (e *fakeExecution) GetRunID() string { return e.runID }

func (e *fakeExecution) Get(ctx context.Context, into any) error {
	select {
	case <-e.over:
	case <-ctx.Done():
		return ctx.Err()
	}
	if e.result == nil {
		return nil
	}
	return e.result(into)
}

// add puts a run there.
func (f *fakeTemporal) add(id string, e *fakeExecution) *fakeExecution {
	e.id, e.over = id, make(chan struct{})
	f.executions[id] = e
	return e
}

func (f *fakeTemporal) Close() {}

func (f *fakeTemporal) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	f.started = append(f.started, args...)
	if f.err != nil {
		return nil, f.err
	}
	execution, err := f.execute(options, args[0])
	if err != nil {
		return nil, err
	}
	return f.add(options.ID, execution), nil
}

func (f *fakeTemporal) GetWorkflow(_ context.Context, id, _ string) client.WorkflowRun {
	return f.executions[id]
}

func (f *fakeTemporal) QueryWorkflow(ctx context.Context, id, _, _ string, _ ...any) (converter.EncodedValue, error) {
	f.asking.Lock()
	defer f.asking.Unlock()
	e, ok := f.executions[id]
	if !ok {
		return nil, serviceerror.NewNotFound("workflow not found")
	}
	if e.asked++; e.asked == max(1, len(e.answers)) {
		defer close(e.over)
	}
	if e.attempt >= 3 {
		return nil, serviceerror.NewWorkflowNotReady("Unable to query workflow due to Workflow Task in failed state.")
	}
	if err := errors.Join(f.queryErr, e.queryErr); err != nil {
		return nil, err
	}
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(e.answers[min(e.asked, len(e.answers))-1])
	if err != nil {
		return nil, err
	}
	return client.NewValue(payloads), ctx.Err()
}

func (f *fakeTemporal) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	e, ok := f.executions[id]
	if f.err != nil || !ok {
		return nil, errors.Join(f.err, serviceerror.NewNotFound("workflow not found"))
	}
	info := &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: e.runID}, Status: e.status, TaskQueue: cmp.Or(e.taskQueue, run.DefaultDeployment.TaskQueue())}
	if !e.closed.IsZero() {
		info.CloseTime = timestamppb.New(e.closed)
	}
	if e.info != nil {
		info = e.info
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info, PendingActivities: e.pending,
		PendingWorkflowTask: &workflowpb.PendingWorkflowTaskInfo{Attempt: e.attempt, OriginalScheduledTime: timestamppb.New(at(-3600))}}, nil
}

func (f *fakeTemporal) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	all, err := f.list(r.GetQuery())
	if err != nil {
		return nil, err
	}
	page := &workflowservice.ListWorkflowExecutionsResponse{} // two a page
	from := len(r.GetNextPageToken())
	page.Executions = all[from:min(from+2, len(all))]
	if from+2 < len(all) {
		page.NextPageToken = make([]byte, from+2)
	}
	return page, nil
}

func (f *fakeTemporal) CountWorkflow(_ context.Context, r *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	if len(f.countErrs) == 0 {
		return &workflowservice.CountWorkflowExecutionsResponse{Count: f.open[r.GetQuery()]}, nil
	}
	err := f.countErrs[0]
	f.countErrs = f.countErrs[1:]
	return nil, err
}

func (f *fakeTemporal) DescribeTaskQueue(context.Context, string, enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	return &workflowservice.DescribeTaskQueueResponse{Pollers: f.pollers}, nil
}

func (f *fakeTemporal) GetWorkflowHistory(_ context.Context, id, _ string, _ bool, _ enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return &fakeHistory{f.executions[id].history}
}

type fakeHistory struct{ events []*historypb.HistoryEvent }

func (h *fakeHistory) HasNext() bool { return len(h.events) > 0 }
func (h *fakeHistory) Next() (*historypb.HistoryEvent, error) {
	event := h.events[0]
	h.events = h.events[1:]
	return event, nil
}

// The services of the server.

func (f *fakeTemporal) OperatorService() operatorservice.OperatorServiceClient {
	return &fakeOperator{temporal: f}
}

type fakeOperator struct {
	operatorservice.OperatorServiceClient
	temporal *fakeTemporal
}

func (o *fakeOperator) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: o.temporal.attributes}, o.temporal.err
}

func (o *fakeOperator) AddSearchAttributes(_ context.Context, r *operatorservice.AddSearchAttributesRequest, _ ...grpc.CallOption) (*operatorservice.AddSearchAttributesResponse, error) {
	for name, kind := range r.GetSearchAttributes() {
		o.temporal.attributes[name] = kind
	}
	return &operatorservice.AddSearchAttributesResponse{}, nil
}

func (f *fakeTemporal) WorkflowService() workflowservice.WorkflowServiceClient {
	return &fakeService{temporal: f}
}

type fakeService struct {
	workflowservice.WorkflowServiceClient
	temporal *fakeTemporal
}

func (s *fakeService) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest, ...grpc.CallOption) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{
		Config: &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(72 * time.Hour)},
	}, s.temporal.err
}

func (s *fakeService) GetWorkflowExecutionHistoryReverse(_ context.Context, r *workflowservice.GetWorkflowExecutionHistoryReverseRequest, _ ...grpc.CallOption) (*workflowservice.GetWorkflowExecutionHistoryReverseResponse, error) {
	events := slices.Clone(s.temporal.executions[r.GetExecution().GetWorkflowId()].history)
	slices.Reverse(events)
	return &workflowservice.GetWorkflowExecutionHistoryReverseResponse{History: &historypb.History{Events: events}}, s.temporal.err
}

// DescribeSchedule has the counts that the SDK leaves out.
func (s *fakeService) DescribeSchedule(context.Context, *workflowservice.DescribeScheduleRequest, ...grpc.CallOption) (*workflowservice.DescribeScheduleResponse, error) {
	return &workflowservice.DescribeScheduleResponse{Info: &schedulepb.ScheduleInfo{
		MissedCatchupWindow: int64(s.temporal.info.NumActionsMissedCatchupWindow), OverlapSkipped: int64(s.temporal.info.NumActionsSkippedOverlap),
		BufferDropped: s.temporal.dropped,
	}}, s.temporal.err
}

// ListScheduleMatchingTimes knows Schedules that fire each day, in UTC.
func (s *fakeService) ListScheduleMatchingTimes(_ context.Context, r *workflowservice.ListScheduleMatchingTimesRequest, _ ...grpc.CallOption) (*workflowservice.ListScheduleMatchingTimesResponse, error) {
	schedule, ok := s.temporal.schedules[r.GetScheduleId()]
	if !ok {
		return nil, serviceerror.NewNotFound("schedule not found")
	}
	calendar := schedule.Spec.Calendars[0]
	from, to := r.GetStartTime().AsTime(), r.GetEndTime().AsTime()
	answer := &workflowservice.ListScheduleMatchingTimesResponse{}
	for day := from.Truncate(24 * time.Hour); len(answer.StartTime) < 1000; day = day.AddDate(0, 0, 1) {
		at := day.Add(time.Duration(calendar.Hour[0].Start)*time.Hour + time.Duration(calendar.Minute[0].Start)*time.Minute)
		if at.After(to) {
			break
		}
		if !at.Before(from) {
			answer.StartTime = append(answer.StartTime, timestamppb.New(at))
		}
	}
	return answer, nil
}
