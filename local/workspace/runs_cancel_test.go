package workspace

import (
	"context"
	"errors"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

func TestCancel(t *testing.T) {
	t.Parallel()
	t.Run("interrupts_the_running_statement", func(t *testing.T) {
		t.Parallel()
		interrupted := make(chan error, 1)
		block := newBlocking()
		w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: func(ctx context.Context, source string, params map[string]string) (*engine.Table, error) {
			table, err := block.run(ctx, source, params)
			interrupted <- err
			return table, err
		}}})
		w.importSQL("/Shared/a", "SELECT 1")
		id := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		<-block.started
		_, err := w.jobs.CancelRun(t.Context(), jobs.CancelRun{RunId: id})
		require.NoError(t, err)
		require.ErrorIs(t, <-interrupted, context.Canceled)
		ended := w.waitEnded(id)
		require.Equal(t, jobs.RunLifeCycleStateTerminated, ended.State.LifeCycleState)
		require.Equal(t, jobs.RunResultStateCanceled, ended.State.ResultState)
		require.True(t, ended.State.UserCancelledOrTimedout)
		require.Equal(t, "Run cancelled.", ended.State.StateMessage)
		require.Equal(t, jobs.TerminationCodeCodeUserCanceled, ended.Status.TerminationDetails.Code)
		require.Equal(t, jobs.RunResultStateCanceled, ended.Tasks[0].State.ResultState)
	})

	t.Run("shows_terminating_until_the_statement_has_stopped", func(t *testing.T) {
		t.Parallel()
		started, release := make(chan struct{}), make(chan struct{})
		w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: func(ctx context.Context, _ string, _ map[string]string) (*engine.Table, error) {
			close(started)
			<-ctx.Done()
			<-release
			return nil, errors.New("interrupted")
		}}})
		w.importSQL("/Shared/a", "SELECT 1")
		id := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		<-started
		_, err := w.jobs.CancelRun(t.Context(), jobs.CancelRun{RunId: id})
		require.NoError(t, err)
		found := w.get(id)
		require.Equal(t, jobs.RunLifecycleStateV2StateTerminating, found.Status.State)
		require.Equal(t, jobs.RunLifeCycleStateTerminating, found.State.LifeCycleState)
		require.Equal(t, jobs.RunLifeCycleStateTerminating, found.Tasks[0].State.LifeCycleState)
		require.Zero(t, found.EndTime)
		close(release)
		require.Equal(t, jobs.RunResultStateCanceled, w.waitEnded(id).State.ResultState)
	})

	t.Run("of_an_ended_run_changes_nothing", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		w.importSQL("/Shared/a", "SELECT 1")
		id := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		w.waitEnded(id)
		_, err := w.jobs.CancelRun(t.Context(), jobs.CancelRun{RunId: id})
		require.NoError(t, err)
		require.Equal(t, jobs.RunResultStateSuccess, w.get(id).State.ResultState)
	})

	t.Run("of_a_pending_run_prevents_its_start", func(t *testing.T) {
		t.Parallel()
		block := newBlocking()
		w := startWorkspace(t, Options{MaxConcurrentTasks: 1, Engine: &fakeEngine{runNotebook: block.run}})
		w.importSQL("/Shared/a", "first")
		w.importSQL("/Shared/b", "second")
		first := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		<-block.started
		second := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("b", "/Shared/b")}})
		require.Equal(t, jobs.RunLifeCycleStatePending, w.get(second).State.LifeCycleState)
		_, err := w.jobs.CancelRun(t.Context(), jobs.CancelRun{RunId: second})
		require.NoError(t, err)
		require.Equal(t, jobs.RunResultStateCanceled, w.waitEnded(second).State.ResultState)
		close(block.released)
		w.waitEnded(first)
		require.Empty(t, block.started)
	})
}
