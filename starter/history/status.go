package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// QueryTimeout limits a query or an update of a workflow. A worker answers within milliseconds, or
// within a second or two if it has to replay a long history first.
const QueryTimeout = 5 * time.Second

// NoRunError is the error for a date that has never run.
type NoRunError struct {
	date    dates.Date
	command string
}

func (e *NoRunError) Error() string {
	return fmt.Sprintf("%s has not run yet: start it with `%s`", e.date, e.command)
}

// noRun returns a NoRunError.
func (r *Reader) noRun(date dates.Date) error {
	return &NoRunError{date, r.Command("run " + string(date))}
}

// NoWorkerError is the error of a workflow that no worker answers for. It is a fault.Unreachable.
type NoWorkerError struct{ fault fault.Error }

// noWorker returns a NoWorkerError. It says whether a worker polls at all.
func (r *Reader) noWorker(ctx context.Context, conn *temporal.Connection, err error) error {
	problem := fault.Error{
		Kind: fault.Unreachable, What: "no worker answers on task queue " + r.Settings.Deployment.TaskQueue(),
		Next: "start one with `bin/workers`, or look at its log; `starter doctor` names a build that has open runs and no workers", Err: err,
	}
	if _, missing := r.Builds().CheckWorker(ctx, conn); missing != nil && !fault.Unusable(missing) || errors.As(err, new(*serviceerror.FailedPrecondition)) {
		problem.What, problem.Next = "no worker polls task queue "+r.Settings.Deployment.TaskQueue(), "start one with `bin/workers`; if one is running, look at its log"
	}
	return &NoWorkerError{problem}
}

func (e *NoWorkerError) Error() string { return e.fault.Error() }

// Unwrap returns the fault.
func (e *NoWorkerError) Unwrap() error { return &e.fault }

// Status returns the state of a date's latest run: from the run itself or, if Temporal has
// forgotten it, from the ledger. The error is a *NoRunError if the date has not run, a *BlockedError
// if its open run is blocked, and a *NoWorkerError if no worker answers for it.
func (r *Reader) Status(ctx context.Context, conn *temporal.Connection, date dates.Date) (run.Status, error) {
	found, err := r.latest(ctx, conn, date)
	return found.Status, err
}

// latest returns the latest run of a date; its errors are those of Status.
func (r *Reader) latest(ctx context.Context, conn *temporal.Connection, date dates.Date) (Run, error) {
	description, err := conn.DescribeWorkflowExecution(ctx, r.WorkflowID(date), "")
	if errors.As(err, new(*serviceerror.NotFound)) {
		return r.recorded(ctx, date, "")
	}
	if err != nil {
		return Run{}, conn.Classify(err)
	}
	found, err := search.Of(description.GetWorkflowExecutionInfo())
	if err != nil {
		return Run{}, err
	}
	if found.EndedOutside() { // the ledger knows more than the run, if its end was recorded
		if recorded, err := r.recorded(ctx, date, found.RunID); err == nil {
			return recorded, nil
		}
	}
	status, err := r.QueryRun(ctx, conn, found.WorkflowID, found.RunID)
	if err != nil && !found.Ended.IsZero() { // the end of a run is known without a worker
		if recorded, ledgerErr := r.recorded(ctx, date, found.RunID); ledgerErr == nil {
			return recorded, nil
		}
	}
	if err != nil {
		return Run{}, err
	}
	found.Date = date
	return r.settle(status, found), nil
}

// QueryRun queries the status of a run.
func (r *Reader) QueryRun(ctx context.Context, conn *temporal.Connection, id, runID string) (run.Status, error) {
	var status run.Status
	return status, r.Query(ctx, conn, id, runID, run.StatusQuery, &status)
}

// Query queries a workflow. The error is a *BlockedError if the workflow is blocked, and a
// *NoWorkerError if no worker answers.
func (r *Reader) Query(ctx context.Context, conn *temporal.Connection, id, runID, name string, into any) error {
	limited, done := context.WithTimeout(ctx, QueryTimeout)
	defer done()
	answer, err := conn.QueryWorkflow(limited, id, runID, name)
	var (
		notReady *serviceerror.WorkflowNotReady
		noPoller *serviceerror.FailedPrecondition
		late     *serviceerror.DeadlineExceeded
		failed   *serviceerror.QueryFailed
	)
	switch {
	case err == nil:
		return answer.Get(into)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &notReady), errors.As(err, &noPoller), errors.As(err, &late), errors.Is(err, context.DeadlineExceeded), errors.As(err, &failed):
		return r.NoAnswer(ctx, conn, id, runID, err)
	}
	return conn.Classify(err)
}

// NoAnswer returns why a workflow did not answer a query or an update: a *BlockedError or a
// *NoWorkerError.
func (r *Reader) NoAnswer(ctx context.Context, conn *temporal.Connection, id, runID string, err error) error {
	blocked, unknown := blockedOf(ctx, conn, id, runID)
	switch {
	case blocked != nil:
		return &BlockedError{Blocked: *blocked, ID: id, WayOut: r.wayOut(id)}
	case unknown != nil:
		return unknown
	}
	if errors.As(err, new(*serviceerror.QueryFailed)) { // a worker answered that it cannot: its build differs, but the run may not know yet
		return &NoWorkerError{fault.Error{Kind: fault.Unreachable, What: "the worker cannot answer for " + id, Next: "look at its log", Err: err}}
	}
	return r.noWorker(ctx, conn, err)
}
