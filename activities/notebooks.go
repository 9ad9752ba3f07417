package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"go.temporal.io/sdk/activity"

	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/pause"
	"github.com/pinflow/pinflow/notebooks"
)

const (
	// callTimeout limits one call of the Databricks API; they answer within a second or two.
	callTimeout = 20 * time.Second
	// cancelTimeout limits the wait for a cancelled run to end. Databricks needs seconds, longer for a cluster that is starting.
	cancelTimeout = 2 * time.Minute
	// maxTaskKey is the most characters that Databricks takes for a task_key.
	maxTaskKey = 100
)

// Jobs is what the activities need of the Databricks Jobs API 2.2. Errors are or wrap the SDK's apierr.APIError where
// Databricks has answered. A call should not be repeated for long by itself: WaitNotebook repeats, and heartbeats in between.
type Jobs interface {
	// Submit starts a one-time run, or finds the one that was submitted with the same idempotency token.
	Submit(ctx context.Context, run jobs.SubmitRun) (runID int64, err error)
	GetRun(ctx context.Context, runID int64) (*jobs.Run, error)
	// GetRunOutput returns the output of a task's run, that is of Run.Tasks[i].RunId.
	GetRunOutput(ctx context.Context, runID int64) (*jobs.RunOutput, error)
	// CancelRun asks for a run to end. It does not wait, and does nothing to a run that has ended.
	CancelRun(ctx context.Context, runID int64) error
	// ActiveRuns returns the one-time runs that have not ended.
	ActiveRuns(ctx context.Context) ([]jobs.BaseRun, error)
	// Source returns a notebook's source as the workspace has it.
	Source(ctx context.Context, path string) (string, error)
}

// Notebooks runs Databricks notebooks: one is started once, waited for as long as it takes, and cancelled only when asked.
type Notebooks struct {
	Jobs             Jobs
	Schema           string // schema of the tables, or catalog.schema
	RawPath          string // root of the landed objects, as in s3://bucket
	UserID           string // prefix of the topics
	Folder           string // workspace folder of the notebooks
	Compute          string // see ParseCompute
	InvalidFollowers string // quarantine or null

	clock   pause.Clock
	timeout time.Duration // of one call; callTimeout if 0
}

// StartNotebook starts a run of a notebook and returns its id, which Temporal then has in its history before anyone waits.
//
// The run's idempotency token is made of namespace, workflow id, original run id, task and try: a retry of this activity gets
// the run that is there, and a new try or an explicit rerun of the date gets a new one. A run of the same DAG, date and task
// that is still active but is not this one (left by a terminated workflow) is cancelled first, so that two never write at once.
func (n *Notebooks) StartNotebook(ctx context.Context, in StartNotebookInput) (NotebookRun, error) {
	where, err := ParseCompute(n.Compute)
	if err != nil {
		return NotebookRun{}, failure.NonRetryable(failure.Settings, err, "%v", err)
	}
	run := n.submission(in, where, runToken(activity.GetInfo(ctx), in))
	if err := n.cancelOthers(ctx, in, run); err != nil {
		return NotebookRun{}, err
	}
	hash := n.hash(ctx, run.Tasks[0].NotebookTask.NotebookPath)
	var runID int64
	err = n.call(ctx, func(ctx context.Context) (err error) {
		runID, err = n.Jobs.Submit(ctx, run)
		return err
	})
	if err != nil {
		return NotebookRun{}, databricksError(ctx, "start notebook "+run.Tasks[0].NotebookTask.NotebookPath, err)
	}
	started := NotebookRun{RunID: runID, Notebook: run.Tasks[0].NotebookTask.NotebookPath, Hash: hash}
	// The page is for people. WaitNotebook asks again, so that no trouble here may fail a run that has started.
	if status, err := n.getRun(ctx, runID); err == nil {
		started.Link = status.RunPageUrl
	}
	return started, nil
}

// hash identifies the notebook's source as it is now. It says later what made a result; a run that can be started is not refused for it.
func (n *Notebooks) hash(ctx context.Context, path string) (hash string) {
	err := n.call(ctx, func(ctx context.Context) error {
		source, err := n.Jobs.Source(ctx, path)
		if err == nil {
			hash = notebooks.Hash(source)
		}
		return err
	})
	if err != nil {
		activity.GetLogger(ctx).Warn("The notebook's source cannot be read; the run's record will not say which it was.", "notebook", path, "error", err)
	}
	return hash
}

