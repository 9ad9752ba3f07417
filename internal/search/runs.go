package search

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// pageSize is how many workflows one request lists: a page of 1,000 can take a small server longer
// than a request may.
const pageSize = 100

// States of workflows that were ended from outside: they could not record a state of their own.
const (
	Terminated run.State = "terminated"
	TimedOut   run.State = "timed_out"
	// ContinuedAsNew is a range that its next workflow run continues.
	ContinuedAsNew run.State = "continued_as_new"
)

// BlockedAttempts is the attempt from which on a failing workflow task blocks its workflow. The first
// attempts may meet a worker that is just being replaced. From the third one on, Temporal itself
// rejects queries (failQueryWorkflowTaskAttemptCount in its server).
const BlockedAttempts = 3

// Lister lists workflows; client.Client satisfies it.
type Lister interface {
	ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
}

// Run is a run, or a range, as the visibility store knows it.
type Run struct {
	// Date is empty for a range.
	Date dates.Date `json:"date"`
	// State is the state of the run: running, held, success, failed or cancelled; or how its
	// workflow was ended from outside: terminated or timed_out.
	State   run.State   `json:"state"`
	Trigger run.Trigger `json:"trigger"`
	Partial bool        `json:"partial"`
	// Warned reports whether the run has succeeded with warnings.
	Warned     bool      `json:"warned,omitempty"`
	Tags       []string  `json:"tags,omitempty"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended,omitzero"`
	WorkflowID string    `json:"workflowId"`
	RunID      string    `json:"runId"`
}

// EndedOutside reports whether the workflow was ended from outside, so that it could not record its
// end.
func (r Run) EndedOutside() bool { return r.State == Terminated || r.State == TimedOut }

// Filter selects runs, or ranges, of a DAG in a deployment. Other fields that are not set select all.
type Filter struct {
	Deployment run.Deployment
	DAG        string
	// Type is run.RunWorkflow or run.RangeWorkflow; RunWorkflow by default.
	Type string
	// Open selects workflows that have not closed.
	Open bool
	// State is a state that a Run has. Blocked selects all open runs: the filter cannot tell those
	// that are blocked.
	State      run.State
	Trigger    run.Trigger
	NotTrigger run.Trigger
	Tag        string
	// Warned selects runs that have succeeded with warnings.
	Warned bool
	// EndedAfter selects runs that have ended after that time; all if it is zero.
	EndedAfter time.Time
	From, To   dates.Date
}

// Query returns the filter as Temporal's list filter.
func (f Filter) Query() string {
	kind := f.Type
	if kind == "" {
		kind = run.RunWorkflow
	}
	// A child and a run that was reset have the task queue of their deployment, too.
	conditions := []string{
		condition("TaskQueue", "=", f.Deployment.TaskQueue()), condition("WorkflowType", "=", kind), condition(DAG.GetName(), "=", f.DAG),
	}
	add := func(key temporal.SearchAttributeKey, operator, value string) {
		if value != "" {
			conditions = append(conditions, condition(key.GetName(), operator, value))
		}
	}
	conditions = append(conditions, ofState(f.State)...)
	add(Trigger, "=", string(f.Trigger))
	add(Trigger, "!=", string(f.NotTrigger))
	add(Tags, "=", f.Tag)
	if f.From != "" {
		add(Date, ">=", f.From.Start().Format(time.RFC3339))
	}
	if f.To != "" {
		// Not "<=" the start of To: SQLite compares times as text, in which the stored time, with its
		// zone, comes after the one of the query.
		add(Date, "<", f.To.End().Format(time.RFC3339))
	}
	if !f.EndedAfter.IsZero() {
		conditions = append(conditions, condition("CloseTime", ">", f.EndedAfter.UTC().Format(time.RFC3339)))
	}
	if f.Warned {
		conditions = append(conditions, Warned.GetName()+" = true")
	}
	if f.Open && !open(f.State) {
		conditions = append(conditions, condition("ExecutionStatus", "=", "Running"))
	}
	return strings.Join(conditions, " AND ")
}

