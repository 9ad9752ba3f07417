package activities

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
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
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
)

// namespace is a WorkflowClient of functions.
type namespace struct {
	signalWithStart func(workflowID, signal string, arg any, options client.StartWorkflowOptions, workflow any, args []any) error
	complete        func(workflowID, runID, activityID string, result any, err error) error
	list            func(*workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	describe        func(workflowID, runID string) (*workflowpb.WorkflowExecutionInfo, error)
	pending         []*workflowpb.PendingActivityInfo
	query           func(workflowID, queryType string) (converter.EncodedValue, error)
	get             func(ctx context.Context, workflowID, runID string) error
	result          run.Result // of a run that succeeded
}

func (n *namespace) SignalWithStartWorkflow(_ context.Context, workflowID, signal string, arg any, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	return nil, n.signalWithStart(workflowID, signal, arg, options, workflow, args)
}

func (n *namespace) CompleteActivityByID(_ context.Context, _, workflowID, runID, activityID string, result any, err error) error {
	return n.complete(workflowID, runID, activityID, result, err)
}

func (n *namespace) ListWorkflow(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	return n.list(request)
}

func (n *namespace) DescribeWorkflowExecution(_ context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	info, err := n.describe(workflowID, runID)
	if err != nil {
		return nil, err
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info, PendingActivities: n.pending}, nil
}

func (n *namespace) QueryWorkflow(_ context.Context, workflowID, _, queryType string, _ ...any) (converter.EncodedValue, error) {
	return n.query(workflowID, queryType)
}

func (n *namespace) GetWorkflow(_ context.Context, workflowID, runID string) client.WorkflowRun {
	return &someRun{n: n, workflowID: workflowID, runID: runID}
}

type someRun struct {
	client.WorkflowRun
	n                 *namespace
	workflowID, runID string
}

func (r *someRun) Get(ctx context.Context, into any) error {
	if result, ok := into.(*run.Result); ok {
		*result = r.n.result
	}
	return r.n.get(ctx, r.workflowID, r.runID)
}

// isRunning describes every workflow as running, or as closed.
func isRunning(running bool) func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
	status := enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	if running {
		status = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	}
	return func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
		return &workflowpb.WorkflowExecutionInfo{Status: status}, nil
	}
}

var someRequest = run.Request{WorkflowID: "w", RunID: "r", Task: "query", Try: 2, ActivityID: "query-try-2", Pool: "query", Slots: 1, Operator: json.RawMessage(`{"notebook":{"name":"query"}}`)}

func TestSendToPools(t *testing.T) {
	t.Run("starts_the_workflow_if_it_is_not_running", func(t *testing.T) {
		in := run.PoolsMessage{Request: &someRequest}
		n := &namespace{signalWithStart: func(workflowID, signal string, arg any, options client.StartWorkflowOptions, workflow any, args []any) error {
			require.Equal(t, launch.PoolsOptions("pinflow").ID, workflowID)
			require.Equal(t, []any{run.PoolsSignal, in, run.PoolsWorkflow, []any{run.PoolsState{}}}, []any{signal, arg, workflow, args})
			require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, options.WorkflowIDConflictPolicy)
			return nil
		}}
		_, err := activitytest.Execute[struct{}]((&Pools{Client: n, Deployment: "pinflow"}).SendToPools, in)
		require.NoError(t, err)
		n.signalWithStart = func(string, string, any, client.StartWorkflowOptions, any, []any) error {
			return errors.New("no connection")
		}
		_, err = activitytest.Execute[struct{}]((&Pools{Client: n, Deployment: "pinflow"}).SendToPools, in)
		activitytest.RequireRetryable(t, err, "no connection")
	})
}

func TestRunInPool(t *testing.T) {
	t.Run("sends_the_request_again_after_a_reset", func(t *testing.T) {
		var sent []run.PoolsMessage
		n := &namespace{signalWithStart: func(_, _ string, arg any, _ client.StartWorkflowOptions, _ any, _ []any) error {
			sent = append(sent, arg.(run.PoolsMessage))
			return nil
		}}
		own := someRequest
		own.RunID = "default-test-run-id"
		_, err := activitytest.Execute[run.WorkDone]((&Pools{Client: n, Deployment: "pinflow"}).RunInPool, own)
		require.ErrorContains(t, err, "do not autocomplete")
		require.Empty(t, sent, "the run has sent it")

		before := someRequest
		before.RunID = "before the reset"
		_, err = activitytest.Execute[run.WorkDone]((&Pools{Client: n, Deployment: "pinflow"}).RunInPool, before)
		require.ErrorContains(t, err, "do not autocomplete")
		require.Equal(t, []run.PoolsMessage{{Request: &own}}, sent)
	})
}