// runToken is the identity of a run as an idempotency token: 64 hex digits, the API's limit.
func runToken(info activity.Info, in StartNotebookInput) string {
	identity := fmt.Sprintf("%q %q %q %q %d", info.Namespace, info.WorkflowExecution.ID, in.OriginalRunID, in.Task, in.Try)
	sum := sha256.Sum256([]byte(identity))
	return hex.EncodeToString(sum[:])
}

// taskRunName is what the names of all runs of one task of one date start with.
func taskRunName(in StartNotebookInput) string {
	return fmt.Sprintf("%s %s %s try ", in.DAG, in.Date, in.Task)
}

// submission is the run to submit. Its task key ends with the start of the token: unlike the token it can be read back, which
// tells this run from another with the same name.
func (n *Notebooks) submission(in StartNotebookInput, where Compute, token string) jobs.SubmitRun {
	params := map[string]string{
		"schema":            n.Schema,
		"raw_path":          n.RawPath,
		"user_id":           n.UserID,
		"logical_date":      string(in.Date),
		"invalid_followers": n.InvalidFollowers,
	}
	maps.Copy(params, in.Params)
	key := in.Task[:min(len(in.Task), maxTaskKey-17)] + "-" + token[:16]
	task := jobs.SubmitTask{
		TaskKey:      key,
		NotebookTask: &jobs.NotebookTask{NotebookPath: n.Folder + "/" + in.Notebook, BaseParameters: params, Source: jobs.SourceWorkspace},
	}
	where.place(&task)
	return jobs.SubmitRun{
		RunName:          fmt.Sprintf("%s%d", taskRunName(in), in.Try),
		IdempotencyToken: token,
		Queue:            &jobs.QueueSettings{Enabled: true}, // at the workspace's limit a run waits, else it would be skipped
		Tasks:            []jobs.SubmitTask{task},
	}
}

// cancelOthers cancels the active runs of the same DAG, date and task that are not this submission's, and waits until they have ended.
func (n *Notebooks) cancelOthers(ctx context.Context, in StartNotebookInput, own jobs.SubmitRun) error {
	var active []jobs.BaseRun
	err := n.call(ctx, func(ctx context.Context) (err error) {
		active, err = n.Jobs.ActiveRuns(ctx)
		return err
	})
	if err != nil {
		return databricksError(ctx, "list active runs", err)
	}
	for _, run := range active {
		if !strings.HasPrefix(run.RunName, taskRunName(in)) {
			continue
		}
		status, err := n.getRun(ctx, run.RunId)
		if err != nil {
			return databricksError(ctx, fmt.Sprintf("look at active run %d", run.RunId), err)
		}
		if len(status.Tasks) > 0 && status.Tasks[0].TaskKey == own.Tasks[0].TaskKey {
			continue
		}
		activity.GetLogger(ctx).Warn("Cancelling an active run of the same task and date that no workflow waits for.", "run", run.RunId, "name", run.RunName)
		ended, err := n.cancelRun(ctx, run.RunId)
		if err != nil {
			return databricksError(ctx, fmt.Sprintf("cancel run %d", run.RunId), err)
		}
		if ended == nil {
			return fmt.Errorf("run %d of the same task and date was cancelled but has not ended yet; it is waited for: %s", run.RunId, status.RunPageUrl)
		}
	}
	return nil
}

// cancelRun cancels a run and waits until it has ended. It returns nil if that takes longer than cancelTimeout.
func (n *Notebooks) cancelRun(ctx context.Context, runID int64) (*jobs.Run, error) {
	pace := pacing{}
	asked := false
	var last error
	for waited := time.Duration(0); waited < cancelTimeout; {
		if !asked {
			last = n.call(ctx, func(ctx context.Context) error { return n.Jobs.CancelRun(ctx, runID) })
			asked = last == nil
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

// call makes one call of the API under its own timeout, so that one which hangs costs one poll, and heartbeats after it.
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

// rest waits and heartbeats meanwhile, however long the wait is.
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
