package answers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/pinflow/pinflow/internal/pause"
)

// Statements is what a Warehouse needs of Databricks' SQL Statement Execution API; the SDK's client
// satisfies it.
type Statements interface {
	ExecuteStatement(ctx context.Context, request sql.ExecuteStatementRequest) (*sql.StatementResponse, error)
	GetStatementByStatementId(ctx context.Context, statementID string) (*sql.StatementResponse, error)
	GetStatementResultChunkNByStatementIdAndChunkIndex(ctx context.Context, statementID string, chunkIndex int) (*sql.ResultData, error)
	CancelExecution(ctx context.Context, request sql.CancelExecutionRequest) error
}

// ErrMissing is the error of a statement about a table or a schema that does not exist.
var ErrMissing = errors.New("no such table or schema")

const (
	// firstWait is how long the call that starts a statement waits for its end; the API allows 5 s
	// to 50 s. It is below the client's timeout for one request.
	firstWait = "20s"
	// shortestPoll and longestPoll bound the time between two polls of a statement that takes
	// longer.
	shortestPoll, longestPoll = 500 * time.Millisecond, 5 * time.Second
	// cancelTime limits the cancellation of a statement whose caller has left.
	cancelTime = 10 * time.Second
)

// Warehouse runs SQL statements on a SQL warehouse and waits for them.
type Warehouse struct {
	// Statements is the API.
	Statements Statements
	// ID is the warehouse's id.
	ID string
	// Schema is where the tables are: schema, or catalog.schema.
	Schema string

	pause func(context.Context, time.Duration) error // tests do not wait
}

// Query runs one statement and returns all its rows, every value as text. The API does not
// distinguish NULL from an empty text; the tables that are read here have no empty texts. If the
// context ends, the statement is cancelled. The error is ErrMissing if a table or schema does not
// exist.
func (w *Warehouse) Query(ctx context.Context, statement string) ([][]string, error) {
	result, err := w.query(ctx, statement)
	return result.rows, err
}

// result is the result of a statement.
type result struct {
	// columns describes the columns as the warehouse does; it is empty for a statement without a
	// result.
	columns []sql.ColumnInfo
	rows    [][]string
}

func (w *Warehouse) query(ctx context.Context, statement string) (result, error) {
	if w.ID == "" {
		return result{}, errors.New("there is no SQL warehouse: set PINFLOW_WAREHOUSE_ID to the id of one (in Databricks: SQL Warehouses, Connection details)")
	}
	response, err := w.Statements.ExecuteStatement(ctx, sql.ExecuteStatementRequest{
		WarehouseId:   w.ID,
		Statement:     statement,
		Format:        sql.FormatJsonArray,
		Disposition:   sql.DispositionInline,
		WaitTimeout:   firstWait,
		OnWaitTimeout: sql.ExecuteStatementRequestOnWaitTimeoutContinue,
	})
	if err != nil {
		return result{}, fmt.Errorf("warehouse %s (PINFLOW_WAREHOUSE_ID): %w", w.ID, err)
	}
	if response, err = w.wait(ctx, response); err != nil {
		return result{}, err
	}
	rows, err := w.rows(ctx, response)
	if err != nil {
		return result{}, err
	}
	whole := result{rows: rows}
	if response.Manifest != nil && response.Manifest.Schema != nil {
		whole.columns = response.Manifest.Schema.Columns
	}
	return whole, nil
}

// wait polls until the statement has succeeded.
func (w *Warehouse) wait(ctx context.Context, response *sql.StatementResponse) (*sql.StatementResponse, error) {
	for next := shortestPoll; ; next = min(2*next, longestPoll) {
		state := sql.StatementState("")
		if response.Status != nil {
			state = response.Status.State
		}
		switch state {
		case sql.StatementStateSucceeded:
			return response, nil
		case sql.StatementStatePending, sql.StatementStateRunning:
		default:
			return nil, failure(response)
		}
		id := response.StatementId
		if err := w.sleep(ctx, next); err != nil {
			w.cancel(ctx, id)
			return nil, err
		}
		var err error
		if response, err = w.Statements.GetStatementByStatementId(ctx, id); err != nil {
			if ctx.Err() != nil {
				w.cancel(ctx, id)
			}
			return nil, err
		}
	}
}

