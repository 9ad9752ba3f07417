// Package trial runs one notebook without the pipeline: a change of the SQL can be tried before it is
// pushed. A dry trial writes a schema of its own, which is dropped afterwards.
package trial

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"path"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/workspace"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/pause"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
)

// Tree is what is needed of Databricks' Workspace API; the client of the SDK satisfies it.
type Tree interface {
	Import(ctx context.Context, request workspace.Import) error
	MkdirsByPath(ctx context.Context, path string) error
	Delete(ctx context.Context, request workspace.Delete) error
}

// Runs is what is needed of Databricks' Jobs API; the client of the SDK satisfies it.
type Runs interface {
	Submit(ctx context.Context, request jobs.SubmitRun) (*jobs.WaitGetRunJobTerminatedOrSkipped[jobs.SubmitRunResponse], error)
	GetRun(ctx context.Context, request jobs.GetRunRequest) (*jobs.Run, error)
	GetRunOutput(ctx context.Context, request jobs.GetRunOutputRequest) (*jobs.RunOutput, error)
	CancelRun(ctx context.Context, request jobs.CancelRun) (*jobs.WaitGetRunJobTerminatedOrSkipped[struct{}], error)
}

// Trial is how notebooks are tried.
type Trial struct {
	Tree      Tree
	Runs      Runs
	Warehouse *answers.Warehouse
	// Folder is the workspace folder below which the source lies while it runs.
	Folder string
	// Place makes a task run on the compute of the settings.
	Place func(*jobs.SubmitTask)
	// Name begins the name of the Databricks run.
	Name string
	// Now is the time.
	Now func() time.Time
	// Log takes remarks about the progress.
	Log func(format string, args ...any)

	wait func(context.Context, time.Duration) error // tests do not wait
}

// Input is what is tried.
type Input struct {
	Notebook notebooks.Notebook
	Date     dates.Date
	// Dry runs it in a schema of its own.
	Dry bool
	// Params holds the other parameters of the notebook.
	Params map[string]string
}

// Result is what a trial left.
type Result struct {
	Notebook string `json:"notebook"`
	// Hash is the hex SHA-256 of its source.
	Hash string     `json:"hash"`
	Date dates.Date `json:"date"`
	Dry  bool       `json:"dry"`
	// Schema is the schema in which it ran.
	Schema   string `json:"schema"`
	JobRunID int64  `json:"jobRunId"`
	Link     string `json:"link,omitempty"`
	// Waited is how long the Databricks run took to start, Took how long the notebook ran.
	Waited time.Duration `json:"waited"`
	Took   time.Duration `json:"took"`
	// Tables counts the rows of the tables and views that the notebook creates: all of them if it is
	// dry, else those of the date where there is a logical_date.
	Tables []run.TableRows `json:"tables"`
	// Rejected counts the rows of quarantine by their reasons, for each such table.
	Rejected []Rejected `json:"rejected,omitempty"`
}

// Rejected is a reason of quarantine.
type Rejected struct {
	Table   string `json:"table"`
	Reason  string `json:"reason"`
	Records int64  `json:"records"`
}

const (
	// shortestPoll and longestPoll bound the time between two polls of the run.
	shortestPoll, longestPoll = 500 * time.Millisecond, 5 * time.Second
	// cleanupTime limits what is done after the trial, also if its caller has left.
	cleanupTime = 2 * time.Minute
)

// Run tries a notebook. Whatever happens, it ends the Databricks run and removes what it has created
// for it; the error says what could not be removed.
func (t Trial) Run(ctx context.Context, in Input) (result Result, err error) {
	now := t.Now().UTC()
	id := fmt.Sprintf("try_%s_%04x", now.Format("20060102_150405"), now.Nanosecond()&0xffff)
	result = Result{Notebook: in.Notebook.Name, Hash: in.Notebook.Hash(), Date: in.Date, Dry: in.Dry, Schema: t.Warehouse.Schema, Tables: []run.TableRows{}}
	where := t.Warehouse
	var undo []func(context.Context) error
	defer func() {
		clean, done := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer done()
		for i := len(undo) - 1; i >= 0; i-- {
			err = errors.Join(err, undo[i](clean))
		}
	}()
	if in.Dry {
		if err := checkDry(in.Notebook, t.Warehouse.Schema); err != nil {
			return result, err
		}
		var drop func(context.Context) error
		if where, drop, err = t.scratch(ctx, in.Notebook, t.Warehouse.Schema+"_"+id); drop != nil {
			undo = append(undo, drop)
		}
		if err != nil {
			return result, err
		}
		result.Schema = where.Schema
	}
	folder := path.Join(t.Folder, id)
	undo = append(undo, func(ctx context.Context) error { return t.removeFolder(ctx, folder) })
	if err := t.place(ctx, folder, in.Notebook); err != nil {
		return result, err
	}
	if err := t.execute(ctx, path.Join(folder, in.Notebook.Name), in, &result); err != nil {
		return result, err
	}
	return result, count(ctx, where, in, &result)
}

