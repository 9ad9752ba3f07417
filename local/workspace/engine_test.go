package workspace

import (
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"
)

// startWithEngine serves a workspace with the real SQL engine and its tables in dir.
// Nothing listens at the object store's address: these tests read no objects.
func startWithEngine(t *testing.T, dir string) *testWorkspace {
	return serve(t, Options{
		DataDir: dir, MemoryLimit: "512MB", Threads: 2, DrainTimeout: time.Millisecond,
		S3: S3Options{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", AccessKey: "local", SecretKey: "local-secret"},
	})
}

func TestEngine(t *testing.T) {
	t.Parallel()
	t.Run("failing_notebook_shows_its_error_and_statement", func(t *testing.T) {
		t.Parallel()
		w := startWithEngine(t, t.TempDir())
		require.Equal(t, sql.StatementStateSucceeded, w.execute(sql.ExecuteStatementRequest{Statement: "CREATE SCHEMA IF NOT EXISTS pinflow"}).Status.State)
		w.importSQL("/Shared/broken", `-- Databricks notebook source
USE SCHEMA IDENTIFIER(:schema);

-- COMMAND ----------

CREATE OR REPLACE TABLE fine AS SELECT 1 AS a;

-- COMMAND ----------

SELECT a FROM fine;
SELECT missing_column FROM fine;
`)
		task := notebookTask("clean", "/Shared/broken")
		task.NotebookTask.BaseParameters = map[string]string{"schema": "pinflow"}
		ended := w.waitEnded(w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{task}}))
		require.Equal(t, jobs.RunResultStateFailed, ended.State.ResultState)
		output := w.output(ended.Tasks[0].RunId)
		require.Contains(t, output.Error, "missing_column")
		require.Contains(t, output.ErrorTrace, "/Shared/broken, cell 3, statement 2")
		require.Contains(t, output.ErrorTrace, "SELECT missing_column FROM fine")
		require.Contains(t, output.ErrorTrace, output.Error)
		_, page := w.read(ended.RunPageUrl)
		require.Contains(t, page, "SELECT missing_column FROM fine")
	})

	t.Run("tables_outlive_a_restart", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		w := startWithEngine(t, dir)
		w.execute(sql.ExecuteStatementRequest{Statement: "CREATE SCHEMA IF NOT EXISTS pinflow"})
		w.importSQL("/Shared/load", "USE SCHEMA IDENTIFIER(:schema);\n\n-- COMMAND ----------\n\nCREATE OR REPLACE TABLE answers AS SELECT 'art' AS category, CAST(7 AS BIGINT) AS n, CAST(NULL AS DOUBLE) AS share;")
		task := notebookTask("load", "/Shared/load")
		task.NotebookTask.BaseParameters = map[string]string{"schema": "pinflow"}
		ended := w.waitEnded(w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{task}}))
		require.Equal(t, jobs.RunResultStateSuccess, ended.State.ResultState, w.output(ended.Tasks[0].RunId).ErrorTrace)
		w.stop()

		w = startWithEngine(t, dir)
		response := w.execute(sql.ExecuteStatementRequest{
			Statement:  "SELECT category, n, share FROM pinflow.answers WHERE n = :n AND category = :category",
			Parameters: []sql.StatementParameterListItem{{Name: "n", Value: "7", Type: "BIGINT"}, {Name: "category", Value: "art"}},
		})
		require.Equal(t, sql.StatementStateSucceeded, response.Status.State, "%+v", response.Status.Error)
		require.Equal(t, [][]string{{"art", "7", ""}}, response.Result.DataArray)
		var types []sql.ColumnInfoTypeName
		for _, c := range response.Manifest.Schema.Columns {
			types = append(types, c.TypeName)
		}
		require.Equal(t, []sql.ColumnInfoTypeName{sql.ColumnInfoTypeNameString, sql.ColumnInfoTypeNameLong, sql.ColumnInfoTypeNameDouble}, types)
	})

	t.Run("cancel_interrupts_the_running_statement", func(t *testing.T) {
		t.Parallel()
		const endless = "SELECT count(*) FROM range(100000000) AS a, range(100000000) AS b"
		w := startWithEngine(t, t.TempDir())
		w.importSQL("/Shared/endless", endless)
		id := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/endless")}})
		w.waitFor(id, func(r *jobs.Run) bool { return r.Tasks[0].StartTime != 0 })
		_, err := w.jobs.CancelRun(t.Context(), jobs.CancelRun{RunId: id})
		require.NoError(t, err)
		require.Equal(t, jobs.RunResultStateCanceled, w.waitEnded(id).State.ResultState)

		statement := w.execute(sql.ExecuteStatementRequest{Statement: endless, WaitTimeout: "0s"})
		require.NoError(t, w.statements.CancelExecution(t.Context(), sql.CancelExecutionRequest{StatementId: statement.StatementId}))
		require.Equal(t, sql.StatementStateCanceled, w.statementEnded(statement.StatementId).Status.State)
		after := w.execute(sql.ExecuteStatementRequest{Statement: "SELECT 1 AS a"})
		require.Equal(t, [][]string{{"1"}}, after.Result.DataArray, "the engine works on")
	})
}
