package workspace

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

// How long statements are kept (Statement Execution API): a result is available for one hour after
// success, then the statement is CLOSED; a statement is deleted 12 hours after it ended.
const (
	resultLifetime    = time.Hour
	statementLifetime = 12 * time.Hour
)

// statements holds the statements of this process. After a restart clients get NOT_FOUND and
// execute them again.
type statements struct {
	engine Engine
	slots  chan struct{}
	now    func() time.Time

	mu   sync.Mutex
	byID map[string]*statement
	work sync.WaitGroup
	base context.Context
	stop context.CancelFunc
}

func newStatements(engine Engine, slots int, now func() time.Time) *statements {
	base, stop := context.WithCancel(context.Background())
	return &statements{engine: engine, slots: make(chan struct{}, slots), now: now, byID: map[string]*statement{}, base: base, stop: stop}
}

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

func (n *statements) start(request *statementRequest) *statement {
	ctx, cancel := context.WithCancel(n.base)
	st := &statement{
		id: uuid.NewString(), cancel: cancel, done: make(chan struct{}),
		status: sql.StatementStatus{State: sql.StatementStatePending},
	}
	n.sweep()
	n.mu.Lock()
	n.byID[st.id] = st
	n.mu.Unlock()
	n.work.Go(func() {
		defer close(st.done)
		defer cancel()
		n.execute(ctx, st, request)
	})
	return st
}

func (n *statements) execute(ctx context.Context, st *statement, request *statementRequest) {
	select {
	case n.slots <- struct{}{}:
		defer func() { <-n.slots }()
	case <-ctx.Done():
		st.end(sql.StatementStatus{State: sql.StatementStateCanceled}, nil, n.now())
		return
	}
	st.mu.Lock()
	st.status.State = sql.StatementStateRunning
	st.mu.Unlock()
	result, err := n.run(ctx, request)
	switch {
	case err == nil:
		st.end(sql.StatementStatus{State: sql.StatementStateSucceeded}, result, n.now())
	case ctx.Err() != nil:
		st.end(sql.StatementStatus{State: sql.StatementStateCanceled}, nil, n.now())
	default:
		st.end(failure(err), nil, n.now())
	}
}

func (n *statements) run(ctx context.Context, request *statementRequest) (*resultSet, error) {
	text, params, err := bind(request.Statement, request.given.Parameters)
	if err != nil {
		return nil, err
	}
	q := engine.Query{SQL: text, Catalog: request.Catalog, Schema: request.Schema, Params: params}
	if limit := request.given.RowLimit; limit != nil {
		q.RowLimit = *limit + 1 // one more, to know whether there are more rows
	}
	table, err := n.engine.Query(ctx, q)
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

func (n *statements) find(id string) *statement {
	n.sweep()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byID[id]
}

// sweep closes statements with expired results and deletes those that ended long ago.
func (n *statements) sweep() {
	now := n.now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, st := range n.byID {
		st.mu.Lock()
		switch age := now.Sub(st.ended); {
		case st.ended.IsZero():
		case age >= statementLifetime:
			delete(n.byID, id)
		case age >= resultLifetime && st.status.State == sql.StatementStateSucceeded:
			st.status.State, st.result = sql.StatementStateClosed, nil
		}
		st.mu.Unlock()
	}
}

// drain waits until all statements have ended or ctx is done, then cancels what is left and waits
// for that.
func (n *statements) drain(ctx context.Context) {
	release := context.AfterFunc(ctx, n.stop)
	n.work.Wait()
	release()
	n.stop()
}
