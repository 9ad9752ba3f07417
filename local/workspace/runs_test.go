package workspace

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/workspace/runs"
)

func TestRun(t *testing.T) {
	t.Parallel()
	t.Run("life_cycle_of_a_success", func(t *testing.T) {
		t.Parallel()
		block := newBlocking()
		seen := map[string]string{}
		w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: func(ctx context.Context, source string, params map[string]string) (*engine.Table, error) {
			maps.Copy(seen, params)
			return block.run(ctx, source, params)
		}}})
		w.importSQL("/Shared/a", "-- Databricks notebook source\nSELECT 1")
		task := notebookTask("clean", "/Shared/a")
		task.NotebookTask.BaseParameters = map[string]string{"schema": "s", "logical_date": "2026-01-02"}
		id := w.submit(jobs.SubmitRun{RunName: "daily 2026-01-02 clean try 1", Tasks: []jobs.SubmitTask{task}})
		require.Equal(t, "-- Databricks notebook source\nSELECT 1", <-block.started)

		running := w.waitFor(id, func(r *jobs.Run) bool { return r.Status.State == jobs.RunLifecycleStateV2StateRunning })
		require.Equal(t, jobs.RunLifeCycleStateRunning, running.State.LifeCycleState)
		require.Empty(t, running.State.ResultState)
		require.Nil(t, running.Status.TerminationDetails)
		require.Zero(t, running.EndTime)

		close(block.released)
		ended := w.waitEnded(id)
		require.Equal(t, task.NotebookTask.BaseParameters, seen)
		require.Equal(t, jobs.RunLifeCycleStateTerminated, ended.State.LifeCycleState)
		require.Equal(t, jobs.RunResultStateSuccess, ended.State.ResultState)
		require.Equal(t, jobs.TerminationCodeCodeSuccess, ended.Status.TerminationDetails.Code)
		require.Equal(t, jobs.TerminationTypeTypeSuccess, ended.Status.TerminationDetails.Type)
		require.Equal(t, "daily 2026-01-02 clean try 1", ended.RunName)
		require.Equal(t, jobs.RunTypeSubmitRun, ended.RunType)
		require.NotZero(t, ended.StartTime)
		require.GreaterOrEqual(t, ended.EndTime, ended.StartTime)
		require.NotZero(t, ended.JobId)

		require.Len(t, ended.Tasks, 1)
		require.Equal(t, "clean", ended.Tasks[0].TaskKey)
		require.NotEqual(t, id, ended.Tasks[0].RunId, "a task has a run id of its own")
		require.Equal(t, task.NotebookTask.BaseParameters, ended.Tasks[0].NotebookTask.BaseParameters)
		require.Equal(t, jobs.RunResultStateSuccess, ended.Tasks[0].State.ResultState)

		byTask := w.get(ended.Tasks[0].RunId)
		require.Equal(t, ended.Tasks[0].RunId, byTask.RunId)
		require.Equal(t, id, byTask.JobRunId)

		output := w.output(ended.Tasks[0].RunId)
		require.Empty(t, output.Error)
		require.NotNil(t, output.NotebookOutput)
		require.Equal(t, ended.Tasks[0].RunId, output.Metadata.RunId)
	})

	t.Run("the_waiter_of_the_sdk_works", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		w.importSQL("/Shared/a", "SELECT 1")
		started, err := w.jobs.Submit(t.Context(), jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		require.NoError(t, err)
		ended, err := started.Get()
		require.NoError(t, err)
		require.Equal(t, jobs.RunResultStateSuccess, ended.State.ResultState)
	})

	t.Run("failure_shows_error_and_statement", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: func(context.Context, string, map[string]string) (*engine.Table, error) {
			return nil, fmt.Errorf("run the notebook: %w", &engine.StatementError{Cell: 3, Statement: 2, SQL: "SELECT * FROM nothing", Message: "Table with name nothing does not exist!"})
		}}})
		w.importSQL("/Shared/a", "SELECT * FROM nothing")
		ended := w.waitEnded(w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("clean", "/Shared/a")}}))
		require.Equal(t, jobs.RunLifeCycleStateInternalError, ended.State.LifeCycleState)
		require.Equal(t, jobs.RunResultStateFailed, ended.State.ResultState)
		require.Equal(t, jobs.TerminationCodeCodeRunExecutionError, ended.Status.TerminationDetails.Code)
		require.Equal(t, "Task clean failed with message: Workload failed, see run output for details.", ended.State.StateMessage)
		task := ended.Tasks[0]
		require.Equal(t, jobs.RunLifeCycleStateTerminated, task.State.LifeCycleState)
		require.Equal(t, jobs.RunResultStateFailed, task.State.ResultState)

		output := w.output(task.RunId)
		require.Equal(t, "Table with name nothing does not exist!", output.Error)
		require.Contains(t, output.ErrorTrace, "/Shared/a, cell 3, statement 2")
		require.Contains(t, output.ErrorTrace, "SELECT * FROM nothing")
		require.Contains(t, output.ErrorTrace, "does not exist!")
	})

	t.Run("panic_of_the_engine_fails_the_run_only", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: func(context.Context, string, map[string]string) (*engine.Table, error) {
			panic("out of luck")
		}}})
		w.importSQL("/Shared/a", "SELECT 1")
		ended := w.waitEnded(w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}}))
		require.Equal(t, jobs.RunResultStateFailed, ended.State.ResultState)
		require.Contains(t, w.output(ended.Tasks[0].RunId).Error, "out of luck")
	})

	t.Run("missing_notebook_fails_as_in_the_service", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		require.NoError(t, w.tree.WriteFile(t.Context(), "/Shared/a.txt", []byte("no notebook")))
		for _, path := range []string{"/Shared/nothing", "/Shared/a.txt", "/Shared", "/Shared/../x"} {
			ended := w.waitEnded(w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", path)}}))
			require.Equal(t, jobs.RunLifeCycleStateInternalError, ended.State.LifeCycleState)
			require.Equal(t, jobs.RunResultStateFailed, ended.State.ResultState)
			require.Equal(t, jobs.TerminationCodeCodeResourceNotFound, ended.Status.TerminationDetails.Code)
			require.Equal(t, jobs.TerminationTypeTypeClientError, ended.Status.TerminationDetails.Type)
			require.Contains(t, ended.State.StateMessage, `Unable to access the notebook "`+path+`"`)
		}
	})

	t.Run("only_sql_notebooks_run", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		require.NoError(t, w.tree.Upload(t.Context(), "/Shared/a", strings.NewReader("print(1)"), workspace.UploadLanguage(workspace.LanguagePython)))
		ended := w.waitEnded(w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}}))
		require.Equal(t, jobs.TerminationCodeCodeInvalidRunConfiguration, ended.Status.TerminationDetails.Code)
		require.Contains(t, ended.State.StateMessage, "PYTHON")
	})

	t.Run("concurrent_runs_are_limited", func(t *testing.T) {
		t.Parallel()
		block := newBlocking()
		w := startWorkspace(t, Options{MaxConcurrentTasks: 2, Engine: &fakeEngine{runNotebook: block.run}})
		w.importSQL("/Shared/a", "SELECT 1")
		var ids []int64
		for range 5 {
			ids = append(ids, w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}}))
		}
		<-block.started
		<-block.started
		running := 0
		for _, id := range ids {
			if w.get(id).Tasks[0].StartTime != 0 {
				running++
			}
		}
		require.Equal(t, 2, running)
		close(block.released)
		for _, id := range ids {
			require.Equal(t, jobs.RunResultStateSuccess, w.waitEnded(id).State.ResultState)
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	t.Run("ends_the_run", func(t *testing.T) {
		t.Parallel()
		for name, request := range map[string]jobs.SubmitRun{
			"of the run":  {TimeoutSeconds: 1, Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}},
			"of the task": {Tasks: []jobs.SubmitTask{{TaskKey: "a", TimeoutSeconds: 1, NotebookTask: &jobs.NotebookTask{NotebookPath: "/Shared/a"}}}},
		} {
			t.Run(name, func(t *testing.T) {
				w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: newBlocking().run}})
				w.importSQL("/Shared/a", "SELECT 1")
				ended := w.waitEnded(w.submit(request))
				require.Equal(t, jobs.RunResultStateTimedout, ended.Tasks[0].State.ResultState)
				require.True(t, ended.Tasks[0].State.UserCancelledOrTimedout)
				require.NotEqual(t, jobs.RunResultStateSuccess, ended.State.ResultState)
			})
		}
	})
}

