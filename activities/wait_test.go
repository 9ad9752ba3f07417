package activities

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/common"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/pause"
)

// started returns a run with these states.
func started(t *testing.T, states ...jobs.RunState) (*Notebooks, *workspace, *hand, WaitNotebookInput) {
	t.Helper()
	n, workspace, hand := newNotebooks()
	workspace.script = states
	run, err := start(n, cleanPin)
	require.NoError(t, err)
	workspace.runs[run.RunID].states = states
	workspace.calls = nil
	return n, workspace, hand, WaitNotebookInput{Run: run}
}

func wait(n *Notebooks, in WaitNotebookInput) (NotebookResult, error) {
	return activitytest.Execute[NotebookResult](n.WaitNotebook, in)
}

func TestWait(t *testing.T) {
	t.Run("success_has_link_and_duration", func(t *testing.T) {
		n, _, _, in := started(t, jobs.RunState{LifeCycleState: jobs.RunLifeCycleStatePending}, running, running, ended(jobs.RunResultStateSuccess))
		in.Run.Link = ""
		result, err := wait(n, in)
		require.NoError(t, err)
		require.Equal(t, NotebookResult{Link: "https://workspace/run/1", Duration: 1500 * time.Millisecond}, result)
	})

	t.Run("polls_less_often_while_the_api_fails", func(t *testing.T) {
		n, workspace, hand, in := started(t, running, ended(jobs.RunResultStateSuccess))
		failures := 30
		workspace.fault = func(string) error {
			if failures--; failures >= 0 {
				return errors.New("connection refused")
			}
			return nil
		}
		_, err := wait(n, in)
		require.NoError(t, err)
		require.Greater(t, hand.waited(), 2*time.Minute)
	})

	t.Run("only_success_is_success", func(t *testing.T) {
		tests := []struct {
			state         jobs.RunState
			allowFailures bool
			success       bool
		}{
			{ended(jobs.RunResultStateSuccess), false, true},
			{ended(jobs.RunResultStateSuccessWithFailures), false, false},
			{ended(jobs.RunResultStateSuccessWithFailures), true, true},
			{ended(jobs.RunResultStateFailed), true, false},
			{ended(jobs.RunResultStateTimedout), false, false},
			{ended(jobs.RunResultStateCanceled), false, false},
			{ended(jobs.RunResultStateExcluded), false, false},
			{ended(jobs.RunResultStateMaximumConcurrentRunsReached), false, false},
			{ended(jobs.RunResultStateUpstreamFailed), false, false},
			{ended(jobs.RunResultStateDisabled), false, false},
			{ended("A_STATE_OF_TOMORROW"), false, false},
			{jobs.RunState{LifeCycleState: jobs.RunLifeCycleStateTerminated}, false, false},
			{jobs.RunState{LifeCycleState: jobs.RunLifeCycleStateSkipped, StateMessage: "skipped"}, false, false},
			{jobs.RunState{LifeCycleState: jobs.RunLifeCycleStateInternalError, StateMessage: "lost"}, false, false},
		}
		for _, test := range tests {
			n, _, _, in := started(t, test.state)
			in.AllowFailures = test.allowFailures
			_, err := wait(n, in)
			if test.success {
				require.NoError(t, err)
				continue
			}
			activitytest.RequireNonRetryable(t, err, failure.NotebookFailed, "https://workspace/run/1")
			if state := string(test.state.ResultState); state != "" {
				require.ErrorContains(t, err, state)
			}
		}
	})

	t.Run("accepts_the_newer_form_of_the_state", func(t *testing.T) {
		require.False(t, hasEnded(&jobs.Run{Status: &jobs.RunStatus{State: jobs.RunLifecycleStateV2StateRunning}}))
		require.False(t, hasEnded(&jobs.Run{}))
		run := &jobs.Run{Status: &jobs.RunStatus{State: jobs.RunLifecycleStateV2StateTerminated, TerminationDetails: &jobs.TerminationDetails{Code: jobs.TerminationCodeCodeSuccess}}}
		require.True(t, hasEnded(run))
		require.True(t, succeeded(run, false))
		run.Status.TerminationDetails.Code = jobs.TerminationCodeCodeRunExecutionError
		require.False(t, succeeded(run, true))
	})

	t.Run("failure_names_task_error_statement_and_page", func(t *testing.T) {
		n, workspace, _, in := started(t, running, ended(jobs.RunResultStateFailed))
		workspace.output = jobs.RunOutput{Error: "\x1b[0;31m[TABLE_OR_VIEW_NOT_FOUND]\x1b[0m raw is not there", ErrorTrace: "in cell 3: MERGE INTO pin USING raw"}
		_, err := wait(n, in)
		activitytest.RequireNonRetryable(t, err, failure.NotebookFailed, "pinterest-daily 2022-10-18 clean_pin try 1 ended as FAILED",
			"task clean_pin: [TABLE_OR_VIEW_NOT_FOUND] raw is not there", "in cell 3: MERGE INTO pin USING raw", "https://workspace/run/1")
		var failure *temporal.ApplicationError
		require.ErrorAs(t, err, &failure)
		var details NotebookFailure
		require.NoError(t, failure.Details(&details))
		require.Equal(t, NotebookFailure{RunID: 1, Link: "https://workspace/run/1", State: "FAILED", Tasks: []NotebookTaskFailure{{
			Task: "clean_pin", State: "FAILED", Error: "[TABLE_OR_VIEW_NOT_FOUND] raw is not there", Trace: "in cell 3: MERGE INTO pin USING raw",
		}}}, details)
	})

	t.Run("concurrency_errors_have_a_type_of_their_own", func(t *testing.T) {
		for _, text := range []string{
			"[DELTA_CONCURRENT_APPEND] ConcurrentAppendException: Files were added", "io.delta.exceptions.ConcurrentDeleteReadException: x",
			"[DELTA_CONCURRENT_WRITE.WITH_PARTITION_HINT] A concurrent transaction",
			"[DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES] Transaction conflict detected. A concurrent MERGE added data to table pins.pin.",
			"[DELTA_METADATA_CHANGED] The metadata of the Delta table has been changed by a concurrent update.", "[DELTA_PROTOCOL_CHANGED] The protocol version of the table has changed.",
		} {
			n, workspace, _, in := started(t, ended(jobs.RunResultStateFailed))
			workspace.output = jobs.RunOutput{Error: text}
			_, err := wait(n, in)
			activitytest.RequireNonRetryable(t, err, failure.NotebookConflict, text)
		}
	})

	t.Run("failure_is_truncated", func(t *testing.T) {
		n, workspace, _, in := started(t, ended(jobs.RunResultStateFailed))
		workspace.output = jobs.RunOutput{Error: strings.Repeat("é", 100_000), ErrorTrace: strings.Repeat("ü\xff", 100_000)}
		_, err := wait(n, in)
		activitytest.RequireNonRetryable(t, err, failure.NotebookFailed, "… (cut)", "ü", "https://workspace/run/1")
		require.Less(t, len(err.Error()), 5_000)
	})

	t.Run("failure_without_output_still_fails", func(t *testing.T) {
		n, workspace, _, in := started(t, jobs.RunState{LifeCycleState: jobs.RunLifeCycleStateTerminated, ResultState: jobs.RunResultStateFailed, StateMessage: "Workload failed"})
		workspace.fault = func(request string) error {
			if request == "output" {
				return errors.New("i/o timeout")
			}
			return nil
		}
		_, err := wait(n, in)
		activitytest.RequireNonRetryable(t, err, failure.NotebookFailed, "Workload failed", "i/o timeout")
		require.Equal(t, outputAttempts, strings.Count(strings.Join(workspace.calls, " "), "output"))
	})

	t.Run("faults_of_the_api_do_not_fail_a_run", func(t *testing.T) {
		busy := &apierr.APIError{StatusCode: 429, Message: "slow down", ResponseWrapper: &common.ResponseWrapper{
			Response: &http.Response{Header: http.Header{"Retry-After": {"95"}}},
		}}
		troubles := []error{
			busy, &apierr.APIError{StatusCode: 500}, &apierr.APIError{StatusCode: 503}, &apierr.APIError{StatusCode: 504}, &apierr.APIError{StatusCode: 408},
			errors.New("connection refused"), context.DeadlineExceeded, errors.New("EOF"),
		}
		n, workspace, hand, in := started(t, running, ended(jobs.RunResultStateSuccess))
		workspace.fault = func(string) error {
			if len(troubles) == 0 {
				return nil
			}
			err := troubles[0]
			troubles = troubles[1:]
			return err
		}
		_, err := wait(n, in)
		require.NoError(t, err)
		require.GreaterOrEqual(t, hand.waited(), 95*time.Second, "Retry-After is kept")
		for _, wait := range hand.waits {
			require.LessOrEqual(t, wait, heartbeatEvery, "no longer without a heartbeat")
		}
		require.Len(t, workspace.submitted, 1)
		require.Empty(t, workspace.cancelled)
	})

	t.Run("retry_after_can_be_a_date", func(t *testing.T) {
		answer := func(header string) error {
			return &apierr.APIError{StatusCode: 503, ResponseWrapper: &common.ResponseWrapper{Response: &http.Response{Header: http.Header{"Retry-After": {header}}}}}
		}
		require.InDelta(t, 60, retryAfter(answer(time.Now().Add(time.Minute).UTC().Format(http.TimeFormat))).Seconds(), 30)
		require.Zero(t, retryAfter(answer(time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat))))
		require.Zero(t, retryAfter(answer("soon")))
		require.Equal(t, maxRetryAfter, retryAfter(answer("99999999")))
		require.Zero(t, retryAfter(errors.New("EOF")))
	})

	t.Run("run_that_was_deleted_is_final", func(t *testing.T) {
		n, workspace, _, in := started(t, running)
		delete(workspace.runs, 1)
		_, err := wait(n, in)
		activitytest.RequireNonRetryable(t, err, failure.NotebookFailed, "deleted", "new try")
	})

	// The run continues while the credentials are wrong: another worker, or this one after a
	// restart, can wait for it.
	t.Run("rejected_credentials_do_not_fail_the_run", func(t *testing.T) {
		n, workspace, _, in := started(t, running)
		workspace.fault = func(string) error { return &denied{&apierr.APIError{StatusCode: 403, Message: "Invalid access token"}} }
		_, err := wait(n, in)
		activitytest.RequireRetryable(t, err, "DATABRICKS_TOKEN")
		require.Empty(t, workspace.cancelled)
	})

	t.Run("cancelled_workflow_cancels_the_run", func(t *testing.T) {
		n, workspace, hand, in := started(t, running)
		_, err := interrupted(n, hand, in, temporal.NewCanceledError())
		require.True(t, temporal.IsCanceledError(err), "%v", err)
		require.Equal(t, []int64{1}, workspace.cancelled)
		require.Equal(t, ended(jobs.RunResultStateCanceled), workspace.runs[1].states[0], "it is waited for")
	})

	t.Run("a_run_that_ended_before_its_cancellation_is_a_success", func(t *testing.T) {
		n, workspace, hand, in := started(t, running, running, running, ended(jobs.RunResultStateSuccess))
		result, err := interrupted(n, hand, in, temporal.NewCanceledError())
		require.NoError(t, err)
		require.Equal(t, "https://workspace/run/1", result.Link)
		require.Equal(t, []int64{1}, workspace.cancelled)
	})

	t.Run("cancellation_survives_faults_of_the_api", func(t *testing.T) {
		n, workspace, hand, in := started(t, running)
		rejected := 0
		workspace.fault = func(request string) error {
			if request == "cancel" && rejected < 3 {
				rejected++
				return &apierr.APIError{StatusCode: 503}
			}
			return nil
		}
		_, err := interrupted(n, hand, in, temporal.NewCanceledError())
		require.True(t, temporal.IsCanceledError(err), "%v", err)
		require.Equal(t, []int64{1}, workspace.cancelled)
	})

	// Worker shutdown, pause, reset and a lost connection to Temporal also end the context, and the
	// next attempt needs the run.
	t.Run("other_interruptions_do_not_cancel_the_run", func(t *testing.T) {
		for _, cause := range []error{worker.ErrWorkerShutdown, activity.ErrActivityPaused, activity.ErrActivityReset, errors.New("heartbeat failed"), context.Canceled} {
			t.Run(cause.Error(), func(t *testing.T) {
				n, workspace, hand, in := started(t, running)
				_, err := interrupted(n, hand, in, cause)
				require.Error(t, err)
				require.False(t, temporal.IsCanceledError(err), "%v", err)
				require.Empty(t, workspace.cancelled)

				hand.onWait = nil
				workspace.runs[1].states = []jobs.RunState{ended(jobs.RunResultStateSuccess)}
				_, err = wait(n, in)
				require.NoError(t, err, "the next attempt finds it again")
				require.Len(t, workspace.submitted, 1)
			})
		}
	})

	t.Run("ends_when_the_worker_stops", func(t *testing.T) {
		n, workspace, _, in := started(t, running)
		n.clock = pause.Clock{} // a real wait, which the stop ends
		workspace.runs[1].states = []jobs.RunState{running}
		stop := make(chan struct{})
		close(stop)
		env := activitytest.NewEnvironment()
		env.SetWorkerStopChannel(stop)
		_, err := activitytest.ExecuteIn[NotebookResult](env, n.WaitNotebook, in)
		activitytest.RequireRetryable(t, err, "the worker is stopping", "https://workspace/run/1")
		require.Empty(t, workspace.cancelled)
	})
}

// denied returns the error that the SDK makes of an answer 403.
type denied struct{ *apierr.APIError }

func (d *denied) Unwrap() []error { return []error{d.APIError, apierr.ErrPermissionDenied} }

// interrupted waits for a run whose activity's context is cancelled with the cause during the third
// pause.
func interrupted(n *Notebooks, hand *hand, in WaitNotebookInput, cause error) (NotebookResult, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	waits := 0
	hand.onWait = func() {
		if waits++; waits == 3 {
			cancel(cause)
		}
	}
	return activitytest.ExecuteIn[NotebookResult](activitytest.EnvironmentIn(ctx), n.WaitNotebook, in)
}
