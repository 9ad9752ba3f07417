package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
)

// WorkflowClient is the part of Temporal's client that activities use; client.Client satisfies it.
type WorkflowClient interface {
	SignalWithStartWorkflow(ctx context.Context, workflowID, signalName string, signalArg any,
		options client.StartWorkflowOptions, workflow any, workflowArgs ...any) (client.WorkflowRun, error)
	CompleteActivityByID(ctx context.Context, namespace, workflowID, runID, activityID string, result any, err error) error
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	GetWorkflow(ctx context.Context, workflowID, runID string) client.WorkflowRun
	QueryWorkflow(ctx context.Context, workflowID, runID, queryType string, args ...any) (converter.EncodedValue, error)
}

// Pools carries messages between runs and the Pools workflow.
type Pools struct {
	Client     WorkflowClient
	Deployment run.Deployment
}

// SendToPools sends a message to the Pools workflow of the deployment, and starts the workflow if
// it is not running. Messages are idempotent.
func (p *Pools) SendToPools(ctx context.Context, in run.PoolsMessage) error {
	options := launch.PoolsOptions(p.Deployment)
	if _, err := p.Client.SignalWithStartWorkflow(ctx, options.ID, run.PoolsSignal, in, options, run.PoolsWorkflow, run.PoolsState{}); err != nil {
		return fmt.Errorf("send a message to workflow %s: %w", options.ID, err)
	}
	return nil
}

// RunInPool is the part of a request that the run's page in the Web UI shows: it begins when the
// run has sent the request, and ends with the answer of the Pools workflow, through AnswerRequest.
// It occupies no worker meanwhile.
//
// A reset of the run schedules the activity in progress again, without the message before it: then
// the request is sent from here, as one of the new run.
func (p *Pools) RunInPool(ctx context.Context, in run.Request) (run.WorkDone, error) {
	info := activity.GetInfo(ctx)
	if in.RunID != info.WorkflowExecution.RunID {
		in.RunID = info.WorkflowExecution.RunID
		if err := p.SendToPools(ctx, run.PoolsMessage{Request: &in}); err != nil {
			return run.WorkDone{}, err
		}
	}
	return run.WorkDone{}, activity.ErrResultPending
}

// AnswerRequestInput is the end of the work that a request asked for.
type AnswerRequestInput struct {
	Request run.Request  `json:"request"`
	Done    run.WorkDone `json:"done"`
	// Error is why the work failed, ErrorType the type of that error; both are empty if it
	// succeeded.
	Error     string `json:"error,omitempty"`
	ErrorType string `json:"errorType,omitempty"`
	// Cancelled reports whether the work was cancelled because the request was withdrawn.
	Cancelled bool `json:"cancelled,omitempty"`
}

// AnswerRequest ends the activity of a request with the result of the work. A run that has closed
// needs no answer.
//
// Temporal cancels an activity only if the run has asked for that. Work that was cancelled without
// the run, which was taken to be closed, fails the try instead.
func (p *Pools) AnswerRequest(ctx context.Context, in AnswerRequestInput) error {
	var failed error
	switch {
	case in.Cancelled:
		failed = temporal.NewCanceledError()
	case in.Error != "":
		failed = temporal.NewApplicationErrorWithOptions(in.Error, in.ErrorType, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{in.Done}})
	}
	to := in.Request
	err := p.Client.CompleteActivityByID(ctx, activity.GetInfo(ctx).Namespace, to.WorkflowID, to.RunID, to.ActivityID, in.Done, failed)
	if in.Cancelled && errors.As(err, new(*serviceerror.InvalidArgument)) {
		failed = temporal.NewNonRetryableApplicationError("the work was cancelled in its pool, because its run was taken to be closed", failure.WorkCancelled, err, in.Done)
		err = p.Client.CompleteActivityByID(ctx, activity.GetInfo(ctx).Namespace, to.WorkflowID, to.RunID, to.ActivityID, in.Done, failed)
	}
	if !isNotFound(err) {
		return err
	}
	return p.checkAnswered(ctx, to, err)
}

// AnswerRequestsInput holds the answers to requests of a group.
type AnswerRequestsInput struct {
	Answers []AnswerRequestInput `json:"answers"`
	// Pause is the time between two answers. Without one, some are sent at the same time.
	Pause time.Duration `json:"pause,omitempty"`
}

// maxAnswers limits the answers that are on their way at the same time.
const maxAnswers = 4

// AnswerRequests does what AnswerRequest does for requests of a group. Its attempts are repeatable:
// who has an answer gets no other.
func (p *Pools) AnswerRequests(ctx context.Context, in AnswerRequestsInput) error {
	errs := make([]error, len(in.Answers))
	var answers errgroup.Group
	answers.SetLimit(maxAnswers)
	for i, answer := range in.Answers {
		answers.Go(func() error {
			errs[i] = p.AnswerRequest(ctx, answer)
			return nil
		})
		if in.Pause > 0 {
			select {
			case <-time.After(in.Pause):
			case <-ctx.Done():
			}
		}
	}
	_ = answers.Wait() // the functions return no error: one that fails must not keep others from their answer
	return errors.Join(errs...)
}

// answerAttempts is how often an answer is sent to an open run that has no such activity.
const answerAttempts = 3

