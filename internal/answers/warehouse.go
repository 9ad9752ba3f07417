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

// Statements is what a Warehouse needs of Databricks' SQL Statement Execution API; the SDK's client satisfies it.
type Statements interface {
	ExecuteStatement(ctx context.Context, request sql.ExecuteStatementRequest) (*sql.StatementResponse, error)
	GetStatementByStatementId(ctx context.Context, statementID string) (*sql.StatementResponse, error)
	GetStatementResultChunkNByStatementIdAndChunkIndex(ctx context.Context, statementID string, chunkIndex int) (*sql.ResultData, error)
	CancelExecution(ctx context.Context, request sql.CancelExecutionRequest) error
}

// ErrMissing says that a statement named a table or a schema that is not there.
var ErrMissing = errors.New("no such table or schema")

const (
	// firstWait is how long the call that starts a statement may hold; the API takes 5 s to 50 s. It stays below the client's time for one request.
	firstWait = "20s"
	// shortestPoll and longestPoll bound the time between two questions about a statement that takes longer.
	shortestPoll, longestPoll = 500 * time.Millisecond, 5 * time.Second
	// cancelTime is how long the cancel of a statement that nobody waits for may take.
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

// Query runs one statement and returns all its rows, every value as text. The API does not tell NULL from an empty text; the tables read
// here hold neither. If the context ends, the statement is cancelled. A table or schema that is not there is ErrMissing.
func (w *Warehouse) Query(ctx context.Context, statement string) ([][]string, error) {
	if w.ID == "" {
		return nil, errors.New("no SQL warehouse is named: set PINFLOW_WAREHOUSE_ID to the id of one (in Databricks: SQL Warehouses, Connection details)")
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
		return nil, fmt.Errorf("warehouse %s (PINFLOW_WAREHOUSE_ID): %w", w.ID, err)
	}
	if response, err = w.wait(ctx, response); err != nil {
		return nil, err
	}
	return w.rows(ctx, response)
}

// wait asks until the statement has succeeded.
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

// cancel ends a statement that nobody waits for any more. It is a courtesy to the warehouse: whether it works changes nothing here.
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

// failure is the error of a statement that did not succeed.
func failure(response *sql.StatementResponse) error {
	status := response.Status
	if status == nil {
		return fmt.Errorf("statement %s: the answer has no status", response.StatementId)
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

// missingWords are how a table or schema that is not there is told: by Databricks' error classes, and by DuckDB, whose words the embedded
// workspace passes on.
var missingWords = []string{
	"[TABLE_OR_VIEW_NOT_FOUND", "[SCHEMA_NOT_FOUND",
	"Catalog Error: Table with name", "Catalog Error: SHOW TABLES FROM: No catalog + schema",
}

// missing also knows the SQLSTATEs that belong to these classes.
func missing(status *sql.StatementStatus) bool {
	for _, words := range missingWords {
		if strings.Contains(status.Error.Message, words) {
			return true
		}
	}
	return status.SqlState == "42P01" || status.SqlState == "42704"
}

// rows collects the chunks of a result.
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

// HasSchema says whether the schema is there.
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
