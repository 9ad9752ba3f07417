package workflows

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
)

// brokenStatement is what a broken notebook says.
const brokenStatement = "notebook clean_geo failed at statement 3, SELEC * FROM raw: [PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'"

// recorder is a real Temporal server with a worker, on which pools and runs are real, and Kafka, S3 and Databricks are not.
type recorder struct {
	t      *testing.T
	client client.Client

	mu      sync.Mutex
	ledger  map[dates.Date]activities.LedgerEntry
	writing map[string]int // runs of a notebook that are going
	most    map[string]int
	runs    map[int64]activities.StartNotebookInput
	waits   chan string // tasks whose run is waited for, if somebody listens
	fate    func(activities.StartNotebookInput) error
	// block keeps a call that is under way until it is closed.
	blockStart, blockWait chan struct{}
	// gate keeps a run of the notebook load going until it is closed.
	gate chan struct{}
}

func convert(payload *commonpb.Payload, out any) error {
	return converter.GetDefaultDataConverter().FromPayload(payload, out)
}

func newRecorder(t *testing.T) *recorder {
	ctx := context.Background()
	// The history is "long" after 60 events, so that a short range continues as new.
	args := []string{"--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60"}
	for _, a := range SearchAttributes() {
		args = append(args, "--search-attribute", a.Name+"="+a.Type.String())
	}
	server, err := testsuite.StartDevServer(ctx, testsuite.DevServerOptions{
		ExistingPath: "../bin/local", LogLevel: "error", ExtraArgs: args,
		ClientOptions: &client.Options{Identity: "recorder", Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))},
	})
	require.NoError(t, err, "build bin/local first")
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	r := &recorder{
		t: t, client: server.Client(), ledger: map[dates.Date]activities.LedgerEntry{}, writing: map[string]int{}, most: map[string]int{},
		runs: map[int64]activities.StartNotebookInput{}, waits: make(chan string, 100),
	}
	w := worker.New(r.client, TaskQueue, worker.Options{Identity: "recorder", MaxHeartbeatThrottleInterval: 100 * time.Millisecond})
	recorded().Register(w)
	w.RegisterActivity(&activities.Pools{Client: r.client})
	w.RegisterActivity(&activities.Runs{Client: r.client})
	w.RegisterActivity(&activities.Past{Client: r.client})
	for name, do := range map[string]any{
		planLanding: r.plan, landPartition: r.land, writeManifest: r.manifest, startNotebook: r.start, waitNotebook: r.wait, cancelNotebook: r.cancel,
		countRows: r.count, readLedger: r.read, writeLedger: r.write, "Noop": func(context.Context) error { return nil },
	} {
		w.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	r.reset()
	return r
}

func (r *recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fate = func(activities.StartNotebookInput) error { return nil }
	r.blockStart, r.blockWait, r.gate = nil, nil, nil
}

func (r *recorder) plan(_ context.Context, in activities.PlanLandingInput) (activities.LandingPlan, error) {
	return activities.LandingPlan{Topic: "u." + in.Topic, Date: in.Date, Ranges: []activities.PartitionRange{{Partition: 0, End: 10}, {Partition: 1, Start: 4, End: 4}}}, nil
}

func (r *recorder) land(_ context.Context, in activities.LandPartitionInput) (activities.LandedPartition, error) {
	return activities.LandedPartition{Partition: in.Range.Partition, Objects: 1, Records: in.Range.End - in.Range.Start}, nil
}

func (r *recorder) manifest(_ context.Context, in activities.WriteManifestInput) (activities.ManifestSummary, error) {
	return activities.ManifestSummary{URI: "s3://b/manifests/" + in.Plan.Topic, Objects: 2, Records: 10}, nil
}