// cancel ends a statement whose caller has left. A failure costs the warehouse some work and
// changes no result, so it is ignored.
func (w *Warehouse) cancel(ctx context.Context, id string) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer done()
	_ = w.Statements.CancelExecution(ctx, sql.CancelExecutionRequest{StatementId: id})
}

func (w *Warehouse) sleep(ctx context.Context, d time.Duration) error {
	if w.pause != nil {
		return w.pause(ctx, d)
	}
	return pause.For(ctx, d)
}

// failure returns the error of a statement that did not succeed.
func failure(response *sql.StatementResponse) error {
	status := response.Status
	if status == nil {
		return fmt.Errorf("statement %s: the response has no status", response.StatementId)
	}
	if status.Error == nil {
		return fmt.Errorf("statement %s ended as %s", response.StatementId, status.State)
	}
	err := errors.New(status.Error.Message)
	if missing(status) {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return err
}

// missingWords are the texts of errors about a table or schema that does not exist: the error
// classes of Databricks, and the messages of DuckDB that the embedded workspace passes on.
var missingWords = []string{
	"[TABLE_OR_VIEW_NOT_FOUND", "[SCHEMA_NOT_FOUND",
	"Catalog Error: Table with name", "Catalog Error: SHOW TABLES FROM: No catalog + schema",
}

// missing reports whether a statement failed because a table or schema does not exist, by the text
// or the SQLSTATE of the error.
func missing(status *sql.StatementStatus) bool {
	for _, words := range missingWords {
		if strings.Contains(status.Error.Message, words) {
			return true
		}
	}
	return status.SqlState == "42P01" || status.SqlState == "42704"
}

// rows returns the rows of all chunks of a result.
func (w *Warehouse) rows(ctx context.Context, response *sql.StatementResponse) ([][]string, error) {
	if response.Manifest != nil && response.Manifest.Truncated {
		return nil, fmt.Errorf("statement %s: the warehouse cut the result after %d rows", response.StatementId, response.Manifest.TotalRowCount)
	}
	var rows [][]string
	for chunk := response.Result; chunk != nil; {
		rows = append(rows, chunk.DataArray...)
		if chunk.NextChunkIndex == 0 { // the first chunk is 0, so it is never the next one
			break
		}
		var err error
		if chunk, err = w.Statements.GetStatementResultChunkNByStatementIdAndChunkIndex(ctx, response.StatementId, chunk.NextChunkIndex); err != nil {
			return nil, err
		}
	}
	if m := response.Manifest; m != nil && m.TotalRowCount != int64(len(rows)) {
		return nil, fmt.Errorf("statement %s: got %d rows of %d", response.StatementId, len(rows), m.TotalRowCount)
	}
	return rows, nil
}

// Columns returns the names of the columns of a table, in their order. The error is ErrMissing if
// there is no such table.
func (w *Warehouse) Columns(ctx context.Context, table string) ([]string, error) {
	described, err := w.query(ctx, "SELECT * FROM "+w.Name(table)+" LIMIT 0")
	names := make([]string, len(described.columns))
	for i, column := range described.columns {
		names[i] = column.Name
	}
	return names, err
}

// HasSchema reports whether the schema exists.
func (w *Warehouse) HasSchema(ctx context.Context) (bool, error) {
	_, err := w.Query(ctx, "SHOW TABLES FROM "+w.Name(""))
	if errors.Is(err, ErrMissing) {
		return false, nil
	}
	return err == nil, err
}

// Name quotes a table of the schema, or the schema itself if the table is empty.
func (w *Warehouse) Name(table string) string {
	parts := strings.Split(w.Schema, ".")
	if table != "" {
		parts = append(parts, table)
	}
	for i, part := range parts {
		parts[i] = "`" + strings.ReplaceAll(part, "`", "``") + "`"
	}
	return strings.Join(parts, ".")
}
