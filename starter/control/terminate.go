package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
)

const (
	// endWait is how long a termination waits for the Pools workflow, and then for Databricks runs.
	// A cancelled Databricks run ends within seconds, or later if its cluster is starting.
	endWait = 2 * time.Minute
	// endInterval is how often it looks.
	endInterval = time.Second
)

// Terminable is a run that can be terminated, or one that has closed without recording its end.
type Terminable struct {
	search.Run
	// Recorded reports whether the ledger has the run.
	Recorded bool
}

// Open reports whether the run has not closed.
func (t Terminable) Open() bool { return t.Ended.IsZero() }

// Termination is what a termination did, and what it left.
type Termination struct {
	Date       dates.Date `json:"date"`
	WorkflowID string     `json:"workflowId"`
	RunID      string     `json:"runId"`
	// Terminated reports whether the run was open. Otherwise it had closed before.
	Terminated bool `json:"terminated"`
	// State is that of the ledger entry, and Error its error; both are empty if none was written.
	State run.State `json:"state,omitempty"`
	Error string    `json:"error,omitempty"`
	// TasksKnown reports whether the run answered. Otherwise the entry has what the history tells.
	TasksKnown bool `json:"tasksKnown"`
	// JobRuns are the active Databricks runs of the date.
	JobRuns []JobRun `json:"jobRuns,omitempty"`
	// Left is what was not done, and what to do about it.
	Left []string `json:"left,omitempty"`
	// Lost is the first failure behind Left that the operator has to act on; nil if there is none.
	Lost error `json:"-"`
}

// leave adds something that was not done, because of an error or for want of time.
func (t *Termination) leave(err error, format string, args ...any) {
	t.Left = append(t.Left, fmt.Sprintf(format, args...))
	if t.Lost == nil {
		t.Lost = err
	}
}

// FindTerminable returns the latest run of a date. The error is a *history.NoRunError if Temporal has
// none.
func (c *Controller) FindTerminable(ctx context.Context, conn *temporal.Connection, date dates.Date) (Terminable, error) {
	description, err := conn.DescribeWorkflowExecution(ctx, c.WorkflowID(date), "")
	if errors.As(err, new(*serviceerror.NotFound)) {
		recorded, err := c.RecordedStatus(ctx, date, "")
		if err == nil {
			err = c.unchanged(date, recorded.State)
		}
		return Terminable{}, err
	}
	if err != nil {
		return Terminable{}, conn.Classify(err)
	}
	found, err := search.Of(description.GetWorkflowExecutionInfo())
	if err != nil {
		return Terminable{}, err
	}
	found.Date = date
	t := Terminable{Run: found}
	entry, err := c.Entry(ctx, date)
	if err != nil && !t.Open() { // an open run is terminated all the same
		return t, err
	}
	t.Recorded = err == nil && entry != nil && entry.RunID == found.RunID
	return t, nil
}

// Terminate ends an open run at once, with what it has started: its requests for slots, its work in
// the Pools workflow, and its Databricks runs. Then it writes the ledger entry, which the run cannot
// do any more. For a run that was ended from outside it does the rest of that; a run that ended by
// itself gets its ledger entry, if it has none.
//
// No worker has to be running. The error is that of a run that is not ended; everything that fails
// afterwards is in the result, and the same command again does it.
func (c *Controller) Terminate(ctx context.Context, conn *temporal.Connection, found Terminable, reason string) (Termination, error) {
	done := Termination{Date: found.Date, WorkflowID: found.WorkflowID, RunID: found.RunID, Terminated: found.Open()}
	note := "terminated: " + reason
	switch {
	case found.Open():
		closed, err := c.end(ctx, conn, found.Run, reason)
		if err != nil {
			return done, err
		}
		found.Run, found.Recorded = closed, false
	case found.Recorded && !found.EndedOutside():
		return done, c.unchanged(found.Date, found.State)
	default:
		note = "recorded the end of the run: " + reason
	}
	if !found.Recorded {
		if err := c.AddNote(ctx, found.Date, note); err != nil {
			c.Log("The note with the reason could not be written: %v", err)
		}
	}
	if !found.EndedOutside() {
		c.record(ctx, conn, found.Run, &done)
		return done, nil
	}
	c.clear(ctx, conn, found, &done)
	if ctx.Err() != nil {
		return done, fmt.Errorf("stopped waiting (%w): repeat the command, which does the rest", context.Cause(ctx))
	}
	return done, nil
}

// clear ends what a run has started that was ended from outside, and writes its ledger entry. The
// order matters: slots become free and the entry is written before the waits, which an operator may
// interrupt; and Databricks is asked last, because a worker may be starting a run until then.
func (c *Controller) clear(ctx context.Context, conn *temporal.Connection, found Terminable, done *Termination) {
	err := c.withdraw(ctx, conn, found.Run)
	if err != nil {
		done.leave(err, "The Pools workflow was not told: %v. It looks for closed runs itself, once a minute while others wait.", err)
	}
	var status run.Status
	if found.Recorded {
		status, _ = c.RecordedStatus(ctx, found.Date, found.RunID) // for the links only
	} else {
		status = c.record(ctx, conn, found.Run, done)
	}
	if err == nil {
		c.awaitPools(ctx, conn, found.WorkflowID, done)
	}
	c.cancelJobRuns(ctx, status, done)
}

