package workspace

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/workspace/statements"
)

func numbers(n int) *engine.Table {
	table := &engine.Table{Columns: []engine.Column{{Name: "n", Type: "BIGINT"}}}
	for i := range n {
		table.Rows = append(table.Rows, []any{int64(i)})
	}
	return table
}

func TestStatementsResults(t *testing.T) {
	t.Parallel()
	t.Run("row_limit_truncates_the_result", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{Engine: &fakeEngine{query: func(_ context.Context, q engine.Query) (*engine.Table, error) {
			table := numbers(3)
			if q.RowLimit > 0 && q.RowLimit < 3 {
				table.Rows = table.Rows[:q.RowLimit]
			}
			return table, nil
		}}})
		for limit, want := range map[string]struct {
			rows      float64
			truncated bool
		}{"0": {0, true}, "2": {2, true}, "3": {3, false}, "4": {3, false}} {
			_, _, body := w.call(http.MethodPost, "/api/2.0/sql/statements", testToken, `{"warehouse_id":"local","statement":"q","row_limit":`+limit+`}`)
			manifest := body["manifest"].(map[string]any)
			require.Equal(t, want.rows, manifest["total_row_count"], limit)
			require.Equal(t, want.truncated, manifest["truncated"], limit)
		}
		_, _, body := w.call(http.MethodPost, "/api/2.0/sql/statements", testToken, `{"warehouse_id":"local","statement":"q","byte_limit":10}`)
		require.Equal(t, true, body["manifest"].(map[string]any)["truncated"])
	})

	t.Run("large_results_have_chunks", func(t *testing.T) {
		t.Parallel()
		table := &engine.Table{Columns: []engine.Column{{Name: "text", Type: "STRING"}}}
		for i := range 12 {
			table.Rows = append(table.Rows, []any{fmt.Sprint(i, strings.Repeat("x", 1<<20))})
		}
		w := startWorkspace(t, Options{Engine: answering(table)})
		response := w.execute(sql.ExecuteStatementRequest{Statement: "q"})
		require.Greater(t, response.Manifest.TotalChunkCount, 1)
		var texts []string
		chunk := response.Result
		for i := 0; ; i++ {
			require.Equal(t, i, chunk.ChunkIndex)
			require.EqualValues(t, len(texts), chunk.RowOffset)
			require.Equal(t, response.Manifest.Chunks[i].RowCount, chunk.RowCount)
			for _, row := range chunk.DataArray {
				texts = append(texts, row[0])
			}
			if chunk.NextChunkIndex == 0 {
				break
			}
			require.Equal(t, fmt.Sprintf("/api/2.0/sql/statements/%s/result/chunks/%d", response.StatementId, i+1), chunk.NextChunkInternalLink)
			var err error
			chunk, err = w.statements.GetStatementResultChunkNByStatementIdAndChunkIndex(t.Context(), response.StatementId, chunk.NextChunkIndex)
			require.NoError(t, err)
		}
		require.Len(t, texts, 12)
		for i, text := range texts {
			require.True(t, strings.HasPrefix(text, fmt.Sprint(i, "x")))
		}
		_, err := w.statements.GetStatementResultChunkNByStatementIdAndChunkIndex(t.Context(), response.StatementId, 99)
		require.Equal(t, "The chunk_index 99 is out of bounds.", requireAPIError(t, err, http.StatusBadRequest, "INVALID_PARAMETER_VALUE"))
	})

	t.Run("inline_result_has_a_limit", func(t *testing.T) {
		t.Parallel()
		table := &engine.Table{Columns: []engine.Column{{Name: "text", Type: "STRING"}}}
		large := strings.Repeat("x", 1<<20)
		for range 26 {
			table.Rows = append(table.Rows, []any{large})
		}
		w := startWorkspace(t, Options{Engine: answering(table)})
		response := w.execute(sql.ExecuteStatementRequest{Statement: "q"})
		require.Equal(t, sql.StatementStateFailed, response.Status.State)
		require.Contains(t, response.Status.Error.Message, "Inline byte limit exceeded")
		response = w.execute(sql.ExecuteStatementRequest{Statement: "q", ByteLimit: 2 << 20})
		require.Equal(t, sql.StatementStateSucceeded, response.Status.State)
		require.True(t, response.Manifest.Truncated)
	})

	t.Run("result_is_closed_after_an_hour_and_deleted_after_twelve", func(t *testing.T) {
		t.Parallel()
		clock := newClock()
		w := startWorkspace(t, Options{Now: clock.Now, Engine: answering(numbers(1))})
		id := w.execute(sql.ExecuteStatementRequest{Statement: "q"}).StatementId
		clock.advance(statements.ResultLifetime - time.Second)
		require.Equal(t, sql.StatementStateSucceeded, w.statementEnded(id).Status.State)
		clock.advance(time.Second)
		closed := w.statementEnded(id)
		require.Equal(t, sql.StatementStateClosed, closed.Status.State)
		require.Nil(t, closed.Result)
		clock.advance(statements.Lifetime - statements.ResultLifetime)
		_, err := w.statements.GetStatementByStatementId(t.Context(), id)
		requireAPIError(t, err, http.StatusNotFound, "NOT_FOUND")
	})
}
