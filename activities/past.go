package activities

import (
	"context"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// CheckPastInput asks whether a task of a date has succeeded, for the same task of the next date.
type CheckPastInput struct {
	DAG  string     `json:"dag"`
	Date dates.Date `json:"date"`
	// WorkflowID is that of the date's runs.
	WorkflowID string `json:"workflowId"`
	Task       string `json:"task"`
	// BackfillStart is the first date of the backfill that asks: its dates will run even if they
	// are not known yet. It is empty outside of a backfill.
	BackfillStart dates.Date `json:"backfillStart,omitempty"`
	// FailedIsFinal makes a failed task an error that is not retried. Otherwise an operator may
	// repair it.
	FailedIsFinal bool `json:"failedIsFinal,omitempty"`
}

// Past looks at the date before.
type Past struct {
	Client WorkflowClient
	Ledger *ledger.Ledger
}

// CheckPast returns nil if the task of the date has succeeded or was skipped, or if the date is the
// first: neither it nor an earlier date has run. Otherwise it fails, and Temporal retries it. A
// running run counts before the ledger, as it may be a rerun.
func (p *Past) CheckPast(ctx context.Context, in CheckPastInput) error {
	state, known, err := p.state(ctx, in)
	switch {
	case err != nil:
		return err
	case state == run.Success, state == run.Skipped:
		return nil
	case !known && in.Date >= in.BackfillStart && in.BackfillStart != "":
		return notYet("%s has not run yet; it is part of the same backfill", in.Date)
	case !known:
		return p.checkFirst(ctx, in)
	case in.FailedIsFinal && state.Bad():
		return failure.NonRetryable(failure.PastFailed, nil, "%s of %s is %s: rerun %s first, or ignore the past", in.Task, in.Date, state, in.Date)
	}
	return notYet("%s of %s is %s and must succeed first: if it has failed, rerun it, or run this date with --ignore-past", in.Task, in.Date, state)
}

// state returns the state of the task in the date's open run, or else in the ledger. known is false
// if there is neither.
func (p *Past) state(ctx context.Context, in CheckPastInput) (state run.State, known bool, err error) {
	described, err := p.Client.DescribeWorkflowExecution(ctx, in.WorkflowID, "")
	if err != nil && !isNotFound(err) {
		return "", false, fmt.Errorf("look up run %s: %w", in.WorkflowID, err)
	}
	if described.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		state, err = p.query(ctx, in)
		return state, true, err
	}
	entry, err := p.Ledger.Entry(ctx, in.DAG, in.Date)
	switch {
	case err != nil:
		return "", false, ledgerError(ctx, "read the ledger", err)
	case entry == nil:
		return "", false, nil
	case entry.Partial:
		return ledger.Partial, true, nil
	case !slices.Contains(entry.TaskIDs(), in.Task): // the DAG has got the task since
		return run.Success, true, nil
	}
	return entry.Task(in.Task).State, true, nil
}

// query returns the state of the task in a running run.
func (p *Past) query(ctx context.Context, in CheckPastInput) (run.State, error) {
	answer, err := p.Client.QueryWorkflow(ctx, in.WorkflowID, "", run.StatusQuery)
	if err != nil {
		return "", fmt.Errorf("query run %s: %w", in.WorkflowID, err)
	}
	var status run.Status
	if err := answer.Get(&status); err != nil {
		return "", fmt.Errorf("decode the status of run %s: %w", in.WorkflowID, err)
	}
	if status.Partial || !slices.Contains(status.TaskIDs(), in.Task) {
		return run.Running, nil
	}
	return status.Task(in.Task).State, nil
}

// checkFirst returns nil if no earlier date has run.
func (p *Past) checkFirst(ctx context.Context, in CheckPastInput) error {
	earlier, err := p.Ledger.HasBefore(ctx, in.DAG, in.Date)
	if err != nil {
		return ledgerError(ctx, "read the ledger", err)
	}
	if !earlier {
		return nil
	}
	return notYet("%s has not run, but earlier dates have: run it first, or run this date with --ignore-past", in.Date)
}

// notYet returns the error after which Temporal retries. It is benign: the worker neither logs it
// as an error nor counts it as a failure.
func notYet(format string, args ...any) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf(format, args...), "NotYet", temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
}
