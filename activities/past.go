package activities

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/dates"
)

// ErrorPastFailed is the type of the error of CheckPast if the task of the date before has failed, and that is to be final.
const ErrorPastFailed = "PastFailed"

// StatusQuery is the query by which a run tells its state.
const StatusQuery = "status"

// CheckPastInput asks whether a task of a date has succeeded, for the same task of the date after it.
type CheckPastInput struct {
	DAG  string     `json:"dag"`
	Date dates.Date `json:"date"`
	// WorkflowID is that of the date's runs.
	WorkflowID string `json:"workflowId"`
	Task       string `json:"task"`
	// Since is the first date of the backfill that asks, if one does: its dates will run, though nobody may know of them yet.
	Since dates.Date `json:"since,omitempty"`
	// FailedIsFinal makes a failed task an error for good. Otherwise somebody may repair it.
	FailedIsFinal bool `json:"failedIsFinal,omitempty"`
}

// Past looks at the date before.
type Past struct {
	Client WorkflowClient
	Ledger *Ledger
}

// CheckPast returns nil if the task of the date has succeeded or was skipped, or if the date has nothing before it: no run, and none of
// an earlier date. Otherwise it fails, and Temporal asks again. A run that is going counts, before the ledger, as it may be a rerun.
func (p *Past) CheckPast(ctx context.Context, in CheckPastInput) error {
	state, known, err := p.state(ctx, in)
	switch {
	case err != nil:
		return err
	case state == "success", state == "skipped":
		return nil
	case !known && in.Date >= in.Since && in.Since != "":
		return notYet("%s has not run yet; it is part of the same backfill", in.Date)
	case !known:
		return p.first(ctx, in)
	case in.FailedIsFinal && (state == "failed" || state == "upstream_failed"):
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s of %s is %s: rerun %s first, or ignore the past", in.Task, in.Date, state, in.Date), ErrorPastFailed, nil)
	}
	return notYet("%s of %s is %s: it must succeed first; rerun it if it has failed, or run this date with --ignore-past", in.Task, in.Date, state)
}

// state is that of the task in the date's run that is going, or else in the ledger; known is false if there is neither.
func (p *Past) state(ctx context.Context, in CheckPastInput) (state string, known bool, err error) {
	described, err := p.Client.DescribeWorkflowExecution(ctx, in.WorkflowID, "")
	if err != nil && !isNotFound(err) {
		return "", false, fmt.Errorf("look up run %s: %w", in.WorkflowID, err)
	}
	if described.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		state, err = p.ask(ctx, in)
		return state, true, err
	}
	entry, err := p.Ledger.read(ctx, ledgerKey(in.DAG, in.Date))
	if errors.Is(err, ErrNoObject) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	if entry.Partial {
		return "partial", true, nil
	}
	for _, task := range entry.Tasks {
		if task.ID == in.Task {
			return task.State, true, nil
		}
	}
	return "success", true, nil // the DAG has got the task since
}

// ask is the state of the task in a run that is going.
func (p *Past) ask(ctx context.Context, in CheckPastInput) (string, error) {
	answer, err := p.Client.QueryWorkflow(ctx, in.WorkflowID, "", StatusQuery)
	if err != nil {
		return "", fmt.Errorf("ask run %s for its state: %w", in.WorkflowID, err)
	}
	var status struct {
		Partial bool `json:"partial"`
		Tasks   []struct {
			ID    string `json:"id"`
			State string `json:"state"`
		} `json:"tasks"`
	}
	if err := answer.Get(&status); err != nil {
		return "", fmt.Errorf("read the state of run %s: %w", in.WorkflowID, err)
	}
	for _, task := range status.Tasks {
		if task.ID == in.Task && !status.Partial {
			return task.State, nil
		}
	}
	return "running", nil
}

// first is nil if no date before the one that is asked about has ever run.
func (p *Past) first(ctx context.Context, in CheckPastInput) error {
	earlier, err := p.Ledger.Objects.List(ctx, ListObjects{Prefix: ledgerPrefix(in.DAG), Before: ledgerKey(in.DAG, in.Date)})
	if err != nil {
		return classifyS3(ctx, "list the ledger of "+in.DAG, err)
	}
	if len(earlier) == 0 {
		return nil
	}
	return notYet("%s has not run, but dates before it have: run it first, or run this date with --ignore-past", in.Date)
}

// notYet is the error by which Temporal asks again. It is no trouble: the worker neither logs it as an error nor counts it as a failure.
func notYet(format string, args ...any) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf(format, args...), "NotYet", temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
}
