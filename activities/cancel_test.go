package activities

import (
	"errors"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/failure"
)

func cancelNotebook(n *Notebooks, run NotebookRun) error {
	_, err := activitytest.Execute[struct{}](n.CancelNotebook, CancelNotebookInput{Run: run, Start: cleanPin})
	return err
}

func TestCancel(t *testing.T) {
	t.Run("waits_until_the_run_has_ended", func(t *testing.T) {
		n, workspace, _, in := started(t, running)
		require.NoError(t, cancelNotebook(n, in.Run))
		require.Equal(t, ended(jobs.RunResultStateCanceled), workspace.runs[1].states[0])
	})

	t.Run("leaves_a_run_that_has_ended_as_it_is", func(t *testing.T) {
		n, workspace, _, in := started(t, ended(jobs.RunResultStateSuccess))
		require.NoError(t, cancelNotebook(n, in.Run))
		require.Equal(t, ended(jobs.RunResultStateSuccess), workspace.runs[1].states[0])
	})

	// The worker died before StartNotebook could return the id.
	t.Run("finds_the_run_of_a_start_without_an_answer", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		workspace.script = []jobs.RunState{running}
		for _, change := range []func(*StartNotebookInput){
			func(*StartNotebookInput) {},
			func(in *StartNotebookInput) { in.Task, in.Notebook = "clean_geo", "clean_geo" },
			func(in *StartNotebookInput) { in.Date = day.Add(1) },
		} {
			in := cleanPin
			change(&in)
			_, err := start(n, in)
			require.NoError(t, err)
		}
		require.NoError(t, cancelNotebook(n, NotebookRun{}))
		require.Equal(t, []int64{1}, workspace.cancelled)
		require.NoError(t, cancelNotebook(n, NotebookRun{}), "it has ended")
		require.Equal(t, []int64{1}, workspace.cancelled)
	})

	t.Run("errors", func(t *testing.T) {
		n, workspace, hand, in := started(t, running)
		workspace.fault = func(string) error { return errors.New("connection refused") }
		activitytest.RequireRetryable(t, cancelNotebook(n, in.Run), "connection refused")
		require.GreaterOrEqual(t, hand.waited(), cancelTimeout)

		workspace.fault = func(string) error { return &apierr.APIError{StatusCode: 403, Message: "not yours"} }
		activitytest.RequireNonRetryable(t, cancelNotebook(n, in.Run), failure.AccessDenied, "not yours")
	})
}
