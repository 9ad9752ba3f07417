package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

func answering(table *engine.Table) *fakeEngine {
	return &fakeEngine{query: func(context.Context, engine.Query) (*engine.Table, error) { return table, nil }}
}

func (w *testWorkspace) execute(request sql.ExecuteStatementRequest) *sql.StatementResponse {
	w.t.Helper()
	request.WarehouseId = testWarehouse
	response, err := w.statements.ExecuteStatement(w.t.Context(), request)
	require.NoError(w.t, err)
	return response
}

func (w *testWorkspace) statementEnded(id string) *sql.StatementResponse {
	w.t.Helper()
	for {
		response, err := w.statements.GetStatementByStatementId(w.t.Context(), id)
		require.NoError(w.t, err)
		if state := response.Status.State; state != sql.StatementStatePending && state != sql.StatementStateRunning {
			return response
		}
	}
}

func TestStatement(t *testing.T) {
	t.Parallel()
	t.Run("returns_rows_as_texts", func(t *testing.T) {
		t.Parallel()
		var asked atomic.Pointer[engine.Query]
		w := startWorkspace(t, Options{Engine: &fakeEngine{query: func(_ context.Context, q engine.Query) (*engine.Table, error) {
			if q.SQL != "SELECT 1" {
				asked.Store(&q)
			}
			return &engine.Table{
				Columns: []engine.Column{{Name: "category", Type: "STRING"}, {Name: "n", Type: "BIGINT"}, {Name: "where", Type: "ARRAY<DOUBLE>"}, {Name: "d", Type: "DECIMAL(10,2)"}},
				Rows:    [][]any{{"art", int64(7), []any{1.5, nil}, "1.50"}, {nil, nil, nil, nil}, {"", int64(0), []any{}, "0.00"}},
			}, nil
		}}})
		response := w.execute(sql.ExecuteStatementRequest{
			Statement: "SELECT * FROM t WHERE a = :a", Catalog: "main", Schema: "pinflow",
			Parameters: []sql.StatementParameterListItem{{Name: "a", Value: "it's"}},
		})
		require.Equal(t, engine.Query{SQL: "SELECT * FROM t WHERE a = :a", Catalog: "main", Schema: "pinflow", Params: map[string]string{"a": "it's"}}, *asked.Load())
		require.Equal(t, sql.StatementStateSucceeded, response.Status.State)
		require.Equal(t, 4, response.Manifest.Schema.ColumnCount)
		require.Equal(t, sql.FormatJsonArray, response.Manifest.Format)
		require.EqualValues(t, 3, response.Manifest.TotalRowCount)
		require.False(t, response.Manifest.Truncated)
		var types []string
		for i, c := range response.Manifest.Schema.Columns {
			require.Equal(t, i, c.Position)
			types = append(types, fmt.Sprint(c.Name, " ", c.TypeName, " ", c.TypeText))
		}
		require.Equal(t, []string{"category STRING STRING", "n LONG BIGINT", "where ARRAY ARRAY<DOUBLE>", "d DECIMAL DECIMAL(10,2)"}, types)
		require.Equal(t, 10, response.Manifest.Schema.Columns[3].TypePrecision)
		require.Equal(t, 2, response.Manifest.Schema.Columns[3].TypeScale)

		_, _, body := w.call(http.MethodGet, "/api/2.0/sql/statements/"+response.StatementId, testToken, "")
		rows, err := json.Marshal(body["result"].(map[string]any)["data_array"])
		require.NoError(t, err)
		require.JSONEq(t, `[["art","7","[\"1.5\",null]","1.50"],[null,null,null,null],["","0","[]","0.00"]]`, string(rows))
	})

	t.Run("without_rows_has_an_empty_result", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{Engine: answering(nil)})
		response := w.execute(sql.ExecuteStatementRequest{Statement: "CREATE SCHEMA s"})
		require.Equal(t, sql.StatementStateSucceeded, response.Status.State)
		_, _, body := w.call(http.MethodGet, "/api/2.0/sql/statements/"+response.StatementId, testToken, "")
		require.Equal(t, map[string]any{}, body["result"])
		require.EqualValues(t, 0, body["manifest"].(map[string]any)["total_row_count"])
	})

	t.Run("failure_is_a_response", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{Engine: &fakeEngine{query: func(_ context.Context, q engine.Query) (*engine.Table, error) {
			switch q.SQL {
			case "SELECT nothing":
				return nil, &engine.StatementError{SQL: q.SQL, Message: "[UNRESOLVED_COLUMN] nothing. SQLSTATE: 42703"}
			case "panic":
				panic("out of luck")
			case "broken":
				return nil, errors.New("the disk is full")
			}
			return nil, nil
		}}})
		response := w.execute(sql.ExecuteStatementRequest{Statement: "SELECT nothing"})
		require.Equal(t, sql.StatementStateFailed, response.Status.State)
		require.Equal(t, sql.ServiceErrorCodeBadRequest, response.Status.Error.ErrorCode)
		require.Equal(t, "[UNRESOLVED_COLUMN] nothing. SQLSTATE: 42703", response.Status.Error.Message)
		require.Equal(t, "42703", response.Status.SqlState)
		require.Nil(t, response.Manifest)
		for statement, want := range map[string]string{"broken": "the disk is full", "panic": "out of luck"} {
			response = w.execute(sql.ExecuteStatementRequest{Statement: statement})
			require.Equal(t, sql.ServiceErrorCodeInternalError, response.Status.Error.ErrorCode)
			require.Contains(t, response.Status.Error.Message, want)
		}
	})

	t.Run("zero_wait_returns_at_once", func(t *testing.T) {
		t.Parallel()
		released := make(chan struct{})
		w := startWorkspace(t, Options{Engine: &fakeEngine{query: func(_ context.Context, q engine.Query) (*engine.Table, error) {
			if q.SQL == "slow" {
				<-released
			}
			return &engine.Table{Columns: []engine.Column{{Name: "a", Type: "INT"}}, Rows: [][]any{{int64(1)}}}, nil
		}}})
		response := w.execute(sql.ExecuteStatementRequest{Statement: "slow", WaitTimeout: "0s"})
		require.Equal(t, sql.StatementStatePending, response.Status.State)
		require.Nil(t, response.Result)
		_, err := w.statements.GetStatementResultChunkNByStatementIdAndChunkIndex(t.Context(), response.StatementId, 0)
		requireAPIError(t, err, http.StatusNotFound, "NOT_FOUND")
		close(released)
		ended := w.statementEnded(response.StatementId)
		require.Equal(t, sql.StatementStateSucceeded, ended.Status.State)
		require.Equal(t, [][]string{{"1"}}, ended.Result.DataArray)
	})

	t.Run("wait_timeout_continues_or_cancels", func(t *testing.T) {
		t.Parallel()
		for action, want := range map[sql.ExecuteStatementRequestOnWaitTimeout]sql.StatementState{
			sql.ExecuteStatementRequestOnWaitTimeoutContinue: sql.StatementStateRunning,
			sql.ExecuteStatementRequestOnWaitTimeoutCancel:   sql.StatementStateCanceled,
		} {
			t.Run(string(action), func(t *testing.T) {
				t.Parallel()
				w := startWorkspace(t, Options{DrainTimeout: time.Millisecond, Engine: &fakeEngine{query: func(ctx context.Context, q engine.Query) (*engine.Table, error) {
					if q.SQL != "slow" {
						return nil, nil
					}
					<-ctx.Done()
					return nil, ctx.Err()
				}}})
				response := w.execute(sql.ExecuteStatementRequest{Statement: "slow", WaitTimeout: "5s", OnWaitTimeout: action})
				require.Equal(t, want, response.Status.State)
			})
		}
	})

	t.Run("cancel_interrupts", func(t *testing.T) {
		t.Parallel()
		started, interrupted := make(chan struct{}), make(chan struct{})
		w := startWorkspace(t, Options{Engine: &fakeEngine{query: func(ctx context.Context, q engine.Query) (*engine.Table, error) {
			if q.SQL != "slow" {
				return nil, nil
			}
			close(started)
			<-ctx.Done()
			close(interrupted)
			return nil, ctx.Err()
		}}})
		response := w.execute(sql.ExecuteStatementRequest{Statement: "slow", WaitTimeout: "0s"})
		<-started
		require.NoError(t, w.statements.CancelExecution(t.Context(), sql.CancelExecutionRequest{StatementId: response.StatementId}))
		<-interrupted
		ended := w.statementEnded(response.StatementId)
		require.Equal(t, sql.StatementStateCanceled, ended.Status.State)
		require.Nil(t, ended.Status.Error)

		done := w.execute(sql.ExecuteStatementRequest{Statement: "fast"})
		require.NoError(t, w.statements.CancelExecution(t.Context(), sql.CancelExecutionRequest{StatementId: done.StatementId}))
		require.Equal(t, sql.StatementStateSucceeded, w.statementEnded(done.StatementId).Status.State, "what has ended stays as it is")
	})

	t.Run("rejects_invalid_requests", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		for body, want := range map[string]struct{ code, message string }{
			`{"statement":`:            {"MALFORMED_REQUEST", "Invalid JSON"},
			`{}`:                       {"BAD_REQUEST", "statement"},
			`{"warehouse_id":"local"}`: {"BAD_REQUEST", "statement"},
			`{"statement":"q"}`:        {"BAD_REQUEST", "warehouse_id"},
			`{"statement":"q","warehouse_id":"other"}`:                                     {"INVALID_PARAMETER_VALUE", "other is not a valid endpoint id."},
			`{"statement":"q","warehouse_id":"local","wait_timeout":"4s"}`:                 {"INVALID_PARAMETER_VALUE", "between 5 seconds and 50 seconds"},
			`{"statement":"q","warehouse_id":"local","wait_timeout":"51s"}`:                {"INVALID_PARAMETER_VALUE", "between 5 seconds and 50 seconds"},
			`{"statement":"q","warehouse_id":"local","wait_timeout":"soon"}`:               {"INVALID_PARAMETER_VALUE", "duration"},
			`{"statement":"q","warehouse_id":"local","row_limit":-1}`:                      {"INVALID_PARAMETER_VALUE", "row_limit"},
			`{"statement":"q","warehouse_id":"local","byte_limit":0}`:                      {"INVALID_PARAMETER_VALUE", "byte_limit"},
			`{"statement":"q","warehouse_id":"local","format":"CSV"}`:                      {"INVALID_PARAMETER_VALUE", "JSON_ARRAY"},
			`{"statement":"q","warehouse_id":"local","disposition":"EXTERNAL_LINKS"}`:      {"INVALID_PARAMETER_VALUE", "EXTERNAL_LINKS"},
			`{"statement":"` + strings.Repeat("x", 16<<20+1) + `","warehouse_id":"local"}`: {"INVALID_PARAMETER_VALUE", "16 MiB"},
		} {
			status, _, answer := w.call(http.MethodPost, "/api/2.0/sql/statements", testToken, body)
			require.Equal(t, http.StatusBadRequest, status, body[:min(len(body), 100)])
			require.Equal(t, want.code, answer["error_code"], body[:min(len(body), 100)])
			require.Contains(t, answer["message"], want.message)
		}
		_, err := w.statements.GetStatementByStatementId(t.Context(), "abc")
		require.Contains(t, requireAPIError(t, err, http.StatusBadRequest, "INVALID_PARAMETER_VALUE"), "statement_id")
		_, err = w.statements.GetStatementByStatementId(t.Context(), uuid.NewString())
		requireAPIError(t, err, http.StatusNotFound, "NOT_FOUND")
	})

	t.Run("bad_parameters_fail_the_statement", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		for name, test := range map[string]struct {
			parameters []sql.StatementParameterListItem
			message    string
		}{
			"twice":      {[]sql.StatementParameterListItem{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}}, "DUPLICATE_NAME"},
			"type":       {[]sql.StatementParameterListItem{{Name: "a", Value: "1", Type: "ARRAY<INT>"}}, "INVALID_DATA_TYPE"},
			"injection":  {[]sql.StatementParameterListItem{{Name: "a", Value: "1", Type: "INT) OR (1=1"}}, "INVALID_DATA_TYPE"},
			"positional": {[]sql.StatementParameterListItem{{Value: "1"}}, "Positional"},
		} {
			t.Run(name, func(t *testing.T) {
				response := w.execute(sql.ExecuteStatementRequest{Statement: "SELECT :a", Parameters: test.parameters})
				require.Equal(t, sql.StatementStateFailed, response.Status.State)
				require.Contains(t, response.Status.Error.Message, test.message)
			})
		}
	})
}