// checkAnswered returns nil if a request needs no answer, although Temporal did not find its
// activity: because the run has closed, or because the answer has arrived before. Otherwise the
// activity is about to be scheduled or taken: the answer to a request that is withdrawn at once can
// come before that.
func (p *Pools) checkAnswered(ctx context.Context, to run.Request, cause error) error {
	response, err := p.Client.DescribeWorkflowExecution(ctx, to.WorkflowID, to.RunID)
	switch {
	case isNotFound(err) || err == nil && response.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return nil
	case err != nil:
		return fmt.Errorf("look up run %s: %w", to.WorkflowID, err)
	}
	pending := slices.ContainsFunc(response.GetPendingActivities(), func(a *workflowpb.PendingActivityInfo) bool { return a.GetActivityId() == to.ActivityID })
	if info := activity.GetInfo(ctx); !pending && !info.IsLocalActivity && info.Attempt >= answerAttempts {
		return nil
	}
	return fmt.Errorf("answer %s of run %s: %w", to.ActivityID, to.WorkflowID, cause)
}

// Requester is a run that has requested work.
type Requester struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
}

// FindClosedInput holds the runs to check.
type FindClosedInput struct {
	Requesters []Requester `json:"requesters"`
}

// ClosedRequesters holds the runs that have closed, in the order of the input.
type ClosedRequesters struct {
	Requesters []Requester `json:"requesters,omitempty"`
}

// FindClosed returns the runs that have closed and wait for no answer any more. A run that was
// reset has closed: the new run has sent requests of its own.
func (p *Pools) FindClosed(ctx context.Context, in FindClosedInput) (ClosedRequesters, error) {
	var closed ClosedRequesters
	for _, r := range in.Requesters {
		open, err := p.isOpen(ctx, r)
		if err != nil {
			return ClosedRequesters{}, err
		}
		if !open {
			closed.Requesters = append(closed.Requesters, r)
		}
	}
	return closed, nil
}

func (p *Pools) isOpen(ctx context.Context, r Requester) (bool, error) {
	response, err := p.Client.DescribeWorkflowExecution(ctx, r.WorkflowID, r.RunID)
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up run %s: %w", r.WorkflowID, err)
	}
	return response.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

const (
	// maxFound limits how many runs one attempt of FindRequests queries.
	maxFound = 100
	// maxAsked limits how many of them it queries at a time. A query that nobody answers takes 10 s.
	maxAsked = 20
)

// FindRequestsInput continues a search. The token is empty at its start.
type FindRequestsInput struct {
	PageToken []byte `json:"pageToken,omitempty"`
}

// FoundRequests holds requests of open runs.
type FoundRequests struct {
	Requests run.Packed[run.OpenRequest] `json:"requests,omitempty"`
	// Unanswered counts the runs that did not answer.
	Unanswered int `json:"unanswered,omitempty"`
	// PageToken continues the search; it is empty at its end.
	PageToken []byte `json:"pageToken,omitempty"`
}

// FindRequests returns the requests of the open runs that have no answer yet, for a Pools workflow
// that does not know them. A run that cannot be queried, because its workflow task fails or no
// worker of its version is running, is counted: it is to be asked again. StartNotebook protects the
// tables that such a run may still write.
func (p *Pools) FindRequests(ctx context.Context, in FindRequestsInput) (FoundRequests, error) {
	info := activity.GetInfo(ctx)
	page, err := p.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: info.Namespace, PageSize: maxFound, NextPageToken: in.PageToken,
		Query: fmt.Sprintf("WorkflowType = '%s' AND TaskQueue = '%s' AND ExecutionStatus = 'Running'", run.RunWorkflow, p.Deployment.TaskQueue()),
	})
	if err != nil {
		return FoundRequests{}, fmt.Errorf("list open runs: %w", err)
	}
	runs := page.GetExecutions()
	requests, errs := make([][]run.OpenRequest, len(runs)), make([]error, len(runs))
	var asked errgroup.Group
	asked.SetLimit(maxAsked)
	for i, execution := range runs {
		asked.Go(func() error {
			id := execution.GetExecution()
			requests[i], errs[i] = p.requestsOf(ctx, id.GetWorkflowId(), id.GetRunId())
			activity.RecordHeartbeat(ctx)
			return nil
		})
	}
	_ = asked.Wait()
	found := FoundRequests{PageToken: page.GetNextPageToken()}
	for i, err := range errs {
		found.Requests = append(found.Requests, requests[i]...)
		if err != nil && !isNotFound(err) {
			activity.GetLogger(ctx).Warn("A run does not answer; its requests are looked for again", "run", runs[i].GetExecution().GetWorkflowId(), "error", err)
			found.Unanswered++
		}
	}
	return found, nil
}

func (p *Pools) requestsOf(ctx context.Context, workflowID, runID string) (requests []run.OpenRequest, err error) {
	answer, err := p.Client.QueryWorkflow(ctx, workflowID, runID, run.RequestsQuery)
	if err != nil {
		return nil, err
	}
	if err := answer.Get(&requests); err != nil {
		return nil, failure.NonRetryable(failure.InvalidInput, err, "decode the requests of run %s: %v", workflowID, err)
	}
	return requests, nil
}

func isNotFound(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}
