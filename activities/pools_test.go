package activities

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/run"
)

// namespace is a WorkflowClient of functions.
type namespace struct {
	signalWithStart func(workflowID, signal string, arg any, options client.StartWorkflowOptions, workflow any, args []any) error
	signal          func(workflowID, signal string, arg any) error
	describe        func(workflowID, runID string) (*workflowpb.WorkflowExecutionInfo, error)
	query           func(workflowID, queryType string) (converter.EncodedValue, error)
	get             func(ctx context.Context, workflowID, runID string) error
	result          run.Result // of a run that succeeded
}

func (n *namespace) SignalWithStartWorkflow(_ context.Context, workflowID, signal string, arg any, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	return nil, n.signalWithStart(workflowID, signal, arg, options, workflow, args)
}

func (n *namespace) SignalWorkflow(_ context.Context, workflowID, _, signal string, arg any) error {
	return n.signal(workflowID, signal, arg)
}

func (n *namespace) DescribeWorkflowExecution(_ context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	info, err := n.describe(workflowID, runID)
	if err != nil {
		return nil, err
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
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

var someSlot = run.Slot{Pool: "query", WorkflowID: "pinterest-daily-2022-10-18", OriginalRunID: "first", Task: "query", Try: 2, Priority: 3}

func TestRequestSlot(t *testing.T) {
	t.Run("starts_the_pool_if_needed", func(t *testing.T) {
		in := run.SlotMessage{Slot: someSlot, Slots: 1}
		n := &namespace{signalWithStart: func(workflowID, signal string, arg any, options client.StartWorkflowOptions, workflow any, args []any) error {
			require.Equal(t, "pinflow.pool.query", workflowID)
			require.Equal(t, run.PoolSignal, signal)
			require.Equal(t, in, arg)
			require.Equal(t, "pinflow", options.TaskQueue)
			require.Equal(t, run.PoolWorkflow, workflow)
			require.Equal(t, []any{run.PoolState{Name: "query", Slots: 1}}, args)
			return nil
		}}
		_, err := activitytest.Execute[struct{}]((&Pools{Client: n, Deployment: run.DefaultDeployment}).RequestSlot, in)
		require.NoError(t, err)
		n.signalWithStart = func(string, string, any, client.StartWorkflowOptions, any, []any) error {
			return errors.New("no connection")
		}
		_, err = activitytest.Execute[struct{}]((&Pools{Client: n, Deployment: run.DefaultDeployment}).RequestSlot, in)
		activitytest.RequireRetryable(t, err, "request a slot of pool query: no connection")
	})
}

func TestReleaseSlot(t *testing.T) {
	t.Run("a_pool_that_has_ended_needs_no_release", func(t *testing.T) {
		var sent []run.SlotMessage
		n := &namespace{signal: func(workflowID, _ string, arg any) error {
			require.Equal(t, "pinflow.pool.query", workflowID)
			sent = append(sent, arg.(run.SlotMessage))
			return nil
		}}
		_, err := activitytest.Execute[struct{}]((&Pools{Client: n, Deployment: run.DefaultDeployment}).ReleaseSlot, run.SlotMessage{Slot: someSlot})
		require.NoError(t, err)
		require.Equal(t, []run.SlotMessage{{Slot: someSlot, Release: true}}, sent)

		n.signal = func(string, string, any) error {
			return serviceerror.NewNotFound("workflow execution already completed")
		}
		_, err = activitytest.Execute[struct{}]((&Pools{Client: n, Deployment: run.DefaultDeployment}).ReleaseSlot, run.SlotMessage{Slot: someSlot})
		require.NoError(t, err)
		n.signal = func(string, string, any) error { return serviceerror.NewUnavailable("unavailable") }
		_, err = activitytest.Execute[struct{}]((&Pools{Client: n, Deployment: run.DefaultDeployment}).ReleaseSlot, run.SlotMessage{Slot: someSlot})
		activitytest.RequireRetryable(t, err, "unavailable")
	})
}

func TestReserveSlots(t *testing.T) {
	t.Run("signals_all_pools_and_starts_them", func(t *testing.T) {
		other := someSlot
		other.Pool = "load"
		var sent sync.Map
		n := &namespace{signalWithStart: func(workflowID, signal string, arg any, options client.StartWorkflowOptions, workflow any, args []any) error {
			require.Equal(t, []any{run.PoolSignal, "pinflow", run.PoolWorkflow}, []any{signal, options.TaskQueue, workflow})
			sent.Store(workflowID, []any{arg, args[0]})
			return nil
		}}
		in := run.ReserveInput{Messages: []run.SlotMessage{{Slot: someSlot, Slots: 1}, {Slot: other, Slots: 2}}}
		_, err := activitytest.Execute[struct{}]((&Pools{Client: n, Deployment: run.DefaultDeployment}).ReserveSlots, in)
		require.NoError(t, err)
		query, _ := sent.Load("pinflow.pool.query")
		require.Equal(t, []any{run.SlotMessage{Slot: someSlot, Slots: 1, Reserve: true}, run.PoolState{Name: "query", Slots: 1}}, query)
		load, _ := sent.Load("pinflow.pool.load")
		require.Equal(t, []any{run.SlotMessage{Slot: other, Slots: 2, Reserve: true}, run.PoolState{Name: "load", Slots: 2}}, load)

		n.signalWithStart = func(workflowID, _ string, _ any, _ client.StartWorkflowOptions, _ any, _ []any) error {
			if workflowID == "pinflow.pool.load" {
				return nil
			}
			return serviceerror.NewUnavailable("unavailable")
		}
		_, err = activitytest.Execute[struct{}]((&Pools{Client: n, Deployment: run.DefaultDeployment}).ReserveSlots, in)
		activitytest.RequireRetryable(t, err, "reserve a slot of pool query")
	})
}

func TestFindGone(t *testing.T) {
	t.Run("only_a_running_run_keeps_its_slot", func(t *testing.T) {
		const (
			running    = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
			terminated = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
		)
		for name, c := range map[string]struct {
			info *workflowpb.WorkflowExecutionInfo
			err  error
			gone bool
		}{
			"running":           {&workflowpb.WorkflowExecutionInfo{Status: running, FirstRunId: "first"}, nil, false},
			"reset":             {&workflowpb.WorkflowExecutionInfo{Status: running, FirstRunId: "first", Execution: &commonpb.WorkflowExecution{RunId: "second"}}, nil, false},
			"terminated":        {&workflowpb.WorkflowExecutionInfo{Status: terminated, FirstRunId: "first"}, nil, true},
			"another run of it": {&workflowpb.WorkflowExecutionInfo{Status: running, FirstRunId: "other"}, nil, true},
			"forgotten":         {nil, serviceerror.NewNotFound("no such workflow"), true},
		} {
			t.Run(name, func(t *testing.T) {
				n := &namespace{describe: func(workflowID, runID string) (*workflowpb.WorkflowExecutionInfo, error) {
					require.Equal(t, someSlot.WorkflowID, workflowID)
					require.Empty(t, runID)
					return c.info, c.err
				}}
				gone, err := activitytest.Execute[GoneSlots]((&Pools{Client: n, Deployment: run.DefaultDeployment}).FindGone, FindGoneInput{Slots: []run.Slot{someSlot}})
				require.NoError(t, err)
				require.Equal(t, c.gone, len(gone.Slots) == 1)
			})
		}
		n := &namespace{describe: func(string, string) (*workflowpb.WorkflowExecutionInfo, error) {
			return nil, serviceerror.NewUnavailable("unavailable")
		}}
		_, err := activitytest.Execute[GoneSlots]((&Pools{Client: n, Deployment: run.DefaultDeployment}).FindGone, FindGoneInput{Slots: []run.Slot{someSlot}})
		activitytest.RequireRetryable(t, err, "unavailable")
	})
}
