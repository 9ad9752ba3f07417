package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/observe"
	"github.com/pinflow/pinflow/workflows/steps"
)

// lines runs an activity, with or without a task in its header, and returns the log.
func lines(t *testing.T, ref *steps.TaskRef, act func(context.Context) error) (logged []map[string]any, failure error) {
	return linesOf(t, &taskLogs{}, ref, act)
}

// linesOf is lines with an interceptor of its own.
func linesOf(t *testing.T, logs *taskLogs, ref *steps.TaskRef, act func(context.Context) error) (logged []map[string]any, failure error) {
	var out bytes.Buffer
	logger, err := observe.NewLogger(&out, "info")
	require.NoError(t, err)
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(logger))
	suite.SetContextPropagators([]workflow.ContextPropagator{steps.TaskRefPropagator{}})
	if ref != nil {
		payload, err := converter.GetDefaultDataConverter().ToPayload(ref)
		require.NoError(t, err)
		suite.SetHeader(&commonpb.Header{Fields: map[string]*commonpb.Payload{"pinflow-task": payload}})
	}
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{logs}})
	env.RegisterActivityWithOptions(act, activity.RegisterOptions{Name: "act"})
	_, failure = env.ExecuteActivity(act)
	for line := range strings.Lines(out.String()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields), line)
		logged = append(logged, fields)
	}
	return logged, failure
}

func TestTaskLogs(t *testing.T) {
	t.Run("have_dag_date_task_and_try", func(t *testing.T) {
		ref := &steps.TaskRef{DAG: "pinterest-daily", Date: "2022-10-18", Task: "clean_pin", Try: 2}
		logged, err := lines(t, ref, func(ctx context.Context) error {
			activity.GetLogger(ctx).Info("at work", "rows", 3)
			return nil
		})
		require.NoError(t, err)
		require.Len(t, logged, 2)
		require.Equal(t, []any{"at work", "activity done"}, []any{logged[0]["msg"], logged[1]["msg"]})
		for _, line := range logged {
			require.Equal(t, "pinterest-daily", line["dag"])
			require.Equal(t, "2022-10-18", line["logical_date"])
			require.Equal(t, "clean_pin", line["task"])
			require.EqualValues(t, 2, line["try"])
			require.NotEmpty(t, line["workflow_id"])
			require.NotEmpty(t, line["run_id"])
			require.Equal(t, "act", line["activity"])
		}
		require.EqualValues(t, 3, logged[0]["rows"])
	})

	t.Run("have_input_and_result_of_the_activity", func(t *testing.T) {
		var out bytes.Buffer
		logger, err := observe.NewLogger(&out, "info")
		require.NoError(t, err)
		suite := testsuite.WorkflowTestSuite{}
		suite.SetLogger(sdklog.NewStructuredLogger(logger))
		env := suite.NewTestActivityEnvironment()
		env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&taskLogs{}}})
		env.RegisterActivityWithOptions(func(context.Context, landing.PartitionsInput) (landing.PartitionsSummary, error) {
			return landing.PartitionsSummary{Records: 3}, nil
		}, activity.RegisterOptions{Name: "LandPartitions"})
		_, err = env.ExecuteActivity("LandPartitions", landing.PartitionsInput{Topic: "pinflow.pin", Ranges: []landing.Range{{Partition: 2, End: 3}}})
		require.NoError(t, err)
		var line map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &line))
		require.Equal(t, []any{"pinflow.pin", []any{"2:0..3"}, 3.0}, []any{line["topic"], line["ranges"], line["records"]})
	})

	// The Pools workflow ends the activity of a request: nothing has failed.
	t.Run("have_no_error_of_an_activity_that_another_process_ends", func(t *testing.T) {
		logged, err := lines(t, nil, func(context.Context) error { return activity.ErrResultPending })
		require.ErrorIs(t, err, activity.ErrResultPending)
		require.NotEmpty(t, logged)
		require.Equal(t, []any{"INFO", "activity waits for its result"}, []any{logged[0]["level"], logged[0]["msg"]})
		require.NotContains(t, logged[0], "error")
	})

	t.Run("have_the_error_of_a_failed_activity", func(t *testing.T) {
		logged, err := lines(t, nil, func(context.Context) error { return errors.New("no such bucket") })
		require.ErrorContains(t, err, "no such bucket")
		require.NotEmpty(t, logged) // the SDK adds a line of its own
		require.Equal(t, "activity failed", logged[0]["msg"])
		require.Equal(t, "no such bucket", logged[0]["error"])
		require.NotContains(t, logged[0], "task", "an activity of no task has none")
	})
}
