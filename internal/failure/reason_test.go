package failure

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

// overTemporal returns the error with which a client reports a workflow that failed with that
// error.
func overTemporal(t *testing.T, cause error) error {
	suite := &testsuite.WorkflowTestSuite{}
	env := suite.NewTestWorkflowEnvironment()
	fails := func(workflow.Context) error { return cause }
	env.RegisterWorkflow(fails)
	env.ExecuteWorkflow(fails)
	var failed *temporal.WorkflowExecutionError
	require.ErrorAs(t, env.GetWorkflowError(), &failed)
	return failed
}

func TestReason(t *testing.T) {
	t.Run("is_the_text_of_the_errors_author", func(t *testing.T) {
		written := temporal.NewNonRetryableApplicationError("the topic is gone", Missing, errors.New("code 3"))
		for name, c := range map[string]struct {
			err  error
			want string
		}{
			"written":           {written, "the topic is gone"},
			"over Temporal":     {overTemporal(t, written), "the topic is gone"},
			"cancelled":         {overTemporal(t, temporal.NewCanceledError()), "cancelled"},
			"terminated":        {&temporal.TerminatedError{}, "terminated"},
			"timed out":         {temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_HEARTBEAT, nil), "timed out (Heartbeat): Test timeout"},
			"timed out and why": {temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, written), "timed out (ScheduleToClose); the last attempt: the topic is gone"},
			"plain":             {errors.New("plain"), "plain"},
		} {
			t.Run(name, func(t *testing.T) { require.Equal(t, c.want, Reason(c.err)) })
		}
	})
}
