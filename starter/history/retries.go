package history

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
)

// Retry is an activity that has failed and is being retried.
type Retry struct {
	Activity string `json:"activity"`
	Attempt  int32  `json:"attempt"`
	Error    string `json:"error"`
}

// Retries returns the activities of an open run that are being retried: what an operator may have
// to fix while the run waits.
func Retries(ctx context.Context, conn *temporal.Connection, status run.Status) ([]Retry, error) {
	if status.State.Final() {
		return nil, nil
	}
	description, err := conn.DescribeWorkflowExecution(ctx, status.WorkflowID, status.RunID)
	if err != nil {
		return nil, conn.Classify(err)
	}
	if description.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil, nil
	}
	var all []Retry
	for _, pending := range description.GetPendingActivities() {
		if failure := pending.GetLastFailure(); failure != nil {
			all = append(all, Retry{pending.GetActivityType().GetName(), pending.GetAttempt(), failure.GetMessage()})
		}
	}
	return all, nil
}
