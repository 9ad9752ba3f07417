package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/listing"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"go.temporal.io/sdk/activity"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/pause"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
)

const (
	// callTimeout limits one call of the Databricks API. Calls take a second or two.
	callTimeout = 20 * time.Second
	// cancelTimeout limits the wait for a cancelled run to end: seconds, longer if its cluster is
	// starting.
	cancelTimeout = 2 * time.Minute
	// maxTaskKey is the maximum length of a task_key in the Jobs API.
	maxTaskKey = 100
)

// Jobs is the part of the Databricks Jobs API 2.2 that the activities use. An error that Databricks
// answered is or wraps an apierr.APIError of the SDK. Implementations must not retry for long: the
// activities retry, and heartbeat in between.
type Jobs interface {
	// Submit starts a one-time run. It returns the run that was submitted with the same idempotency
	// token, if there is one.
	Submit(ctx context.Context, run jobs.SubmitRun) (runID int64, err error)
	GetRun(ctx context.Context, runID int64) (*jobs.Run, error)
	// GetRunOutput returns the output of a task: its run id is Run.Tasks[i].RunId.
	GetRunOutput(ctx context.Context, runID int64) (*jobs.RunOutput, error)
	// CancelRun requests the end of a run. It does not wait, and has no effect on a run that has
	// ended.
	CancelRun(ctx context.Context, runID int64) error
	// ActiveRuns returns the one-time runs that have not ended. The iterator makes a request for
	// each page, under the context of the call that needs it.
	ActiveRuns(ctx context.Context) listing.Iterator[jobs.BaseRun]
	// Source returns the source of a notebook in the workspace.
	Source(ctx context.Context, path string) (string, error)
}

// Notebooks runs Databricks notebooks.
type Notebooks struct {
	Jobs             Jobs
	Deployment       run.Deployment
	Schema           string // the schema of the tables, or catalog.schema
	RawPath          string // root of the landed objects, as in s3://bucket/deployment
	Topics           run.Topics
	Folder           string // workspace folder of the notebooks
	Compute          string // see ParseCompute
	InvalidFollowers string // quarantine or null
	Polls            *Polls // spaces the polls of runs

	clock   pause.Clock
	timeout time.Duration // of one call; callTimeout if 0
}

// StartNotebook starts a run of a notebook and returns its id, so that Temporal has it in the
// history before the wait begins.
//
// The idempotency token of the run is derived from deployment, namespace, workflow id, run id, task
// and try: a retry of the activity returns the run that exists, while a new try, a reset and a rerun
// of the date start a new one. Other active runs of the task that no workflow waits for are cancelled
// first, so that two runs never write the same table.
//
// A cancellation does not interrupt the request that starts the run: the workflow needs the id of a
// run that it has to cancel.
func (n *Notebooks) StartNotebook(ctx context.Context, in StartNotebookInput) (NotebookRun, error) {
	where, err := ParseCompute(n.Compute)
	if err != nil {
		return NotebookRun{}, failure.NonRetryable(failure.Settings, err, "%v", err)
	}
	run := n.submission(in, where, n.runToken(activity.GetInfo(ctx), in))
	if err := n.cancelOthers(ctx, in, run); err != nil {
		return NotebookRun{}, err
	}
	hash := n.hash(ctx, run.Tasks[0].NotebookTask.NotebookPath)
	run.Tasks[0].NotebookTask.BaseParameters["notebook_hash"] = hash
	if ctx.Err() != nil {
		return NotebookRun{}, ctx.Err()
	}
	var runID int64
	err = n.call(context.WithoutCancel(ctx), func(ctx context.Context) (err error) {
		runID, err = n.Jobs.Submit(ctx, run)
		return err
	})
	if err != nil {
		return NotebookRun{}, databricksError(ctx, "start notebook "+run.Tasks[0].NotebookTask.NotebookPath, err)
	}
	started := NotebookRun{RunID: runID, Notebook: run.Tasks[0].NotebookTask.NotebookPath, Hash: hash}
	// Without the link the run is still complete: WaitNotebook reads it again.
	if status, err := n.getRun(context.WithoutCancel(ctx), runID); err == nil {
		started.Link = status.RunPageUrl
	}
	return started, nil
}

// hash returns the hash of the notebook's source. It documents what made a result, so that a
// failure only warns.
func (n *Notebooks) hash(ctx context.Context, path string) (hash string) {
	err := n.call(ctx, func(ctx context.Context) error {
		source, err := n.Jobs.Source(ctx, path)
		if err == nil {
			hash = notebooks.Hash(source)
		}
		return err
	})
	if err != nil {
		activity.GetLogger(ctx).Warn("cannot read the source of the notebook; the ledger will not have its hash", "notebook", path, "error", err)
	}
	return hash
}