func TestAnswerRequest(t *testing.T) {
	done := run.WorkDone{Outcome: run.Outcome{Rows: 3}}
	answer := func(n *namespace, in AnswerRequestInput) error {
		_, err := activitytest.Execute[struct{}]((&Pools{Client: n, Deployment: "pinflow"}).AnswerRequest, in)
		return err
	}

	t.Run("ends_the_activity_of_the_request", func(t *testing.T) {
		var got []error
		n := &namespace{complete: func(workflowID, runID, activityID string, result any, err error) error {
			require.Equal(t, []any{"w", "r", "query-try-2", done}, []any{workflowID, runID, activityID, result})
			got = append(got, err)
			return nil
		}}
		require.NoError(t, answer(n, AnswerRequestInput{Request: someRequest, Done: done}))
		require.NoError(t, answer(n, AnswerRequestInput{Request: someRequest, Done: done, Cancelled: true}))
		require.NoError(t, answer(n, AnswerRequestInput{Request: someRequest, Done: done, Error: "no table geo", ErrorType: failure.NotebookFailed}))
		require.NoError(t, got[0])
		require.True(t, temporal.IsCanceledError(got[1]))
		activitytest.RequireNonRetryable(t, got[2], failure.NotebookFailed, "no table geo")
		var failed *temporal.ApplicationError
		require.ErrorAs(t, got[2], &failed)
		var details run.WorkDone
		require.NoError(t, failed.Details(&details))
		require.Equal(t, done, details)
	})

	// The Pools workflow cancels the work of a run that it takes to be closed. Temporal refuses to
	// cancel an activity if the run did not ask for that.
	t.Run("cancelled_work_that_the_run_did_not_cancel_fails", func(t *testing.T) {
		var got []error
		n := &namespace{complete: func(_, _, _ string, _ any, err error) error {
			got = append(got, err)
			if temporal.IsCanceledError(err) {
				return serviceerror.NewInvalidArgument("ActivityTask not cancel requested.")
			}
			return nil
		}}
		require.NoError(t, answer(n, AnswerRequestInput{Request: someRequest, Cancelled: true}))
		require.Len(t, got, 2)
		activitytest.RequireNonRetryable(t, got[1], failure.WorkCancelled, "the work was cancelled in its pool")
	})

	t.Run("is_repeated_until_the_run_has_it", func(t *testing.T) {
		missing := serviceerror.NewNotFound("activity not found")
		for name, c := range map[string]struct {
			describe func(string, string) (*workflowpb.WorkflowExecutionInfo, error)
			pending  []*workflowpb.PendingActivityInfo
			retried  bool
		}{
			"a closed run needs none":               {isRunning(false), nil, false},
			"so does a run that Temporal forgot":    {func(string, string) (*workflowpb.WorkflowExecutionInfo, error) { return nil, missing }, nil, false},
			"the activity is not taken yet":         {isRunning(true), []*workflowpb.PendingActivityInfo{{ActivityId: "query-try-2"}}, true},
			"the activity is not scheduled yet":     {isRunning(true), []*workflowpb.PendingActivityInfo{{ActivityId: "load-try-1"}}, true},
			"it is not known whether the run lives": {func(string, string) (*workflowpb.WorkflowExecutionInfo, error) { return nil, errors.New("unavailable") }, nil, true},
		} {
			t.Run(name, func(t *testing.T) {
				n := &namespace{complete: func(string, string, string, any, error) error { return missing }, describe: c.describe, pending: c.pending}
				err := answer(n, AnswerRequestInput{Request: someRequest})
				require.Equal(t, c.retried, err != nil, "%v", err)
			})
		}
		n := &namespace{complete: func(string, string, string, any, error) error { return errors.New("unavailable") }}
		activitytest.RequireRetryable(t, answer(n, AnswerRequestInput{Request: someRequest}), "unavailable")
	})
}

func TestFindClosed(t *testing.T) {
	t.Run("a_run_that_is_not_running_has_closed", func(t *testing.T) {
		n := &namespace{describe: func(workflowID, runID string) (*workflowpb.WorkflowExecutionInfo, error) {
			require.Equal(t, "r", runID, "a reset run is another one")
			if workflowID == "forgotten" {
				return nil, serviceerror.NewNotFound("no such workflow")
			}
			return isRunning(workflowID == "open")("", "")
		}}
		in := FindClosedInput{Requesters: []Requester{{"open", "r"}, {"terminated", "r"}, {"forgotten", "r"}}}
		closed, err := activitytest.Execute[ClosedRequesters]((&Pools{Client: n, Deployment: "pinflow"}).FindClosed, in)
		require.NoError(t, err)
		require.Equal(t, in.Requesters[1:], closed.Requesters)

		n.describe = func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
			return nil, serviceerror.NewUnavailable("unavailable")
		}
		_, err = activitytest.Execute[ClosedRequesters]((&Pools{Client: n, Deployment: "pinflow"}).FindClosed, in)
		activitytest.RequireRetryable(t, err, "unavailable")
	})
}

