package workflows

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

// record runs each case on a real server and saves its history.
func record(t *testing.T) {
	r := newRecorder(t)
	ctx := context.Background()
	day := dates.Date("2022-10-01")
	next := func() dates.Date { day = day.Add(1); return day }
	finish := func(name string, run client.WorkflowRun) error {
		err := run.Get(ctx, nil)
		r.save(name, run.GetID(), run.GetRunID())
		r.reset()
		return err
	}

	require.NoError(t, finish("clean", r.startRun(run.Input{Date: next()})))
	rerun := r.startRun(run.Input{Date: day, RerunTasks: dag.Tasks{"clean_geo", "query"}})
	require.NoError(t, finish("rerun", rerun))
	require.NoError(t, finish("noop", r.startRun(run.Input{DAG: noopDAG, Date: next()})))

	r.fate = func(in activities.StartNotebookInput) error {
		if in.Task == "clean_geo" {
			return temporal.NewNonRetryableApplicationError(brokenStatement, failure.NotebookFailed, nil)
		}
		return nil
	}
	require.ErrorContains(t, finish("failed", r.startRun(run.Input{Date: next()})), brokenStatement)

	r.fate = func(in activities.StartNotebookInput) error {
		if in.Task == "clean_pin" && in.Try == 1 {
			return temporal.NewNonRetryableApplicationError("DELTA_CONCURRENT_APPEND", failure.NotebookConflict, nil)
		}
		return nil
	}
	require.NoError(t, finish("retried", r.startRun(run.Input{Date: next()})))

	r.recordHeld(next(), finish)
	r.recordCancelled(next(), finish)
	r.recordCancelledStarting(next(), finish)
	r.recordAttached(next())
	r.recordTerminated(next(), next())
	r.recordRebuilt(next(), next())
	r.recordRange()
	r.recordTogether()
	r.recordPanicked(next())
	obstacle := r.recordObstacle(next()) // in a new run of the Pools workflow
	r.savePools()
	r.save("pools-obstacle", run.DefaultDeployment.PoolsID(), obstacle)
}

// backfill starts a backfill whose dates do not go together.
func (r *recorder) backfill(from, to dates.Date, parallel int) client.WorkflowRun {
	return r.startRange(run.RangeInput{DAG: pipelineDAG, From: from, To: to, Parallel: parallel})
}

func (r *recorder) startRange(in run.RangeInput) client.WorkflowRun {
	in.Trigger = run.Backfill
	run, err := r.client.ExecuteWorkflow(context.Background(), launch.RangeOptions(run.DefaultDeployment, in), run.RangeWorkflow, in)
	require.NoError(r.t, err)
	return run
}