func TestTasks(t *testing.T) {
	t.Parallel()
	t.Run("run_in_the_order_of_their_dependencies", func(t *testing.T) {
		t.Parallel()
		var order []string
		w := startWorkspace(t, Options{MaxConcurrentTasks: 1, Engine: &fakeEngine{runNotebook: func(_ context.Context, source string, _ map[string]string) (*engine.Table, error) {
			name := strings.TrimPrefix(source, "-- Databricks notebook source\n")
			order = append(order, name)
			if name == "bad" {
				return nil, errors.New("bad")
			}
			return &engine.Table{}, nil
		}}})
		for _, name := range []string{"load", "bad", "good", "after", "always"} {
			w.importSQL("/Shared/"+name, name)
		}
		always := notebookTask("always", "/Shared/always", "bad", "good")
		always.RunIf = jobs.RunIfAllDone
		ended := w.waitEnded(w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{
			always, notebookTask("after", "/Shared/after", "bad"), notebookTask("good", "/Shared/good", "load"), notebookTask("bad", "/Shared/bad", "load"), notebookTask("load", "/Shared/load"),
		}}))
		require.Equal(t, "load", order[0])
		require.ElementsMatch(t, []string{"load", "bad", "good", "always"}, order)
		results := map[string]jobs.RunResultState{}
		for _, task := range ended.Tasks {
			results[task.TaskKey] = task.State.ResultState
		}
		require.Equal(t, map[string]jobs.RunResultState{
			"load": jobs.RunResultStateSuccess, "bad": jobs.RunResultStateFailed, "good": jobs.RunResultStateSuccess,
			"after": jobs.RunResultStateUpstreamFailed, "always": jobs.RunResultStateSuccess,
		}, results)
		require.Equal(t, jobs.RunResultStateFailed, ended.State.ResultState, "a leaf could not run")
		require.Contains(t, ended.State.StateMessage, "Task bad failed")
	})
}

