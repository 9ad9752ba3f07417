package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// awaitSlice is how long one attempt of AwaitRun waits before it frees its activity slot on the
// worker. Otherwise ranges that wait for many runs could occupy all activity slots, and the runs
// that they wait for would get none.
const awaitSlice = 5 * time.Minute

// RunHeartbeat is how often AwaitRun heartbeats. Its heartbeat timeout must be several times as
// long.
const RunHeartbeat = 10 * time.Second

// AwaitRunInput selects the run to wait for. Without a RunID it is the latest run of the workflow
// id.
type AwaitRunInput struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId,omitempty"`
}

// RunEnd is the end of a run.
type RunEnd struct {
	// Found is false if Temporal does not have the run: it deletes closed runs after the
	// namespace's retention.
	Found   bool `json:"found"`
	Success bool `json:"success"`
	// Cancelled reports whether an operator ended the run: by cancelling or by terminating it.
	Cancelled bool `json:"cancelled,omitempty"`
	// Status is the status of the workflow: Completed, Failed, Canceled, Terminated or TimedOut.
	Status string    `json:"status"`
	RunID  string    `json:"runId"`
	Closed time.Time `json:"closed"`
	// Error is the message of a run that failed.
	Error string `json:"error,omitempty"`
	// Partial reports whether a successful run saw its date before it was over, Until up to when.
	Partial bool      `json:"partial,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

// Runs waits for runs that are not children of the waiting workflow.
type Runs struct {
	Client WorkflowClient

	slice time.Duration // awaitSlice if 0; for tests
}

// AwaitRun waits until a run has ended and returns its end. An attempt ends early when the worker
// stops, or after a few minutes; the next attempt continues the wait.
func (r *Runs) AwaitRun(ctx context.Context, in AwaitRunInput) (RunEnd, error) {
	waiting, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	over := time.AfterFunc(cmp.Or(r.slice, awaitSlice), func() { giveUp(errNotEnded) })
	defer over.Stop()
	go beat(waiting, giveUp)
	end, err := r.await(waiting, in)
	cause := context.Cause(waiting)
	if err != nil && (errors.Is(cause, errStopping) || errors.Is(cause, errNotEnded)) {
		return RunEnd{}, temporal.NewApplicationErrorWithOptions(fmt.Sprintf("%v: the next attempt waits for run %s", cause, in.WorkflowID), "NotEnded",
			temporal.ApplicationErrorOptions{NextRetryDelay: time.Second, Cause: cause, Category: temporal.ApplicationErrorCategoryBenign})
	}
	return end, err
}

// errNotEnded is the cause of an attempt that ended before the run did.
var errNotEnded = errors.New("the run has not ended")

// beat heartbeats until the wait is over, and ends it when the worker stops.
func beat(ctx context.Context, giveUp context.CancelCauseFunc) {
	tick := time.NewTicker(RunHeartbeat)
	defer tick.Stop()
	stopping := activity.GetWorkerStopChannel(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-stopping:
			giveUp(errStopping)
			return
		case <-tick.C:
			activity.RecordHeartbeat(ctx)
		}
	}
}

func (r *Runs) await(ctx context.Context, in AwaitRunInput) (RunEnd, error) {
	before, err := r.Client.DescribeWorkflowExecution(ctx, in.WorkflowID, in.RunID)
	if isNotFound(err) {
		return RunEnd{}, nil
	}
	if err != nil {
		return RunEnd{}, fmt.Errorf("look up run %s: %w", in.WorkflowID, err)
	}
	runID := before.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	var result run.Result
	ended := r.Client.GetWorkflow(ctx, in.WorkflowID, runID).Get(ctx, &result)
	if ended != nil && !isRunFailure(ended) {
		return RunEnd{}, fmt.Errorf("wait for run %s: %w", in.WorkflowID, ended)
	}
	after, err := r.Client.DescribeWorkflowExecution(ctx, in.WorkflowID, runID)
	if isNotFound(err) {
		return RunEnd{}, nil
	}
	if err != nil {
		return RunEnd{}, fmt.Errorf("look up run %s: %w", in.WorkflowID, err)
	}
	info := after.GetWorkflowExecutionInfo()
	end := RunEnd{
		Found:     true,
		Success:   info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
		Cancelled: info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED || info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
		Status:    info.GetStatus().String(),
		RunID:     runID,
		Closed:    info.GetCloseTime().AsTime(),
		Partial:   result.Partial,
		Until:     result.Until,
	}
	if ended != nil {
		end.Error = failure.Reason(ended)
	}
	return end, nil
}

// isRunFailure reports whether the error is the failure of the run, and not of the request to
// Temporal.
func isRunFailure(err error) bool {
	var failed *temporal.WorkflowExecutionError
	return errors.As(err, &failed)
}