func (r *recorder) start(_ context.Context, in activities.StartNotebookInput) (activities.NotebookRun, error) {
	r.mu.Lock()
	block := r.blockStart
	r.mu.Unlock()
	if block != nil {
		r.waits <- in.Task
		<-block
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	id := int64(len(r.runs) + 1)
	r.runs[id] = in
	r.writing[in.Notebook]++
	r.most[in.Notebook] = max(r.most[in.Notebook], r.writing[in.Notebook])
	return activities.NotebookRun{RunID: id, Link: fmt.Sprintf("https://databricks.example/runs/%d", id)}, nil
}

func (r *recorder) wait(ctx context.Context, in activities.WaitNotebookInput) (activities.NotebookResult, error) {
	r.mu.Lock()
	task, block, gate := r.runs[in.Run.RunID], r.blockWait, r.gate
	r.mu.Unlock()
	if gate != nil && task.Notebook == "load" {
		r.waits <- task.Task
		<-gate
	}
	if block != nil && task.Notebook != "load" {
		r.waits <- task.Task
		<-block
		for ctx.Err() == nil { // the cancellation comes with a heartbeat
			activity.RecordHeartbeat(ctx)
			runtime.Gosched()
		}
		return activities.NotebookResult{}, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writing[task.Notebook]--
	return activities.NotebookResult{Link: in.Run.Link}, r.fate(task)
}

func (r *recorder) count(context.Context, activities.CountRowsInput) (activities.RowCounts, error) {
	return activities.RowCounts{Counted: true, Rows: 9, Records: 10, Quarantined: 1}, nil
}

func (r *recorder) cancel(_ context.Context, in activities.NotebookRun) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writing[r.runs[in.RunID].Notebook]--
	return nil
}

func (r *recorder) read(_ context.Context, in activities.ReadLedgerInput) (activities.LedgerEntries, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var answer activities.LedgerEntries
	for d := in.From; d <= in.To; d = d.Add(1) {
		if e, ok := r.ledger[d]; ok {
			answer.Entries = append(answer.Entries, e)
		}
	}
	return answer, nil
}

func (r *recorder) write(_ context.Context, e activities.LedgerEntry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ledger[e.Date] = e
	return nil
}

// run starts a date.
func (r *recorder) run(in RunInput) client.WorkflowRun {
	in.Trigger = Manual
	if in.DAG == "" {
		in.DAG = DailyName
	}
	run, err := r.client.ExecuteWorkflow(context.Background(), RunOptions(in), RunWorkflow, in)
	require.NoError(r.t, err)
	return run
}

// save writes a workflow's history under that name.
func (r *recorder) save(name, workflowID, runID string) *historypb.History {
	events := r.client.GetWorkflowHistory(context.Background(), workflowID, runID, true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	history := &historypb.History{}
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(r.t, err)
		if task := event.GetWorkflowTaskScheduledEventAttributes(); task != nil {
			task.TaskQueue = &taskqueuepb.TaskQueue{Name: TaskQueue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL} // a sticky queue bears the machine's name
		}
		history.Events = append(history.Events, event)
	}
	body, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(history)
	require.NoError(r.t, err)
	require.NoError(r.t, os.MkdirAll("testdata/histories", 0o755))
	require.NoError(r.t, os.WriteFile(historyFile(name), append(body, '\n'), 0o644))
	kinds := map[string]int{}
	for _, e := range history.Events {
		kinds[e.EventType.String()]++
	}
	r.t.Logf("%s: %d events: %v", name, len(history.Events), kinds)
	return history
}

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

	require.NoError(t, finish("clean", r.run(RunInput{Date: next()})))
	rerun := r.run(RunInput{Date: day, Again: Tasks{"clean_geo", "query"}})
	require.NoError(t, finish("rerun", rerun))
	require.NoError(t, finish("noop", r.run(RunInput{DAG: noopDAG, Date: next()})))

	r.fate = func(in activities.StartNotebookInput) error {
		if in.Task == "clean_geo" {
			return temporal.NewNonRetryableApplicationError(brokenStatement, activities.ErrorNotebookFailed, nil)
		}
		return nil
	}
	require.ErrorContains(t, finish("failed", r.run(RunInput{Date: next()})), brokenStatement)

	r.fate = func(in activities.StartNotebookInput) error {
		if in.Task == "clean_pin" && in.Try == 1 {
			return temporal.NewNonRetryableApplicationError("DELTA_CONCURRENT_APPEND", activities.ErrorNotebookConflict, nil)
		}
		return nil
	}
	require.NoError(t, finish("retried", r.run(RunInput{Date: next()})))

	r.recordHeld(next(), finish)
	r.recordCancelled(next(), finish)
	r.recordCancelledStarting(next(), finish)
	r.recordAttached(next())
	r.recordDeadHolder(next(), next())
	r.recordRange()
}

// backfill starts a range of some dates.
func (r *recorder) backfill(from, to dates.Date, parallel int) client.WorkflowRun {
	in := RangeInput{DAG: DailyName, From: from, To: to, Parallel: parallel, Trigger: Backfill}
	run, err := r.client.ExecuteWorkflow(context.Background(), RangeOptions(in), RangeWorkflow, in)
	require.NoError(r.t, err)
	return run
}

// scheduledIn says whether a workflow has scheduled an activity of that name.
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

// recordAttached backfills a date while somebody else runs it.
func (r *recorder) recordAttached(day dates.Date) {
	r.gate = make(chan struct{})
	theirs := r.run(RunInput{Date: day})
	<-r.waits
	ours := r.backfill(day, day, 1)
	require.Eventually(r.t, func() bool { return r.scheduledIn(ours, awaitRun) }, time.Minute, 50*time.Millisecond)
	close(r.gate)
	require.NoError(r.t, theirs.Get(context.Background(), nil))
	var result RangeResult
	require.NoError(r.t, ours.Get(context.Background(), &result))
	require.Equal(r.t, RangeResult{From: day, To: day, Total: 1, Success: 1, Attached: 1}, result)
	require.Equal(r.t, theirs.GetRunID(), r.ledger[day].RunID, "there was one run")
	r.save("range-attached", ours.GetID(), ours.GetRunID())
	r.reset()
}