func TestOutput(t *testing.T) {
	t.Parallel()
	t.Run("of_the_whole_run_is_an_error", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		w.importSQL("/Shared/a", "SELECT 1")
		id := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		_, err := w.jobs.GetRunOutput(t.Context(), jobs.GetRunOutputRequest{RunId: id})
		require.Contains(t, requireAPIError(t, err, http.StatusBadRequest, "INVALID_PARAMETER_VALUE"), "each individual task run")
	})
}

func TestRuns(t *testing.T) {
	t.Parallel()
	t.Run("missing_run_is_an_error", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		_, err := w.jobs.GetRun(t.Context(), jobs.GetRunRequest{RunId: 404})
		require.ErrorIs(t, err, apierr.ErrResourceDoesNotExist)
		require.Equal(t, "Run 404 does not exist.", requireAPIError(t, err, http.StatusBadRequest, "INVALID_PARAMETER_VALUE"))
		_, err = w.jobs.GetRunOutput(t.Context(), jobs.GetRunOutputRequest{RunId: 404})
		require.ErrorIs(t, err, apierr.ErrResourceDoesNotExist)
		_, err = w.jobs.CancelRun(t.Context(), jobs.CancelRun{RunId: 404})
		requireAPIError(t, err, http.StatusBadRequest, "INVALID_PARAMETER_VALUE")
		err = w.jobs.DeleteRun(t.Context(), jobs.DeleteRun{RunId: 404})
		requireAPIError(t, err, http.StatusBadRequest, "INVALID_PARAMETER_VALUE")
		for _, query := range []string{"", "?run_id=", "?run_id=abc"} {
			status, _, body := w.call(http.MethodGet, "/api/2.2/jobs/runs/get"+query, testToken, "")
			require.Equal(t, http.StatusBadRequest, status)
			require.Equal(t, "INVALID_PARAMETER_VALUE", body["error_code"])
			require.Contains(t, body["message"], "run_id")
		}
	})

	t.Run("are_removed_after60_days", func(t *testing.T) {
		t.Parallel()
		clock, dir := newClock(), t.TempDir()
		w := startWorkspace(t, Options{DataDir: dir, Now: clock.Now})
		w.importSQL("/Shared/a", "SELECT 1")
		request := jobs.SubmitRun{IdempotencyToken: "once", Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}}
		id := w.submit(request)
		w.waitEnded(id)
		w.stop()
		clock.advance(runs.Lifetime - time.Second)
		w = startWorkspace(t, Options{DataDir: dir, Now: clock.Now})
		w.get(id)
		w.stop()
		clock.advance(2 * time.Second)
		w = startWorkspace(t, Options{DataDir: dir, Now: clock.Now})
		_, err := w.jobs.GetRun(t.Context(), jobs.GetRunRequest{RunId: id})
		require.ErrorIs(t, err, apierr.ErrResourceDoesNotExist)
		require.NotEqual(t, id, w.submit(request), "an expired run frees its token")
	})
}

func TestDeleteRuns(t *testing.T) {
	t.Parallel()
	t.Run("deletes_only_ended_runs", func(t *testing.T) {
		t.Parallel()
		block := newBlocking()
		w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: block.run}})
		w.importSQL("/Shared/a", "SELECT 1")
		id := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		<-block.started
		requireAPIError(t, w.jobs.DeleteRun(t.Context(), jobs.DeleteRun{RunId: id}), http.StatusBadRequest, "INVALID_STATE")
		close(block.released)
		taskRunID := w.waitEnded(id).Tasks[0].RunId
		require.NoError(t, w.jobs.DeleteRun(t.Context(), jobs.DeleteRun{RunId: id}))
		for _, gone := range []int64{id, taskRunID} {
			_, err := w.jobs.GetRun(t.Context(), jobs.GetRunRequest{RunId: gone})
			require.ErrorIs(t, err, apierr.ErrResourceDoesNotExist)
		}
	})
}