// place imports the source.
func (t Trial) place(ctx context.Context, folder string, notebook notebooks.Notebook) error {
	if err := t.Tree.MkdirsByPath(ctx, folder); err != nil {
		return fmt.Errorf("folder %s: %w", folder, err)
	}
	err := t.Tree.Import(ctx, workspace.Import{
		Path: path.Join(folder, notebook.Name), Content: base64.StdEncoding.EncodeToString([]byte(notebook.Source)),
		Format: workspace.ImportFormatSource, Language: workspace.LanguageSql,
	})
	if err != nil {
		return fmt.Errorf("notebook %s: %w", notebook.Name, err)
	}
	return nil
}

func (t Trial) removeFolder(ctx context.Context, folder string) error {
	if err := t.Tree.Delete(ctx, workspace.Delete{Path: folder, Recursive: true}); err != nil {
		return fmt.Errorf("the folder %s is left in the workspace: delete it (%w)", folder, err)
	}
	return nil
}

// execute runs the notebook on Databricks and waits for its end.
func (t Trial) execute(ctx context.Context, notebook string, in Input, result *Result) error {
	params := maps.Clone(in.Params)
	if params == nil {
		params = map[string]string{}
	}
	params["schema"], params["logical_date"], params["logical_dates"] = result.Schema, string(in.Date), string(in.Date)
	params["run_id"], params["notebook_hash"] = "trial", result.Hash
	task := jobs.SubmitTask{TaskKey: in.Notebook.Name, NotebookTask: &jobs.NotebookTask{NotebookPath: notebook, BaseParameters: params, Source: jobs.SourceWorkspace}}
	t.Place(&task)
	started, err := t.Runs.Submit(ctx, jobs.SubmitRun{
		RunName: fmt.Sprintf("%s try %s %s", t.Name, in.Notebook.Name, in.Date), Tasks: []jobs.SubmitTask{task}, Queue: &jobs.QueueSettings{Enabled: true},
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", in.Notebook.Name, err)
	}
	result.JobRunID = started.RunId
	done, err := t.await(ctx, result)
	if err != nil {
		return err
	}
	result.Waited, result.Took = durations(done)
	if done.State != nil && done.State.ResultState == jobs.RunResultStateSuccess {
		return nil
	}
	return t.failure(ctx, done)
}

// await waits for the end of the run. It cancels the run if its caller leaves or it cannot be seen.
func (t Trial) await(ctx context.Context, result *Result) (*jobs.Run, error) {
	for next := shortestPoll; ; next = min(2*next, longestPoll) {
		seen, err := t.Runs.GetRun(ctx, jobs.GetRunRequest{RunId: result.JobRunID})
		if err == nil && seen.State != nil && ended(seen.State.LifeCycleState) {
			result.Link = seen.RunPageUrl
			return seen, nil
		}
		if err == nil {
			if result.Link == "" && seen.RunPageUrl != "" {
				t.Log("Databricks run %d: %s", result.JobRunID, seen.RunPageUrl)
			}
			result.Link = seen.RunPageUrl
			err = t.sleep(ctx, next)
		}
		if err != nil {
			return nil, errors.Join(err, t.cancel(ctx, result.JobRunID))
		}
	}
}

// cancel ends the run and waits until it has ended: it may write until then.
func (t Trial) cancel(ctx context.Context, id int64) error {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer done()
	if _, err := t.Runs.CancelRun(ctx, jobs.CancelRun{RunId: id}); err != nil {
		return fmt.Errorf("the Databricks run %d may still be running: cancel it (%w)", id, err)
	}
	for {
		seen, err := t.Runs.GetRun(ctx, jobs.GetRunRequest{RunId: id})
		if err == nil && seen.State != nil && ended(seen.State.LifeCycleState) {
			return nil
		}
		if err := t.sleep(ctx, shortestPoll); err != nil {
			return fmt.Errorf("the Databricks run %d has been cancelled and has not ended yet", id)
		}
	}
}

func (t Trial) sleep(ctx context.Context, d time.Duration) error {
	if t.wait != nil {
		return t.wait(ctx, d)
	}
	return pause.For(ctx, d)
}

func ended(state jobs.RunLifeCycleState) bool {
	switch state {
	case jobs.RunLifeCycleStateTerminated, jobs.RunLifeCycleStateSkipped, jobs.RunLifeCycleStateInternalError:
		return true
	}
	return false
}

// durations returns how long the run took to start, and how long it ran.
func durations(done *jobs.Run) (waited, took time.Duration) {
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, task := range done.Tasks {
		took = ms(task.ExecutionDuration)
	}
	return max(0, ms(done.EndTime-done.StartTime)-took), took
}

// failure returns why the run failed.
func (t Trial) failure(ctx context.Context, done *jobs.Run) error {
	message := ""
	if done.State != nil {
		message = fmt.Sprintf("%s %s", done.State.ResultState, done.State.StateMessage)
	}
	for _, task := range done.Tasks {
		if output, err := t.Runs.GetRunOutput(ctx, jobs.GetRunOutputRequest{RunId: task.RunId}); err == nil && output.Error != "" {
			message = output.Error
		}
	}
	return fmt.Errorf("the notebook failed: %s", message)
}
