package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

// The Databricks workspace of a test.

// fakeNotebooks keeps notebooks by path.
type fakeNotebooks struct {
	mu      sync.Mutex
	sources map[string]string
	err     error
}

func (f *fakeNotebooks) Export(_ context.Context, r workspace.ExportRequest) (*workspace.ExportResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	source, ok := f.sources[r.Path]
	if f.err != nil || !ok {
		return nil, errors.Join(f.err, &apierr.APIError{StatusCode: 404, ErrorCode: "RESOURCE_DOES_NOT_EXIST", Message: path.Base(r.Path) + " doesn't exist."})
	}
	return &workspace.ExportResponse{Content: base64.StdEncoding.EncodeToString([]byte(source))}, nil
}

func (f *fakeNotebooks) Import(_ context.Context, r workspace.Import) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	source, err := base64.StdEncoding.DecodeString(r.Content)
	f.sources[r.Path] = string(source)
	return err
}

// ListAll lists the notebooks of a folder. Like the API it does not know a folder that was never
// made.
func (f *fakeNotebooks) ListAll(_ context.Context, r workspace.ListWorkspaceRequest) (all []workspace.ObjectInfo, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(f.sources)) {
		if path.Dir(name) == r.Path {
			all = append(all, workspace.ObjectInfo{Path: name, ObjectType: workspace.ObjectTypeNotebook})
		}
	}
	if len(all) == 0 {
		return nil, errors.Join(f.err, apierr.ErrNotFound)
	}
	return all, f.err
}

func (f *fakeNotebooks) MkdirsByPath(context.Context, string) error { return f.err }

// fakeSQL answers statements that end with a key of results; others fail, as tables that are not
// there do.
type fakeSQL struct {
	mu      sync.Mutex
	schema  bool
	results map[string][][]string
	columns []sql.ColumnInfo // of each result
	asked   []string         // the statements
	err     error
}

func (f *fakeSQL) ExecuteStatement(_ context.Context, r sql.ExecuteStatementRequest) (*sql.StatementResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Statement)
	if f.err != nil {
		return nil, f.err
	}
	succeeded := func(rows [][]string) (*sql.StatementResponse, error) {
		return &sql.StatementResponse{
			Status: &sql.StatementStatus{State: sql.StatementStateSucceeded}, Manifest: &sql.ResultManifest{TotalRowCount: int64(len(rows)), Schema: &sql.ResultSchema{Columns: f.columns}},
			Result: &sql.ResultData{DataArray: rows},
		}, nil
	}
	switch {
	case strings.HasPrefix(r.Statement, "CREATE SCHEMA IF NOT EXISTS `pinterest`"):
		f.schema = true
		return succeeded(nil)
	case f.schema && strings.HasPrefix(r.Statement, "SHOW TABLES"):
		return succeeded(nil)
	}
	for statement, rows := range f.results {
		if strings.Contains(r.Statement, statement) {
			return succeeded(rows)
		}
	}
	return &sql.StatementResponse{Status: &sql.StatementStatus{State: sql.StatementStateFailed,
		Error: &sql.ServiceError{Message: fmt.Sprintf("[TABLE_OR_VIEW_NOT_FOUND] The table or view of %s cannot be found. SQLSTATE: 42P01", r.Statement)}}}, nil
}

func (f *fakeSQL) GetStatementByStatementId(context.Context, string) (*sql.StatementResponse, error) {
	return nil, errors.New("no statement is left to wait for")
}

func (f *fakeSQL) GetStatementResultChunkNByStatementIdAndChunkIndex(context.Context, string, int) (*sql.ResultData, error) {
	return nil, errors.New("no result has a second chunk")
}

func (f *fakeSQL) CancelExecution(context.Context, sql.CancelExecutionRequest) error { return nil }
