package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
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
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/pools"
	"github.com/pinflow/pinflow/workflows/steps"
)

// brokenStatement is the error of a broken notebook.
const brokenStatement = "notebook clean_geo failed at statement 3, SELEC * FROM raw: [PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'"

// recorder is a real Temporal server with a worker. Workflows and pools are real; Kafka, S3 and
// Databricks are mocks.
type recorder struct {
	t      *testing.T
	dir    string // of the histories
	client client.Client

	mu      sync.Mutex
	ledger  map[dates.Date]ledger.Entry
	writing map[string]int // current runs of a notebook
	most    map[string]int
	runs    map[int64]activities.StartNotebookInput
	ended   map[int64]bool
	waits   chan string // tasks that reached a block or the gate
	fate    func(activities.StartNotebookInput) error
	// blockStart and blockWait block calls until they are closed.
	blockStart, blockWait chan struct{}
	lacks                 bool // the Pools workflow does not know the operator noop
	// gate blocks the notebook load until it is closed.
	gate chan struct{}
}

func convert(payload *commonpb.Payload, out any) error {
	return converter.GetDefaultDataConverter().FromPayload(payload, out)
}

// recordingDir makes and returns the directory into which the histories of a version are recorded.
// It refuses a version whose histories are frozen: open runs that the released code has started
// would no longer be compared with the code under test.
func recordingDir(root, version string) (string, error) {
	frozen, err := os.ReadFile(filepath.Join(root, "RELEASED"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if strings.Contains(string(frozen), "  "+version+"/") {
		return "", fmt.Errorf("version %s is released, so its histories are frozen: begin the next version in CHANGELOG.md and internal/config/version.go, "+
			"and use workflow.GetVersion where the code must differ", version)
	}
	dir := filepath.Join(root, version)
	return dir, os.MkdirAll(dir, 0o755)
}

func newRecorder(t *testing.T) *recorder {
	ctx := context.Background()
	dir, err := recordingDir(histories, config.Version)
	require.NoError(t, err)
	// The server suggests to continue as new after 60 events, so that a short range does.
	args := []string{"--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60"}
	for _, a := range search.Attributes() {
		args = append(args, "--search-attribute", a.Name+"="+a.Type.String())
	}
	server, err := testsuite.StartDevServer(ctx, testsuite.DevServerOptions{
		ExistingPath: "../bin/local", LogLevel: "error", ExtraArgs: args,
		ClientOptions: &client.Options{Identity: "recorder", Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))},
	})
	require.NoError(t, err, "build bin/local first")
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	r := &recorder{
		t: t, dir: dir, client: server.Client(), ledger: map[dates.Date]ledger.Entry{}, writing: map[string]int{}, most: map[string]int{},
		runs: map[int64]activities.StartNotebookInput{}, ended: map[int64]bool{}, waits: make(chan string, 100),
	}
	w := worker.New(r.client, run.DefaultDeployment.TaskQueue(), worker.Options{Identity: "recorder", MaxHeartbeatThrottleInterval: 100 * time.Millisecond})
	Register(lacking{w, r}, recorded(), recordedOperators)
	w.RegisterActivity(&activities.Pools{Client: r.client, Deployment: run.DefaultDeployment})
	w.RegisterActivity(&activities.Runs{Client: r.client})
	w.RegisterActivity(&activities.Past{Client: r.client})
	for name, do := range map[string]any{
		steps.PlanLanding: r.plan, steps.LandPartitions: r.land, steps.WriteManifest: r.manifest, steps.StartNotebook: r.start, steps.WaitNotebook: r.wait, steps.CancelNotebook: r.cancel,
		steps.CountRows: r.count, steps.ReadLedger: r.read, steps.WriteLedger: r.write, "Noop": func(context.Context) error { return nil },
	} {
		w.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	r.reset()
	return r
}

// lacking registers the Pools workflow of a build that may lack an operator.
type lacking struct {
	Registry
	r *recorder
}

func (l lacking) RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions) {
	if options.Name == run.PoolsWorkflow {
		w = pools.Workflow{Operators: l}.Pools
	}
	l.Registry.RegisterWorkflowWithOptions(w, options)
}

func (l lacking) Encode(op operators.Operator) (json.RawMessage, error) {
	return recordedOperators.Encode(op)
}

