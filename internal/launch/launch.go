// Package launch holds the options with which runs and ranges start: the same for a client, a
// Schedule and a range that starts its children.
package launch

import (
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// Priority returns Temporal's priority of runs with that trigger; 1 is the highest of 5 keys and 3
// the default. In task queues and in pools a backfill comes after the daily run and after manual
// runs.
func Priority(trigger run.Trigger) temporal.Priority {
	if trigger == run.Backfill {
		return temporal.Priority{PriorityKey: 5}
	}
	return temporal.Priority{PriorityKey: 3}
}

// RunOptions returns the options with which a client starts run.RunWorkflow. Temporal rejects a
// date that is running; the error names the run. The trigger of the input must be set.
func RunOptions(d run.Deployment, in run.Input) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                                       d.WorkflowID(in.DAG, in.Date),
		TaskQueue:                                d.TaskQueue(),
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    search.RunAttributes(in),
		StaticSummary:                            summary(in),
		Priority:                                 Priority(in.Trigger),
	}
}

// DecidedRunOptions returns RunOptions with which Temporal rejects a start that the decision does
// not allow any more, because the date has run since the ledger was read.
func DecidedRunOptions(d run.Deployment, in run.Input, decision ledger.Decision) client.StartWorkflowOptions {
	options := RunOptions(d, in)
	options.WorkflowIDReusePolicy = reusePolicy(decision)
	return options
}

// ChildOptions returns the options with which a range starts a run. The run continues when the
// range ends.
func ChildOptions(d run.Deployment, in run.Input, decision ledger.Decision) workflow.ChildWorkflowOptions {
	return workflow.ChildWorkflowOptions{
		WorkflowID:            d.WorkflowID(in.DAG, in.Date),
		WorkflowIDReusePolicy: reusePolicy(decision),
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON,
		TypedSearchAttributes: search.RunAttributes(in),
		StaticSummary:         summary(in),
		Priority:              Priority(in.Trigger),
	}
}

// RangeOptions returns the options with which a client starts run.RangeWorkflow.
func RangeOptions(d run.Deployment, in run.RangeInput) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                                       d.RangeWorkflowID(in.DAG, in.From, in.To),
		TaskQueue:                                d.TaskQueue(),
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    search.RangeAttributes(in.DAG, in.Trigger),
		StaticSummary:                            fmt.Sprintf("%s from %s to %s (%s)", in.DAG, in.From, in.To, in.Trigger),
		Priority:                                 Priority(in.Trigger),
	}
}

// AboutPools is what the Pools workflow is for, for its page in the Web UI.
const AboutPools = "Does the work of all tasks that have a pool: at most as many at a time as the pool has slots, the highest priority first. It never ends. " +
	"If it is terminated, a worker starts it again within a minute, and it continues with the requests of the open runs."

// PoolsOptions returns the options with which run.PoolsWorkflow starts, if it is not running. The
// memo says what it is for also after it has continued as new, when summary and details are gone.
func PoolsOptions(d run.Deployment) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       d.PoolsID(),
		TaskQueue:                d.TaskQueue(),
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            "the pools of deployment " + string(d),
		StaticDetails:            AboutPools,
		Memo:                     map[string]any{"about": AboutPools},
	}
}

// reusePolicy lets Temporal guard a decision that was made from the ledger.
func reusePolicy(decision ledger.Decision) enumspb.WorkflowIdReusePolicy {
	if decision.FailedOnly {
		return enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	}
	return enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
}

func summary(in run.Input) string {
	return fmt.Sprintf("%s of %s (%s)", in.DAG, in.Date, in.Trigger)
}