// ofState returns the conditions for runs in a state. Only the status of the workflow says how it
// ended: one that was ended from outside still has the last state that it recorded.
func ofState(state run.State) []string {
	status := func(name string) string { return condition("ExecutionStatus", "=", name) }
	switch state {
	case "":
		return nil
	case run.Success:
		return []string{status("Completed")}
	case run.Failed:
		return []string{status("Failed")}
	case run.Cancelled:
		return []string{status("Canceled")}
	case Terminated:
		return []string{status("Terminated")}
	case TimedOut:
		return []string{status("TimedOut")}
	case run.Blocked: // no attribute says so: the caller looks at each
		return []string{status("Running")}
	}
	return []string{condition(State.GetName(), "=", string(state)), status("Running")}
}

// open reports whether only open runs are in the state.
func open(state run.State) bool {
	return state == run.Running || state == run.Held || state == run.Blocked
}

func condition(name, operator, value string) string {
	return fmt.Sprintf("%s %s '%s'", name, operator, strings.ReplaceAll(value, "'", `\'`))
}

// PinnedTo returns the list filter of the open workflows that only one version of a Worker Deployment
// can continue. A run is pinned with its first task.
func PinnedTo(deployment, buildID string) string {
	return strings.Join([]string{
		condition("ExecutionStatus", "=", "Running"), condition("TemporalWorkflowVersioningBehavior", "=", "Pinned"),
		condition("TemporalWorkerDeploymentVersion", "=", deployment+":"+buildID),
	}, " AND ")
}

// ErrNoAttributes is the error of a search in a namespace that lacks the search attributes.
var ErrNoAttributes = errors.New("the namespace lacks Pinflow's search attributes: run `starter setup`")

// Runs returns the runs that the filter selects, the latest started first, at most so many.
func Runs(ctx context.Context, lister Lister, namespace string, f Filter, limit int) ([]Run, error) {
	runs := []Run{}
	request := &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, Query: f.Query(), PageSize: int32(min(limit, pageSize))}
	for {
		page, err := lister.ListWorkflow(ctx, request)
		if errors.As(err, new(*serviceerror.InvalidArgument)) && strings.Contains(err.Error(), "Pinflow") {
			return nil, fmt.Errorf("%w (%w)", ErrNoAttributes, err)
		}
		if err != nil {
			return nil, err
		}
		for _, info := range page.GetExecutions() {
			found, err := Of(info)
			if err != nil {
				return nil, err
			}
			if runs = append(runs, found); len(runs) == limit {
				return runs, nil
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return runs, nil
		}
	}
}

// Of returns a run from what Temporal knows of its workflow.
func Of(info *workflowpb.WorkflowExecutionInfo) (Run, error) {
	r := Run{
		WorkflowID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(),
		Started: info.GetStartTime().AsTime(), State: StateOf(info.GetStatus()),
	}
	if info.GetCloseTime() != nil {
		r.Ended = info.GetCloseTime().AsTime()
	}
	var date time.Time
	var state run.State
	fields := info.GetSearchAttributes().GetIndexedFields()
	if err := errors.Join(
		attribute(fields, Date, &date), attribute(fields, Trigger, &r.Trigger), attribute(fields, Partial, &r.Partial),
		attribute(fields, State, &state), attribute(fields, Warned, &r.Warned), attribute(fields, Tags, &r.Tags),
	); err != nil {
		return Run{}, fmt.Errorf("run %s: %w", r.RunID, err)
	}
	if !date.IsZero() {
		r.Date = dates.Of(date)
	}
	if r.State == run.Running && state != "" {
		r.State = state
	}
	return r, nil
}

// attribute decodes a search attribute if the workflow has it.
func attribute(fields map[string]*commonpb.Payload, key temporal.SearchAttributeKey, into any) error {
	payload, ok := fields[key.GetName()]
	if !ok {
		return nil
	}
	if err := converter.GetDefaultDataConverter().FromPayload(payload, into); err != nil {
		return fmt.Errorf("search attribute %s: %w", key.GetName(), err)
	}
	return nil
}

// StateOf returns the state for the status of a workflow.
func StateOf(status enumspb.WorkflowExecutionStatus) run.State {
	switch status {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return run.Running
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return run.Success
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		return run.Failed
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return run.Cancelled
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return Terminated
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return TimedOut
	case enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		return ContinuedAsNew
	}
	return "unknown"
}