// scheduledIn reports whether a workflow has scheduled an activity of that name.
func (r *recorder) scheduledIn(run client.WorkflowRun, name string) bool {
	events := r.client.GetWorkflowHistory(context.Background(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(r.t, err)
		if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == name {
			return true
		}
	}
	return false
}

// recordAttached backfills a date that is running.
func (r *recorder) recordAttached(day dates.Date) {
	r.gate = make(chan struct{})
	other := r.startRun(run.Input{Date: day})
	<-r.waits
	backfill := r.backfill(day, day, 1)
	require.Eventually(r.t, func() bool { return r.scheduledIn(backfill, steps.AwaitRun) }, time.Minute, 50*time.Millisecond)
	close(r.gate)
	require.NoError(r.t, other.Get(context.Background(), nil))
	var result run.RangeResult
	require.NoError(r.t, backfill.Get(context.Background(), &result))
	require.Equal(r.t, run.RangeResult{From: day, To: day, Total: 1, Success: 1, Attached: 1}, result)
	require.Equal(r.t, other.GetRunID(), r.ledger[day].RunID, "the date ran once")
	r.save("range-attached", backfill.GetID(), backfill.GetRunID())
	r.reset()
}

// recordTerminated terminates a run that is at work in the pool of load while another waits for it.
func (r *recorder) recordTerminated(dead, alive dates.Date) {
	ctx := context.Background()
	r.gate = make(chan struct{})
	works := r.startRun(run.Input{Date: dead})
	<-r.waits
	waiting := r.startRun(run.Input{Date: alive})
	require.Eventually(r.t, func() bool { return r.status(waiting).Tasks[0].State == run.Queued }, time.Minute, 50*time.Millisecond)
	require.NoError(r.t, r.client.TerminateWorkflow(ctx, works.GetID(), works.GetRunID(), "the machine is gone"))
	require.Equal(r.t, "load", <-r.waits, "the other run is at work")
	close(r.gate)
	require.NoError(r.t, waiting.Get(ctx, nil))
	r.reset()
}

// recordRebuilt terminates the Pools workflow while a run is at work. The request of another run
// starts its successor.
func (r *recorder) recordRebuilt(first, second dates.Date) {
	ctx := context.Background()
	r.gate = make(chan struct{})
	works := r.startRun(run.Input{Date: first})
	<-r.waits
	require.Eventually(r.t, func() bool { return r.status(works).Tasks[0].State == run.Running }, time.Minute, 50*time.Millisecond)
	require.NoError(r.t, r.client.TerminateWorkflow(ctx, run.DefaultDeployment.PoolsID(), "", "by mistake"))
	other := r.startRun(run.Input{Date: second})
	<-r.waits // the successor waits for the Databricks run of the first date
	close(r.gate)
	require.NoError(r.t, works.Get(ctx, nil))
	require.NoError(r.t, other.Get(ctx, nil))
	require.Equal(r.t, 1, r.most["load"], "two dates wrote the tables of load at the same time")
	r.reset()
}

// poolsRunID returns the current run of the Pools workflow.
func (r *recorder) poolsRunID() string {
	pools, err := r.client.DescribeWorkflowExecution(context.Background(), run.DefaultDeployment.PoolsID(), "")
	require.NoError(r.t, err)
	return pools.WorkflowExecutionInfo.Execution.RunId
}

// recordPanicked runs a task whose operator panics in the Pools workflow.
func (r *recorder) recordPanicked(day dates.Date) {
	before := r.poolsRunID()
	require.ErrorContains(r.t, r.startRun(run.Input{DAG: panicDAG, Date: day}).Get(context.Background(), nil), "the operator panicked: assignment to entry in nil map")
	require.Eventually(r.t, func() bool { return r.poolsRunID() != before }, time.Minute, 50*time.Millisecond, "no other build could replay the panic")
}

// recordObstacle runs a task whose operator the Pools workflow does not know at first. It returns
// the run of the Pools workflow.
func (r *recorder) recordObstacle(day dates.Date) (poolsRunID string) {
	ctx := context.Background()
	lack := func(is bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lacks = is
	}
	lack(true)
	waits := r.startRun(run.Input{DAG: obstacleDAG, Date: day})
	require.Eventually(r.t, func() bool { return strings.Contains(r.status(waits).Tasks[0].Waiting, "deploy a build that has it") }, time.Minute, 50*time.Millisecond)
	poolsRunID = r.poolsRunID()
	lack(false)
	require.NoError(r.t, waits.Get(ctx, nil))
	require.Equal(r.t, poolsRunID, r.poolsRunID(), "record again: it continued as new meanwhile")
	require.NoError(r.t, r.startRun(run.Input{Date: day}).Get(ctx, nil))
	require.NotEqual(r.t, poolsRunID, r.poolsRunID())
	return poolsRunID
}

// savePools saves those runs of the Pools workflow that show what the others do not.
func (r *recorder) savePools() {
	ctx := context.Background()
	id := run.DefaultDeployment.PoolsID()
	require.NoError(r.t, r.client.TerminateWorkflow(ctx, id, "", "recorded"))
	var first, cancels, rebuilds, groups string
	require.Eventually(r.t, func() bool {
		page, err := r.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: fmt.Sprintf("WorkflowId = '%s'", id)})
		require.NoError(r.t, err)
		for _, execution := range page.Executions { // the latest first
			first = execution.Execution.RunId
			pools := r.client.GetWorkflow(ctx, id, first)
			if r.scheduledIn(pools, steps.CancelNotebook) {
				cancels = first
			}
			if r.scheduledIn(pools, steps.AnswerRequests) {
				groups = first
			}
			if r.scheduledIn(pools, steps.FindRequests) && rebuilds == "" {
				rebuilds = first
			}
		}
		return cancels != "" && groups != "" && rebuilds != "" && rebuilds != first
	}, time.Minute, time.Second)
	r.save("pools", id, first)
	r.save("pools-cancelled", id, cancels)
	r.save("pools-rebuilt", id, rebuilds)
	r.save("pools-together", id, groups)
}

