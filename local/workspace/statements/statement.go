package statements

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/google/uuid"

	"github.com/pinflow/pinflow/local/engine"
)

// statement is one execution. done is closed when it has ended.
type statement struct {
	id     string
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	status sql.StatementStatus
	result *resultSet
	ended  time.Time
}

func (a *API) start(request *statementRequest) *statement {
	ctx, cancel := context.WithCancel(a.base)
	st := &statement{
		id: uuid.NewString(), cancel: cancel, done: make(chan struct{}),
		status: sql.StatementStatus{State: sql.StatementStatePending},
	}
	a.Sweep()
	a.mu.Lock()
	a.byID[st.id] = st
	a.mu.Unlock()
	a.work.Go(func() {
		defer close(st.done)
		defer cancel()
		a.execute(ctx, st, request)
	})
	return st
}

func (a *API) execute(ctx context.Context, st *statement, request *statementRequest) {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		st.end(sql.StatementStatus{State: sql.StatementStateCanceled}, nil, a.now())
		return
	}
	st.mu.Lock()
	st.status.State = sql.StatementStateRunning
	st.mu.Unlock()
	result, err := a.run(ctx, request)
	switch {
	case err == nil:
		st.end(sql.StatementStatus{State: sql.StatementStateSucceeded}, result, a.now())
	case ctx.Err() != nil:
		st.end(sql.StatementStatus{State: sql.StatementStateCanceled}, nil, a.now())
	default:
		st.end(failure(err), nil, a.now())
	}
}

func (a *API) run(ctx context.Context, request *statementRequest) (*resultSet, error) {
	text, params, err := bind(request.Statement, request.given.Parameters)
	if err != nil {
		return nil, err
	}
	q := engine.Query{SQL: text, Catalog: request.Catalog, Schema: request.Schema, Params: params}
	if limit := request.given.RowLimit; limit != nil {
		q.RowLimit = *limit + 1 // one more, to know whether there are more rows
	}
	table, err := a.engine.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	return newResultSet(table, request.given.RowLimit, request.given.ByteLimit)
}

var sqlStatePattern = regexp.MustCompile(`SQLSTATE: ([0-9A-Z]{5})`)

// failure returns the status of a failed statement. As in the service, every error of the engine is
// a BAD_REQUEST.
func failure(err error) sql.StatementStatus {
	code := sql.ServiceErrorCodeInternalError
	message := err.Error()
	var failed *engine.StatementError
	if errors.As(err, &failed) {
		code, message = sql.ServiceErrorCodeBadRequest, failed.Message
	}
	status := sql.StatementStatus{State: sql.StatementStateFailed, Error: &sql.ServiceError{ErrorCode: code, Message: message}}
	if found := sqlStatePattern.FindStringSubmatch(message); found != nil {
		status.SqlState = found[1]
	}
	return status
}

// statementFailed returns the status of a statement that failed because of the workspace.
func statementFailed(format string, args ...any) error {
	return &engine.StatementError{Message: fmt.Sprintf(format, args...)}
}

func (st *statement) end(status sql.StatementStatus, result *resultSet, now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.status, st.result, st.ended = status, result, now
}

// response returns the statement, with the first chunk of its result.
func (st *statement) response() statementResponse {
	st.mu.Lock()
	defer st.mu.Unlock()
	status := st.status
	response := statementResponse{StatementID: st.id, Status: &status}
	if st.result != nil {
		response.Manifest = &st.result.manifest
		response.Result = st.result.chunk(st.id, 0)
	}
	return response
}

func (st *statement) currentResult() *resultSet {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.result
}

func (a *API) find(id string) *statement {
	a.Sweep()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byID[id]
}

// Sweep closes statements with expired results and deletes those that ended long ago.
func (a *API) Sweep() {
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, st := range a.byID {
		st.mu.Lock()
		switch age := now.Sub(st.ended); {
		case st.ended.IsZero():
		case age >= Lifetime:
			delete(a.byID, id)
		case age >= ResultLifetime && st.status.State == sql.StatementStateSucceeded:
			st.status.State, st.result = sql.StatementStateClosed, nil
		}
		st.mu.Unlock()
	}
}

// Drain waits until all statements have ended or ctx is done, then cancels what is left and waits
// for that.
func (a *API) Drain(ctx context.Context) {
	release := context.AfterFunc(ctx, a.stop)
	a.work.Wait()
	release()
	a.stop()
}
