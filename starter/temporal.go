package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// dag is the DAG that the commands are about.
const dailyName = "pinterest-daily"

// queryTimeout limits a question to a workflow. A worker that is there answers within milliseconds, within a second or two if it has to
// read a long history first.
const queryTimeout = 5 * time.Second

// noRunError says that a date has never been run.
type noRunError struct{ date dates.Date }

func (e *noRunError) Error() string {
	return fmt.Sprintf("%s has not been run: start it with `starter run %s`", e.date, e.date)
}

// noWorkerError is the error of a workflow that no worker answers for. It is a fault.Unreachable.
type noWorkerError struct{ fault fault.Error }

func (e *noWorkerError) Error() string { return e.fault.Error() }

func noWorker(err error) error {
	return &noWorkerError{fault.Error{
		Kind: fault.Unreachable, What: "no worker answers on task queue " + run.TaskQueue, Next: "start one with `bin/workers`, or look at its log", Err: err,
	}}
}

// Unwrap returns the fault.
func (e *noWorkerError) Unwrap() error { return &e.fault }

// runStatus is the state of a date's latest run: from the run itself, or, if Temporal does not know it any more, from the ledger.
// It is a *noRunError if there is none, and a *noWorkerError if no worker answers for a run that is going.
func (a *app) runStatus(ctx context.Context, conn *temporal.Connection, date dates.Date) (run.Status, error) {
	id := run.WorkflowID(dailyName, date)
	description, err := conn.DescribeWorkflowExecution(ctx, id, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return a.ledgerStatus(ctx, date, "")
	}
	if err != nil {
		return run.Status{}, conn.Classify(err)
	}
	info := description.GetWorkflowExecutionInfo()
	status, err := a.queryRun(ctx, conn, id, info.GetExecution().GetRunId())
	closed := info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	if err != nil && closed { // no worker is needed to know how it ended
		if recorded, ledgerErr := a.ledgerStatus(ctx, date, info.GetExecution().GetRunId()); ledgerErr == nil {
			return recorded, nil
		}
	}
	if err != nil {
		return run.Status{}, err
	}
	if closed && !status.State.Final() { // ended from outside: it had no chance to say so
		status.State, status.Ended = run.Failed, info.GetCloseTime().AsTime()
		status.Error = fmt.Sprintf("the run was ended from outside: %s", executionState(info.GetStatus()))
	}
	return status, nil
}

// queryRun asks a run for its state.
func (a *app) queryRun(ctx context.Context, conn *temporal.Connection, id, runID string) (run.Status, error) {
	var status run.Status
	return status, a.query(ctx, conn, id, runID, run.StatusQuery, &status)
}

// query asks a workflow, and tells the absence of a worker from other trouble.
func (a *app) query(ctx context.Context, conn *temporal.Connection, id, runID, name string, into any) error {
	asking, done := context.WithTimeout(ctx, queryTimeout)
	defer done()
	answer, err := conn.QueryWorkflow(asking, id, runID, name)
	var (
		notReady *serviceerror.WorkflowNotReady
		noPoller *serviceerror.FailedPrecondition
		late     *serviceerror.DeadlineExceeded
	)
	switch {
	case err == nil:
		return answer.Get(into)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &notReady), errors.As(err, &noPoller), errors.As(err, &late), errors.Is(err, context.DeadlineExceeded):
		return noWorker(err)
	}
	return conn.Classify(err)
}

// ledgerStatus is a date's latest run as the ledger has it. If a run id is given, the entry has to be of that run.
func (a *app) ledgerStatus(ctx context.Context, date dates.Date, runID string) (run.Status, error) {
	entry, err := a.ledgerEntry(ctx, date)
	if err != nil {
		return run.Status{}, err
	}
	if entry == nil || runID != "" && entry.RunID != runID {
		return run.Status{}, &noRunError{date}
	}
	return entry.Status, nil
}

// ledgerEntry is what the ledger has of a date; nil if nothing.
func (a *app) ledgerEntry(ctx context.Context, date dates.Date) (*ledger.Entry, error) {
	entries, err := a.ledgerEntries(ctx, date, date)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	return &entries[0], nil
}

// ledgerEntries are what the ledger has of the dates from to to, in their order.
func (a *app) ledgerEntries(ctx context.Context, from, to dates.Date) ([]ledger.Entry, error) {
	objects, err := a.connect.bucket(ctx, a.settings)
	if err != nil {
		return nil, s3.Classify(err)
	}
	l := ledger.Ledger{Objects: objects}
	entries, err := l.Entries(ctx, ledger.Query{DAG: dailyName, From: from, To: to})
	if err != nil {
		return nil, s3.Classify(err)
	}
	return entries, nil
}

// executionState is how Temporal says a workflow stands, in small letters.
func executionState(status enumspb.WorkflowExecutionStatus) string {
	switch status {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return "running"
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return "success"
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		return "failed"
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return "cancelled"
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return "terminated"
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return "timed_out"
	}
	return "unknown"
}

// uiLink is a workflow's page in the Temporal Web UI.
func (a *app) uiLink(conn *temporal.Connection, id, runID string) string {
	page, err := url.JoinPath(a.settings.UIURL, "namespaces", conn.Namespace, "workflows", id, runID)
	if err != nil {
		return a.settings.UIURL
	}
	return page
}

func definitionOf(name string) (dag.DAG, error) {
	definition, err := workflows.DefaultCatalog.Definition(name)
	return definition.DAG, err
}
