package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/run"
)

// executionError returns the error with which a client reports a failed run.
func executionError(t *testing.T, cause error) error {
	suite := &testsuite.WorkflowTestSuite{}
	env := suite.NewTestWorkflowEnvironment()
	fails := func(workflow.Context) error { return cause }
	env.RegisterWorkflow(fails)
	env.ExecuteWorkflow(fails)
	var failed *temporal.WorkflowExecutionError
	require.ErrorAs(t, env.GetWorkflowError(), &failed)
	return failed
}

func TestAwaitRun(t *testing.T) {
	t.Run("returns_the_end_of_the_run", func(t *testing.T) {
		closed := time.Date(2022, 10, 19, 1, 0, 0, 0, time.UTC)
		for name, c := range map[string]struct {
			status  enumspb.WorkflowExecutionStatus
			failure error
			want    RunEnd
		}{
			"success":    {enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, nil, RunEnd{Found: true, Success: true, Status: "Completed", RunID: "r1", Closed: closed}},
			"failure":    {enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, temporal.NewApplicationError("task query failed", "RunFailed"), RunEnd{Found: true, Status: "Failed", RunID: "r1", Closed: closed, Error: "task query failed"}},
			"cancel":     {enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, temporal.NewCanceledError(), RunEnd{Found: true, Cancelled: true, Status: "Canceled", RunID: "r1", Closed: closed, Error: "cancelled"}},
			"terminated": {enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, &temporal.TerminatedError{}, RunEnd{Found: true, Cancelled: true, Status: "Terminated", RunID: "r1", Closed: closed, Error: "terminated"}},
		} {
			t.Run(name, func(t *testing.T) {
				described := 0
				n := &namespace{
					describe: func(_, runID string) (*workflowpb.WorkflowExecutionInfo, error) {
						if described++; described == 1 {
							require.Empty(t, runID)
							return &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{RunId: "r1"}}, nil
						}
						require.Equal(t, "r1", runID, "a run that started since is another one")
						return &workflowpb.WorkflowExecutionInfo{Status: c.status, CloseTime: timestamppb.New(closed)}, nil
					},
					get: func(_ context.Context, workflowID, runID string) error {
						require.Equal(t, "pinterest-daily-2022-10-18", workflowID)
						require.Equal(t, "r1", runID)
						if c.failure == nil {
							return nil
						}
						return executionError(t, c.failure)
					},
				}
				end, err := activitytest.Execute[RunEnd]((&Runs{Client: n}).AwaitRun, AwaitRunInput{WorkflowID: "pinterest-daily-2022-10-18"})
				require.NoError(t, err)
				require.Equal(t, c.want, end)
			})
		}
	})

	t.Run("says_what_a_partial_run_saw", func(t *testing.T) {
		until := time.Date(2022, 10, 18, 23, 59, 59, 0, time.UTC)
		n := &namespace{
			describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
				return &workflowpb.WorkflowExecutionInfo{Status: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED}, nil
			},
			get:    func(context.Context, string, string) error { return nil },
			result: run.Result{Partial: true, Until: until},
		}
		end, err := activitytest.Execute[RunEnd]((&Runs{Client: n}).AwaitRun, AwaitRunInput{WorkflowID: "x"})
		require.NoError(t, err)
		require.True(t, end.Success && end.Partial)
		require.Equal(t, until, end.Until)
	})

	t.Run("a_deleted_run_is_not_found", func(t *testing.T) {
		n := &namespace{describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
			return nil, serviceerror.NewNotFound("no such workflow")
		}}
		end, err := activitytest.Execute[RunEnd]((&Runs{Client: n}).AwaitRun, AwaitRunInput{WorkflowID: "x"})
		require.NoError(t, err)
		require.Equal(t, RunEnd{}, end)
	})

	t.Run("a_fault_of_temporal_is_not_the_end_of_the_run", func(t *testing.T) {
		n := &namespace{
			describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
				return &workflowpb.WorkflowExecutionInfo{}, nil
			},
			get: func(context.Context, string, string) error { return serviceerror.NewUnavailable("unavailable") },
		}
		_, err := activitytest.Execute[RunEnd]((&Runs{Client: n}).AwaitRun, AwaitRunInput{WorkflowID: "x"})
		activitytest.RequireRetryable(t, err, "wait for run x: unavailable")
	})

	t.Run("ends_when_the_worker_stops", func(t *testing.T) {
		stopping := make(chan struct{})
		n := &namespace{
			describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
				return &workflowpb.WorkflowExecutionInfo{}, nil
			},
			get: func(ctx context.Context, _, _ string) error {
				close(stopping)
				<-ctx.Done()
				return ctx.Err()
			},
		}
		env := activitytest.NewEnvironment()
		env.SetWorkerStopChannel(stopping)
		_, err := activitytest.ExecuteIn[RunEnd](env, (&Runs{Client: n}).AwaitRun, AwaitRunInput{WorkflowID: "x"})
		activitytest.RequireRetryable(t, err, "the worker is stopping: the next attempt waits for run x")
	})

	t.Run("frees_its_activity_slot_after_a_while", func(t *testing.T) {
		n := &namespace{
			describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
				return &workflowpb.WorkflowExecutionInfo{}, nil
			},
			get: func(ctx context.Context, _, _ string) error {
				<-ctx.Done()
				return ctx.Err()
			},
		}
		_, err := activitytest.Execute[RunEnd]((&Runs{Client: n, slice: time.Millisecond}).AwaitRun, AwaitRunInput{WorkflowID: "x"})
		activitytest.RequireRetryable(t, err, "the run has not ended: the next attempt waits for run x")
	})
}