// unchanged returns the error of a run for which there is nothing to do.
func (c *Controller) unchanged(date dates.Date, state run.State) error {
	return fmt.Errorf("the run of %s has ended (%s), and the ledger has it: nothing was changed", date, state)
}

// end terminates an open run and returns it as it has closed.
func (c *Controller) end(ctx context.Context, conn *temporal.Connection, found search.Run, reason string) (search.Run, error) {
	_, err := conn.WorkflowService().TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{
		Namespace: conn.Namespace, Reason: reason, Identity: c.Operator(),
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: found.WorkflowID, RunId: found.RunID},
	})
	if errors.As(err, new(*serviceerror.NotFound)) {
		return found, fmt.Errorf("the run of %s has just ended: see `%s`", found.Date, c.Command("status "+string(found.Date)))
	}
	if err != nil {
		return found, conn.Classify(err)
	}
	description, err := conn.DescribeWorkflowExecution(ctx, found.WorkflowID, found.RunID)
	if err != nil {
		return found, fmt.Errorf("the run of %s is terminated; repeat the command, which does the rest: %w", found.Date, conn.Classify(err))
	}
	closed, err := search.Of(description.GetWorkflowExecutionInfo())
	closed.Date = found.Date
	return closed, err
}

// withdraw sends the Pools workflow a withdrawal of everything that the run has requested. It is
// kept until a worker runs. Another run of the date, which may have started since, keeps its work.
func (c *Controller) withdraw(ctx context.Context, conn *temporal.Connection, found search.Run) error {
	options := launch.PoolsOptions(c.Settings.Deployment)
	message := run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: found.WorkflowID, RunID: found.RunID}}
	_, err := conn.SignalWithStartWorkflow(ctx, options.ID, run.PoolsSignal, message, options, run.PoolsWorkflow, run.PoolsState{})
	return conn.Classify(err)
}

// record writes the ledger entry of a closed run and returns its status.
func (c *Controller) record(ctx context.Context, conn *temporal.Connection, found search.Run, done *Termination) run.Status {
	status, known, err := c.Closed(ctx, conn, found)
	if err == nil {
		err = c.writeLedger(ctx, status)
	}
	if err != nil {
		done.leave(err, "The ledger has no entry of this run: %v. Repeat the command.", err)
		return status
	}
	done.State, done.Error, done.TasksKnown = status.State, status.Error, known
	return status
}

func (c *Controller) writeLedger(ctx context.Context, status run.Status) error {
	objects, err := c.Systems.Bucket(ctx, c.Settings)
	if err != nil {
		return s3.Classify(err)
	}
	l := ledger.Ledger{Objects: objects}
	return s3.Classify(l.Write(ctx, ledger.Entry{Status: status}))
}

// awaitPools waits until the Pools workflow has ended its work for the runs of a workflow id, with its
// Databricks runs.
func (c *Controller) awaitPools(ctx context.Context, conn *temporal.Connection, workflowID string, done *Termination) {
	id := c.Settings.Deployment.PoolsID()
	told := false
	var seen []JobRun
	for waited := time.Duration(0); ; waited += endInterval {
		var state run.PoolsState
		err := c.Query(ctx, conn, id, "", run.PoolsQuery, &state)
		var blocked *history.BlockedError
		working, started := workOf(state, workflowID)
		seen = append(seen, started...)
		switch {
		case ctx.Err() != nil:
			return
		case errors.As(err, &blocked):
			done.leave(err, "%v The slots of the run are free as soon as the Pools workflow continues.", blocked)
			return
		case errors.As(err, new(*history.NoWorkerError)):
			done.Left = append(done.Left, fmt.Sprintf("No worker answers: the Pools workflow (%s) ends the work of the run and frees its slots as soon as a worker runs.", id))
			return
		case err != nil:
			done.leave(err, "Whether the slots of the run are free is not known: %v", err)
			return
		case len(working) == 0:
			for _, job := range seen {
				done.addJob(job.ended())
			}
			return
		case waited >= endWait:
			done.leave(errTime, "The Pools workflow is still cancelling %s: see `%s`.", term.Join(working), c.Command("status"))
			return
		case !told:
			told = true
			c.Log("Waiting until the Pools workflow has cancelled %s.", term.Join(working))
		}
		if !c.rest(ctx) {
			return
		}
	}
}

// errTime is the error of something that did not end in time.
var errTime = errors.New("it takes longer than " + endWait.String())

// workOf returns the tasks that are at work for the runs of a workflow id, or wait, and their
// Databricks runs.
func workOf(state run.PoolsState, workflowID string) (tasks []string, started []JobRun) {
	for _, w := range state.Work {
		if w.WorkflowID != workflowID || w.Counting || w.Answered {
			continue
		}
		tasks = append(tasks, w.Task)
		if w.JobRunID != 0 {
			started = append(started, JobRun{Task: w.Task, JobRunID: w.JobRunID, Link: w.Link})
		}
	}
	for _, request := range state.Waiting {
		if request.WorkflowID == workflowID {
			tasks = append(tasks, request.Task)
		}
	}
	return tasks, started
}

// rest waits for the next look. It reports whether there is one.
func (c *Controller) rest(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-c.After(endInterval):
		return true
	}
}

// Unusable reports whether a part of the termination failed because a system cannot be used.
func (t Termination) Unusable() bool { return fault.Unusable(t.Lost) }
