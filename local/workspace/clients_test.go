package workspace

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

// Requests as other clients than Pinflow's send them. local/conformance has the clients themselves.
func TestOtherClients(t *testing.T) {
	t.Parallel()
	t.Run("get_may_have_its_parameters_as_json", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		w.importSQL("/Shared/a", "SELECT 1")
		id := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		task := w.waitEnded(id).Tasks[0].RunId
		for _, body := range []string{fmt.Sprintf(`{"run_id": %d}`, id), fmt.Sprintf(`{"run_id": "%d"}`, id)} {
			status, _, run := w.call(http.MethodGet, "/api/2.2/jobs/runs/get", testToken, body)
			require.Equal(t, http.StatusOK, status, run)
			require.EqualValues(t, id, run["run_id"])
		}
		status, _, output := w.call(http.MethodGet, "/api/2.2/jobs/runs/get-output", testToken, fmt.Sprintf(`{"run_id": %d}`, task))
		require.Equal(t, http.StatusOK, status, output)
		_, _, list := w.call(http.MethodGet, "/api/2.2/jobs/runs/list", testToken, `{"limit": 1, "expand_tasks": true, "completed_only": true}`)
		require.Len(t, list["runs"], 1)
		status, _, found := w.call(http.MethodGet, "/api/2.0/workspace/get-status", testToken, `{"path": "/Shared/a"}`)
		require.Equal(t, http.StatusOK, status, found)
		status, _, run := w.call(http.MethodGet, fmt.Sprintf("/api/2.2/jobs/runs/get?run_id=%d", id), testToken, `{"run_id": 99}`)
		require.Equal(t, http.StatusOK, status, "the address counts: %v", run)
		for body, code := range map[string]string{`{"run_id":`: "MALFORMED_REQUEST", `[1]`: "MALFORMED_REQUEST", `{"run_id": {"a": 1}}`: "INVALID_PARAMETER_VALUE"} {
			status, _, refused := w.call(http.MethodGet, "/api/2.2/jobs/runs/get", testToken, body)
			require.Equal(t, http.StatusBadRequest, status, body)
			require.Equal(t, code, refused["error_code"], body)
		}
	})

	t.Run("a_run_may_be_submitted_as_a_single_notebook_task", func(t *testing.T) {
		t.Parallel()
		seen := make(chan map[string]string, 1)
		w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: func(_ context.Context, _ string, params map[string]string) (*engine.Table, error) {
			seen <- params
			return nil, nil
		}}})
		w.importSQL("/Shared/a", "SELECT 1")
		status, _, submitted := w.call(http.MethodPost, "/api/2.2/jobs/runs/submit", testToken, `{
			"run_name": "5b0ffb8a6c7b0a8a", "existing_cluster_id": "c", "timeout_seconds": 60, "libraries": [],
			"notebook_task": {"notebook_path": "/Shared/a", "source": "WORKSPACE", "base_parameters": {"schema": "pins"}}}`)
		require.Equal(t, http.StatusOK, status, submitted)
		id := int64(submitted["run_id"].(float64))
		require.Equal(t, map[string]string{"schema": "pins"}, <-seen)
		run := w.waitEnded(id)
		require.Equal(t, jobs.RunResultStateSuccess, run.State.ResultState)
		require.Len(t, run.Tasks, 1)
		require.Equal(t, "5b0ffb8a6c7b0a8a", run.Tasks[0].TaskKey, "as Airflow's DatabricksNotebookOperator expects")
		require.Equal(t, "c", run.Tasks[0].ExistingClusterId)
		require.NotNil(t, w.output(id).NotebookOutput, "a run of a single task has its output")

		_, _, submitted = w.call(http.MethodPost, "/api/2.2/jobs/runs/submit", testToken, `{"run_name": "clean, 2022-10-18", "notebook_task": {"notebook_path": "/Shared/a"}}`)
		require.Equal(t, "clean__2022-10-18", w.waitEnded(int64(submitted["run_id"].(float64))).Tasks[0].TaskKey)
	})

	t.Run("refused_submits_name_the_mistake", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		for body, message := range map[string]string{
			`{"notebook_task": {"notebook_path": "/a"}, "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/a"}}]}`: "tasks and notebook_task",
			`{"spark_jar_task": {"main_class_name": "x"}}`:                                                                 "spark_jar_task",
			`{"notebook_task": {"notebook_path": "/a", "base_parameters": {"a": 1}}}`:                                      "base_parameters.a must be a text, and is a number",
			`{"tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/a", "base_parameters": {"a": {"b": 1}}}}]}`: "base_parameters.a must be a text, and is an object",
			`{"run_name": 7}`:             "The field run_name must be a text, and is a number.",
			`{"timeout_seconds": "soon"}`: "The field timeout_seconds must be a number, and is a text.",
		} {
			status, _, refused := w.call(http.MethodPost, "/api/2.2/jobs/runs/submit", testToken, body)
			require.Equal(t, http.StatusBadRequest, status, body)
			require.Contains(t, refused["message"], message, body)
		}
	})

	t.Run("cancel_of_an_unknown_statement_is_not_found", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		requireAPIError(t, w.statements.CancelExecution(t.Context(), sql.CancelExecutionRequest{StatementId: uuid.NewString()}), http.StatusNotFound, "NOT_FOUND")
		requireAPIError(t, w.statements.CancelExecution(t.Context(), sql.CancelExecutionRequest{StatementId: "abc"}), http.StatusBadRequest, "INVALID_PARAMETER_VALUE")
	})

	t.Run("warehouses_are_listed_started_and_stopped", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		warehouses := sql.NewWarehouses(newClient(t, w.URL(), testToken))
		all, err := warehouses.ListAll(t.Context(), sql.ListWarehousesRequest{})
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, testWarehouse, all[0].Id)
		require.Equal(t, sql.StateRunning, all[0].State)
		found, err := warehouses.GetByName(t.Context(), all[0].Name)
		require.NoError(t, err)
		got, err := warehouses.GetById(t.Context(), found.Id)
		require.NoError(t, err)
		require.Equal(t, sql.StateRunning, got.State)
		require.Equal(t, "/sql/1.0/warehouses/"+testWarehouse, got.OdbcParams.Path)
		started, err := warehouses.Start(t.Context(), sql.StartRequest{Id: testWarehouse})
		require.NoError(t, err)
		_, err = started.Get()
		require.NoError(t, err)
		_, err = warehouses.Stop(t.Context(), sql.StopRequest{Id: testWarehouse})
		require.Contains(t, requireAPIError(t, err, http.StatusBadRequest, "INVALID_STATE"), "always runs")
		_, err = warehouses.GetById(t.Context(), "other")
		requireAPIError(t, err, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST")
	})

	t.Run("spark_versions_are_listed", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		clusters := compute.NewClusters(newClient(t, w.URL(), testToken))
		key, err := clusters.SelectSparkVersion(t.Context(), compute.SparkVersionRequest{LongTermSupport: true, Latest: true})
		require.NoError(t, err)
		require.NotEmpty(t, key)
		status, _, versions := w.call(http.MethodGet, "/api/2.0/clusters/spark-versions", testToken, "")
		require.Equal(t, http.StatusOK, status)
		require.NotEmpty(t, versions["versions"])
	})
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	t.Run("unknown_one_fails_the_statement", func(t *testing.T) {
		t.Parallel()
		w := startWithEngine(t, t.TempDir())
		w.execute(sql.ExecuteStatementRequest{Statement: "CREATE SCHEMA pins"})
		for catalog, schema := range map[string]string{"warehouse": "pins", "Warehouse": "", "": "pins"} {
			response := w.execute(sql.ExecuteStatementRequest{Statement: "SELECT 1", Catalog: catalog, Schema: schema})
			require.Equal(t, sql.StatementStateSucceeded, response.Status.State, "%+v", response.Status.Error)
		}
		response := w.execute(sql.ExecuteStatementRequest{Statement: "SELECT 1", Catalog: "main", Schema: "pins"})
		require.Equal(t, sql.StatementStateFailed, response.Status.State)
		require.Contains(t, response.Status.Error.Message, "[NO_SUCH_CATALOG_EXCEPTION] Catalog 'main' was not found.")
		require.Contains(t, response.Status.Error.Message, "warehouse", "it says which one exists")
		require.Equal(t, "42704", response.Status.SqlState)
		response = w.execute(sql.ExecuteStatementRequest{Statement: "SELECT 1", Schema: "nothing"})
		require.Contains(t, response.Status.Error.Message, "[SCHEMA_NOT_FOUND]")
	})

	t.Run("unbound_parameter_of_a_statement_is_not_asked_for_in_base_parameters", func(t *testing.T) {
		t.Parallel()
		w := startWithEngine(t, t.TempDir())
		response := w.execute(sql.ExecuteStatementRequest{Statement: "SELECT :day"})
		require.Equal(t, sql.StatementStateFailed, response.Status.State)
		require.Contains(t, response.Status.Error.Message, "[UNBOUND_SQL_PARAMETER] Found the unbound parameter: day.")
		require.NotContains(t, response.Status.Error.Message, "base_parameters")
		require.Contains(t, response.Status.Error.Message, "parameters of the statement")
		require.Equal(t, "42P02", response.Status.SqlState)
		w.importSQL("/Shared/a", "SELECT :day")
		ended := w.waitEnded(w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}}))
		require.Contains(t, w.output(ended.Tasks[0].RunId).Error, "base_parameters of the task")
	})
}
