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
)

// awaitSlice is how long one attempt of AwaitRun waits. Then it lets another activity have its place on the worker: ranges that waited for
// many runs at once could otherwise take all places, and the runs that they wait for would get none.
const awaitSlice = 5 * time.Minute

// RunHeartbeat is how often AwaitRun says that it is alive. Its heartbeat timeout must be some times as long.
const RunHeartbeat = 10 * time.Second

// AwaitRunInput names a run to wait for: that of WorkflowID, or without one the latest of the workflow id.
type AwaitRunInput struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId,omitempty"`
}

// RunEnd is how a run ended.
type RunEnd struct {
	// Found says that Temporal still knows the run; it forgets closed runs after the namespace's retention.
	Found   bool `json:"found"`
	Success bool `json:"success"`
	// Status is Temporal's: Completed, Failed, Canceled, Terminated or TimedOut.
	Status string    `json:"status"`
	RunID  string    `json:"runId"`
	Closed time.Time `json:"closed"`
	// Error is the message of a run that did not succeed.
	Error string `json:"error,omitempty"`
}

// Runs asks Temporal about runs that are not children of the asking workflow.
type Runs struct {
	Client WorkflowClient

	slice time.Duration // of one attempt; awaitSlice if 0
}

// AwaitRun waits until a run has ended, however long that takes, and says how. It heartbeats, and may be repeated at any time: a worker
// that stops hands the wait over at once.
func (r *Runs) AwaitRun(ctx context.Context, in AwaitRunInput) (RunEnd, error) {
	waiting, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	over := time.AfterFunc(cmp.Or(r.slice, awaitSlice), func() { giveUp(errNotEnded) })
	defer over.Stop()
	go beat(waiting, giveUp)
	end, err := r.await(waiting, in)
	cause := context.Cause(waiting)
	if err != nil && (errors.Is(cause, errStopping) || errors.Is(cause, errNotEnded)) {
		return RunEnd{}, temporal.NewApplicationErrorWithOptions(fmt.Sprintf("%v: run %s is waited for by the next attempt", cause, in.WorkflowID), "NotEnded",
			temporal.ApplicationErrorOptions{NextRetryDelay: time.Second, Cause: cause, Category: temporal.ApplicationErrorCategoryBenign})
	}
	return end, err
}

// errNotEnded says that the run goes on at the end of an attempt's time.
var errNotEnded = errors.New("it has not ended")

// beat heartbeats until the wait is over, and ends it if the worker is about to stop.
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
	failure1 := r.Client.GetWorkflow(ctx, in.WorkflowID, runID).Get(ctx, nil)
	if failure1 != nil && !isRunFailure(failure1) {
		return RunEnd{}, fmt.Errorf("wait for run %s: %w", in.WorkflowID, failure1)
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
		Found:   true,
		Success: info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
		Status:  info.GetStatus().String(),
		RunID:   runID,
		Closed:  info.GetCloseTime().AsTime(),
	}
	if failure1 != nil {
		end.Error = failure.Reason(failure1)
	}
	return end, nil
}

// isRunFailure says that the error is the end of the run itself, and not trouble on the way to Temporal.
func isRunFailure(err error) bool {
	var failed *temporal.WorkflowExecutionError
	return errors.As(err, &failed)
}
