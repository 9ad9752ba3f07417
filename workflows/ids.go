package workflows

import (
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
)

// TaskQueue is the queue of all workflows and activities.
const TaskQueue = "pinflow"

// Names by which clients address the workflows.
const (
	// RunWorkflow is the type of the workflow that runs one logical date.
	RunWorkflow = "Run"
	// RangeWorkflow is the type of the workflow that runs many.
	RangeWorkflow = "Range"
	// PoolWorkflow is the type of the workflow that keeps a pool's slots. Runs start it; nobody else needs to.
	PoolWorkflow = activities.PoolWorkflow

	// StatusQuery asks a run for its RunStatus.
	StatusQuery = activities.StatusQuery
	// DecideUpdate tells a run what to do with a held task: a Decision.
	DecideUpdate = "decide"

	// ProgressQuery asks a range for its RangeProgress.
	ProgressQuery = "progress"
	// PauseUpdate makes a range start no more dates, or a run no more tries: a Pause. What has started goes on.
	PauseUpdate = "pause"
	// ResumeUpdate ends a pause: a Pause, for who and why.
	ResumeUpdate = "resume"
	// ParallelUpdate changes how many runs a range keeps going: a number.
	ParallelUpdate = "parallel"
	// StopUpdate ends a range early: a Stop.
	StopUpdate = "stop"

	// PoolQuery asks a pool for its activities.PoolState.
	PoolQuery = "pool"
)

// Trigger is who asked for a run.
type Trigger string

// The triggers.
const (
	Scheduled Trigger = "schedule"
	Manual    Trigger = "manual"
	Backfill  Trigger = "backfill"
)

// RunID is the workflow id of a date's runs. It is one for scheduled runs, manual ones and backfills, so that Temporal itself refuses
// a second run of a date while one is going.
func RunID(dag string, date dates.Date) string { return fmt.Sprintf("%s-%s", dag, date) }

// RangeID is the workflow id of a backfill: the same dates cannot be filled twice at the same time.
func RangeID(dag string, from, to dates.Date) string {
	return fmt.Sprintf("%s-backfill-%s-%s", dag, from, to)
}

// ScheduleID is the id of a DAG's Schedule.
func ScheduleID(dag string) string { return dag }

// priority is Temporal's priority key of runs with that trigger, 1 being the highest of 5 and 3 the default. A backfill stands behind
// the daily run and behind operators, in task queues and in pools.
func priority(trigger Trigger) temporal.Priority {
	if trigger == Backfill {
		return temporal.Priority{PriorityKey: 5}
	}
	return temporal.Priority{PriorityKey: 3}
}

// RunOptions are the options with which a client starts RunWorkflow. A running date is refused, with the running one in the error.
// The input's trigger must be set.
func RunOptions(in RunInput) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                                       RunID(in.DAG, in.Date),
		TaskQueue:                                TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    runAttributes(in),
		StaticSummary:                            runSummary(in),
		Priority:                                 priority(in.Trigger),
	}
}

// RangeOptions are the options with which a client starts RangeWorkflow.
func RangeOptions(in RangeInput) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                                       RangeID(in.DAG, in.From, in.To),
		TaskQueue:                                TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    rangeAttributes(in.DAG, in.Trigger),
		StaticSummary:                            fmt.Sprintf("%s from %s to %s (%s)", in.DAG, in.From, in.To, in.Trigger),
		Priority:                                 priority(in.Trigger),
	}
}

func runSummary(in RunInput) string { return fmt.Sprintf("%s of %s (%s)", in.DAG, in.Date, in.Trigger) }