// runToken returns the idempotency token of a run: 64 characters, the limit of the API.
//
// The run id is the current one. The original run id would survive a reset, and Databricks would
// return the runs of before the reset, which have not seen what happened since. If the run itself
// executes the activity, its own run id counts: a reset executes the activity again with the input
// of before.
//
// Tries that go together are all part of it: another group of dates is another run.
func (n *Notebooks) runToken(info activity.Info, in StartNotebookInput) string {
	runID := in.RunID
	if info.WorkflowExecution.ID == in.WorkflowID {
		runID = info.WorkflowExecution.RunID
	}
	identity := fmt.Sprintf("%q %q %q %q %q %d", n.Deployment, info.Namespace, in.WorkflowID, runID, in.Task, in.Try)
	for _, other := range in.Others {
		identity += fmt.Sprintf(" %q %q %d", other.WorkflowID, other.RunID, other.Try)
	}
	sum := sha256.Sum256([]byte(identity))
	return hex.EncodeToString(sum[:])
}

// submission returns the run to submit.
func (n *Notebooks) submission(in StartNotebookInput, where Compute, token string) jobs.SubmitRun {
	params := map[string]string{
		"schema":            n.Schema,
		"raw_path":          n.RawPath,
		"user_id":           n.Topics.UserID,
		"posts_topic":       n.Topics.Name(run.Post),
		"invalid_followers": n.InvalidFollowers,
	}
	maps.Copy(params, in.Params)
	// No parameter makes a run write another date.
	params["logical_date"], params[logicalDates] = string(in.Date), joinDates(in.Dates())
	params["run_id"] = in.RunID
	task := jobs.SubmitTask{
		TaskKey:      taskKey(in, token),
		NotebookTask: &jobs.NotebookTask{NotebookPath: n.Folder + "/" + in.Notebook, BaseParameters: params, Source: jobs.SourceWorkspace},
	}
	where.Place(&task)
	return jobs.SubmitRun{
		RunName:          n.Deployment.GroupJobRunName(in.DAG, in.Dates(), in.Task, in.Try),
		IdempotencyToken: token,
		Queue:            &jobs.QueueSettings{Enabled: true}, // at the limit of the workspace the run waits; otherwise it would be skipped
		Tasks:            []jobs.SubmitTask{task},
	}
}

// logicalDates is the parameter with the dates that a run handles, sorted, separated by commas.
const logicalDates = "logical_dates"

func joinDates(all []dates.Date) string {
	texts := make([]string, len(all))
	for i, date := range all {
		texts[i] = string(date)
	}
	slices.Sort(texts)
	return strings.Join(texts, ",")
}

// cancelRun cancels a run and waits until it has ended. It returns a nil run if that takes longer
// than cancelTimeout.
func (n *Notebooks) cancelRun(ctx context.Context, runID int64) (*jobs.Run, error) {
	pace := pacing{}
	requested := false
	var last error
	for waited := time.Duration(0); waited < cancelTimeout; {
		if !requested {
			last = n.call(ctx, func(ctx context.Context) error { return n.Jobs.CancelRun(ctx, runID) })
			requested = last == nil
			if isPermanent(last) {
				return nil, last
			}
		}
		run, err := n.getRun(ctx, runID)
		if err == nil && hasEnded(run) {
			return run, nil
		}
		if err != nil {
			last = err
		}
		pause := pace.next()
		if err := n.rest(ctx, pause); err != nil {
			return nil, err
		}
		waited += pause
	}
	return nil, last
}

func (n *Notebooks) getRun(ctx context.Context, runID int64) (run *jobs.Run, err error) {
	err = n.call(ctx, func(ctx context.Context) error {
		run, err = n.Jobs.GetRun(ctx, runID)
		return err
	})
	return run, err
}

// call makes one call of the API with a timeout of its own and heartbeats after it. A call that
// hangs costs one poll.
func (n *Notebooks) call(ctx context.Context, do func(ctx context.Context) error) error {
	timeout := callTimeout
	if n.timeout > 0 {
		timeout = n.timeout
	}
	calling, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := do(calling)
	activity.RecordHeartbeat(ctx)
	return err
}

// rest sleeps and heartbeats meanwhile.
func (n *Notebooks) rest(ctx context.Context, pause time.Duration) error {
	for pause > 0 {
		slice := min(pause, heartbeatEvery)
		if err := n.clock.Sleep(ctx, slice); err != nil {
			return err
		}
		activity.RecordHeartbeat(ctx)
		pause -= slice
	}
	return nil
}