// recordHeld holds a failed task and retries it by a decision.
func (r *recorder) recordHeld(day dates.Date, finish func(string, client.WorkflowRun) error) {
	ctx := context.Background()
	r.fate = func(in activities.StartNotebookInput) error {
		if in.Task == "query" && in.Try <= 2 {
			return temporal.NewNonRetryableApplicationError("no table geo", failure.NotebookFailed, nil)
		}
		return nil
	}
	found := r.startRun(run.Input{Date: day, Hold: true})
	require.Eventually(r.t, func() bool { return r.status(found).State == run.Held }, time.Minute, 50*time.Millisecond)
	handle, err := r.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: found.GetID(), UpdateName: run.DecideUpdate, WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{run.Decision{Task: "query", Choice: run.RetryTask, By: "ann", Reason: "table is back"}},
	})
	require.NoError(r.t, err)
	require.NoError(r.t, handle.Get(ctx, nil))
	require.NoError(r.t, finish("held", found))
}

func (r *recorder) status(found client.WorkflowRun) run.Status {
	answer, err := r.client.QueryWorkflow(context.Background(), found.GetID(), found.GetRunID(), run.StatusQuery)
	require.NoError(r.t, err)
	var status run.Status
	require.NoError(r.t, answer.Get(&status))
	return status
}

// recordCancelled cancels a run while three notebooks are running.
func (r *recorder) recordCancelled(day dates.Date, finish func(string, client.WorkflowRun) error) {
	r.blockWait = make(chan struct{})
	release := sync.OnceFunc(func() { close(r.blockWait) })
	defer release()
	run := r.startRun(run.Input{Date: day})
	var running []string
	for range 3 {
		running = append(running, <-r.waits)
	}
	slices.Sort(running)
	require.Equal(r.t, "clean_geo clean_pin clean_user", strings.Join(running, " "))
	require.NoError(r.t, r.client.CancelWorkflow(context.Background(), run.GetID(), run.GetRunID()))
	release()
	require.True(r.t, temporal.IsCanceledError(finish("cancelled", run)))
}

// recordCancelledStarting cancels a run while StartNotebook is running.
func (r *recorder) recordCancelledStarting(day dates.Date, finish func(string, client.WorkflowRun) error) {
	r.blockStart = make(chan struct{})
	blocked := r.blockStart
	run := r.startRun(run.Input{Date: day})
	require.Equal(r.t, "load", <-r.waits)
	require.NoError(r.t, r.client.CancelWorkflow(context.Background(), run.GetID(), run.GetRunID()))
	require.Eventually(r.t, func() bool { return r.cancelRequested(run) }, time.Minute, 50*time.Millisecond)
	close(blocked)
	require.True(r.t, temporal.IsCanceledError(finish("cancelled-starting", run)))
}

// cancelRequested reports whether the workflow has requested the cancellation of an activity.
func (r *recorder) cancelRequested(run client.WorkflowRun) bool {
	events := r.client.GetWorkflowHistory(context.Background(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(r.t, err)
		if event.EventType == enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED {
			return true
		}
	}
	return false
}

// recordRange runs twelve dates, four at a time, through pools of one slot; it continues as new
// meanwhile.
func (r *recorder) recordRange() {
	ctx := context.Background()
	found := r.backfill("2022-09-01", "2022-09-12", 4)
	first := found.GetRunID()
	var result run.RangeResult
	require.NoError(r.t, found.Get(ctx, &result))
	require.Equal(r.t, run.RangeResult{From: "2022-09-01", To: "2022-09-12", Total: 12, Success: 12}, result)
	for _, notebook := range []string{"load", "clean_pin", "clean_geo", "clean_user", "query"} {
		require.Equal(r.t, 1, r.most[notebook], "two dates wrote the tables of %s at the same time", notebook)
	}
	r.save("range", found.GetID(), first)
	last, err := r.client.DescribeWorkflowExecution(ctx, found.GetID(), "")
	require.NoError(r.t, err)
	require.NotEqual(r.t, first, last.WorkflowExecutionInfo.Execution.RunId)
	r.save("range-last", found.GetID(), last.WorkflowExecutionInfo.Execution.RunId)
}