func TestFindRequests(t *testing.T) {
	t.Run("asks_the_open_runs_page_by_page", func(t *testing.T) {
		n := &namespace{
			list: func(request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
				require.Contains(t, request.Query, "WorkflowType = 'Run' AND TaskQueue = '")
				require.Equal(t, "page 2", string(request.NextPageToken))
				page := &workflowservice.ListWorkflowExecutionsResponse{NextPageToken: []byte("page 3")}
				for _, id := range []string{"idle", "blocked", "forgotten", "waiting"} {
					page.Executions = append(page.Executions, &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "r"}})
				}
				return page, nil
			},
			query: func(workflowID, query string) (converter.EncodedValue, error) {
				require.Equal(t, run.RequestsQuery, query)
				open := []run.OpenRequest{}
				switch workflowID {
				case "blocked":
					return nil, errors.New("its workflow task fails")
				case "forgotten":
					return nil, serviceerror.NewNotFound("no such workflow")
				case "waiting":
					open = append(open, run.OpenRequest{Request: someRequest, Started: true})
				}
				payloads, err := converter.GetDefaultDataConverter().ToPayloads(open)
				require.NoError(t, err)
				return client.NewValue(payloads), nil
			},
		}
		found, err := activitytest.Execute[FoundRequests]((&Pools{Client: n, Deployment: "pinflow"}).FindRequests, FindRequestsInput{PageToken: []byte("page 2")})
		require.NoError(t, err)
		require.Equal(t, FoundRequests{Requests: []run.OpenRequest{{Request: someRequest, Started: true}}, PageToken: []byte("page 3"), Unanswered: 1}, found)

		n.list = func(*workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
			return nil, serviceerror.NewUnavailable("unavailable")
		}
		_, err = activitytest.Execute[FoundRequests]((&Pools{Client: n, Deployment: "pinflow"}).FindRequests, FindRequestsInput{})
		activitytest.RequireRetryable(t, err, "unavailable")
	})

	// No worker of their version is running, so that each query takes its whole time.
	t.Run("asks_many_runs_at_a_time", func(t *testing.T) {
		var mu sync.Mutex
		asked, all := 0, make(chan struct{})
		n := &namespace{
			list: func(*workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
				page := &workflowservice.ListWorkflowExecutionsResponse{}
				for range maxAsked {
					page.Executions = append(page.Executions, &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: "w", RunId: "r"}})
				}
				return page, nil
			},
			query: func(string, string) (converter.EncodedValue, error) {
				mu.Lock()
				if asked++; asked == maxAsked {
					close(all)
				}
				mu.Unlock()
				select {
				case <-all:
					return nil, errors.New("no worker answers")
				case <-time.After(10 * time.Second):
					return nil, errors.New("one after the other")
				}
			},
		}
		found, err := activitytest.Execute[FoundRequests]((&Pools{Client: n, Deployment: "pinflow"}).FindRequests, FindRequestsInput{})
		require.NoError(t, err)
		require.Equal(t, maxAsked, found.Unanswered)
		require.Equal(t, maxAsked, asked)
		select {
		case <-all:
		default:
			t.Fatal("not all were asked at a time")
		}
	})
}

func TestAnswerRequests(t *testing.T) {
	t.Run("one_that_fails_keeps_no_other_from_its_answer", func(t *testing.T) {
		var mu sync.Mutex
		var answered []string
		n := &namespace{complete: func(workflowID, _, _ string, _ any, _ error) error {
			mu.Lock()
			defer mu.Unlock()
			if workflowID == "1" {
				return errors.New("unavailable")
			}
			answered = append(answered, workflowID)
			return nil
		}}
		in := AnswerRequestsInput{Pause: time.Millisecond}
		for i := range 9 {
			request := someRequest
			request.WorkflowID = strconv.Itoa(i)
			in.Answers = append(in.Answers, AnswerRequestInput{Request: request})
		}
		_, err := activitytest.Execute[struct{}]((&Pools{Client: n, Deployment: "pinflow"}).AnswerRequests, in)
		require.ErrorContains(t, err, "unavailable")
		require.ElementsMatch(t, []string{"0", "2", "3", "4", "5", "6", "7", "8"}, answered)
	})
}