func (l lacking) Decode(recorded json.RawMessage) (operators.Operator, error) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	if l.r.lacks {
		return operators.ByName{"load": operators.Load{}, "notebook": operators.Notebook{}}.Decode(recorded)
	}
	return recordedOperators.Decode(recorded)
}

func (r *recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fate = func(activities.StartNotebookInput) error { return nil }
	r.blockStart, r.blockWait, r.gate = nil, nil, nil
}

func (r *recorder) plan(_ context.Context, in landing.PlanInput) (landing.Plan, error) {
	return landing.Plan{Topic: "u." + in.Topic, Date: in.Date, Ranges: []landing.Range{{Partition: 0, End: 10}, {Partition: 1, Start: 4, End: 4}},
		Groups: [][]landing.Range{{{Partition: 0, End: 10}}},
	}, nil
}

func (r *recorder) land(_ context.Context, in landing.PartitionsInput) (landing.PartitionsSummary, error) {
	return landing.PartitionsSummary{Objects: len(in.Ranges), Records: in.Offsets()}, nil
}

func (r *recorder) manifest(_ context.Context, in landing.ManifestInput) (landing.ManifestSummary, error) {
	return landing.ManifestSummary{URI: "s3://b/manifests/" + in.Plan.Topic, Objects: 2, Records: 10}, nil
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
	started := func(id int64) (activities.NotebookRun, error) {
		return activities.NotebookRun{RunID: id, Link: fmt.Sprintf("https://databricks.example/runs/%d", id)}, nil
	}
	if id, ok := r.find(in); ok {
		return started(id) // as Databricks does for the same token
	}
	id := int64(len(r.runs) + 1)
	r.runs[id] = in
	r.writing[in.Notebook]++
	r.most[in.Notebook] = max(r.most[in.Notebook], r.writing[in.Notebook])
	return started(id)
}

// find returns the Databricks run of a try.
func (r *recorder) find(in activities.StartNotebookInput) (id int64, ok bool) {
	for id, other := range r.runs {
		if other.WorkflowID == in.WorkflowID && other.RunID == in.RunID && other.Task == in.Task && other.Try == in.Try {
			return id, true
		}
	}
	return 0, false
}

// end ends a Databricks run, once.
func (r *recorder) end(id int64) {
	if !r.ended[id] {
		r.ended[id] = true
		r.writing[r.runs[id].Notebook]--
	}
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
		for ctx.Err() == nil { // a heartbeat brings the cancellation
			activity.RecordHeartbeat(ctx)
			runtime.Gosched()
		}
		return activities.NotebookResult{}, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(in.Run.RunID)
	return activities.NotebookResult{Link: in.Run.Link}, r.fate(task)
}

func (r *recorder) count(_ context.Context, in activities.CountRowsInput) (activities.RowCounts, error) {
	of := activities.DateCounts{Rows: 9, Records: 10, Quarantined: 1}
	return activities.RowCounts{Counted: true, Dates: slices.Repeat([]activities.DateCounts{of}, len(in.Dates))}, nil
}

func (r *recorder) cancel(_ context.Context, in activities.CancelNotebookInput) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id, ok := r.find(in.Start); ok {
		r.end(id)
	}
	return nil
}

func (r *recorder) read(_ context.Context, in ledger.Query) (activities.LedgerEntries, error) {
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

func (r *recorder) write(_ context.Context, e ledger.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ledger[e.Date] = e
	return nil
}

// startRun starts a run.
func (r *recorder) startRun(in run.Input) client.WorkflowRun {
	in.Trigger = run.Manual
	if in.DAG == "" {
		in.DAG = pipelineDAG
	}
	run, err := r.client.ExecuteWorkflow(context.Background(), launch.RunOptions(run.DefaultDeployment, in), run.RunWorkflow, in)
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
			task.TaskQueue = &taskqueuepb.TaskQueue{Name: run.DefaultDeployment.TaskQueue(), Kind: enumspb.TASK_QUEUE_KIND_NORMAL} // the name of a sticky queue contains the host name
		}
		history.Events = append(history.Events, event)
	}
	body, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(history)
	require.NoError(r.t, err)
	require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, name+".json"), append(body, '\n'), 0o644))
	kinds := map[string]int{}
	for _, e := range history.Events {
		kinds[e.EventType.String()]++
	}
	r.t.Logf("%s: %d events: %v", name, len(history.Events), kinds)
	return history
}