// recordDeadHolder terminates a run that holds the slot of load while another waits for it.
func (r *recorder) recordDeadHolder(dead, alive dates.Date) {
	ctx := context.Background()
	r.gate = make(chan struct{})
	holds := r.run(RunInput{Date: dead})
	<-r.waits
	waiting := r.run(RunInput{Date: alive})
	require.Eventually(r.t, func() bool { return r.status(waiting).Tasks[0].State == Queued }, time.Minute, 50*time.Millisecond)
	pool, err := r.client.DescribeWorkflowExecution(ctx, activities.PoolID("load"), "")
	require.NoError(r.t, err)
	require.NoError(r.t, r.client.TerminateWorkflow(ctx, holds.GetID(), holds.GetRunID(), "the machine is gone"))
	require.Equal(r.t, "load", <-r.waits, "the other got the slot")
	close(r.gate)
	require.NoError(r.t, waiting.Get(ctx, nil))
	r.save("pool-dead-holder", activities.PoolID("load"), pool.WorkflowExecutionInfo.Execution.RunId)
	r.reset()
	r.writing, r.most = map[string]int{}, map[string]int{} // the dead run's notebook was never ended
}

// recordHeld holds at a failed task, and a decision retries it.
func (r *recorder) recordHeld(day dates.Date, finish func(string, client.WorkflowRun) error) {
	ctx := context.Background()
	r.fate = func(in activities.StartNotebookInput) error {
		if in.Task == "query" && in.Try <= 2 {
			return temporal.NewNonRetryableApplicationError("no table geo", activities.ErrorNotebookFailed, nil)
		}
		return nil
	}
	run := r.run(RunInput{Date: day, Hold: true})
	require.Eventually(r.t, func() bool { return r.status(run).State == Held }, time.Minute, 50*time.Millisecond)
	handle, err := r.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), UpdateName: DecideUpdate, WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{Decision{Task: "query", Choice: RetryTask, By: "ann", Reason: "table is back"}},
	})
	require.NoError(r.t, err)
	require.NoError(r.t, handle.Get(ctx, nil))
	require.NoError(r.t, finish("held", run))
}

func (r *recorder) status(run client.WorkflowRun) RunStatus {
	answer, err := r.client.QueryWorkflow(context.Background(), run.GetID(), run.GetRunID(), StatusQuery)
	require.NoError(r.t, err)
	var status RunStatus
	require.NoError(r.t, answer.Get(&status))
	return status
}

// recordCancelled cancels a run while three notebooks are at work.
func (r *recorder) recordCancelled(day dates.Date, finish func(string, client.WorkflowRun) error) {
	r.blockWait = make(chan struct{})
	release := sync.OnceFunc(func() { close(r.blockWait) })
	defer release()
	run := r.run(RunInput{Date: day})
	var going []string
	for range 3 {
		going = append(going, <-r.waits)
	}
	slices.Sort(going)
	require.Equal(r.t, "clean_geo clean_pin clean_user", strings.Join(going, " "))
	require.NoError(r.t, r.client.CancelWorkflow(context.Background(), run.GetID(), run.GetRunID()))
	release()
	require.True(r.t, temporal.IsCanceledError(finish("cancelled", run)))
}

// recordCancelledStarting cancels a run while Databricks is being asked for one.
func (r *recorder) recordCancelledStarting(day dates.Date, finish func(string, client.WorkflowRun) error) {
	r.blockStart = make(chan struct{})
	blocked := r.blockStart
	run := r.run(RunInput{Date: day})
	require.Equal(r.t, "load", <-r.waits)
	require.NoError(r.t, r.client.CancelWorkflow(context.Background(), run.GetID(), run.GetRunID()))
	require.Eventually(r.t, func() bool { return r.cancelRequested(run) }, time.Minute, 50*time.Millisecond)
	close(blocked)
	require.True(r.t, temporal.IsCanceledError(finish("cancelled-starting", run)))
}

// cancelRequested says that the workflow has passed the order on to its activity.
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

// recordRange runs twelve dates, four at a time, through pools of one slot; it continues as new on the way.
func (r *recorder) recordRange() {
	ctx := context.Background()
	run := r.backfill("2022-09-01", "2022-09-12", 4)
	first := run.GetRunID()
	var result RangeResult
	require.NoError(r.t, run.Get(ctx, &result))
	require.Equal(r.t, RangeResult{From: "2022-09-01", To: "2022-09-12", Total: 12, Success: 12}, result)
	for _, notebook := range []string{"load", "clean_pin", "clean_geo", "clean_user", "query"} {
		require.Equal(r.t, 1, r.most[notebook], "two dates wrote the tables of %s at the same time", notebook)
	}
	r.save("range", run.GetID(), first)
	last, err := r.client.DescribeWorkflowExecution(ctx, run.GetID(), "")
	require.NoError(r.t, err)
	require.NotEqual(r.t, first, last.WorkflowExecutionInfo.Execution.RunId)
	r.save("range-last", run.GetID(), last.WorkflowExecutionInfo.Execution.RunId)
	pool, err := r.client.DescribeWorkflowExecution(ctx, activities.PoolID("query"), "")
	require.NoError(r.t, err)
	r.save("pool", activities.PoolID("query"), pool.WorkflowExecutionInfo.Execution.RunId)
}
