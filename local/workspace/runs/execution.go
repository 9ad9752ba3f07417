package runs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/workspace"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/workspace/tree"
)

// execution is an active run. mu guards the run; every change is saved before it becomes visible.
type execution struct {
	runner *runner
	cancel context.CancelCauseFunc
	tasks  map[int64]*execTask

	mu  sync.Mutex
	run *Run
}

type execTask struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{}
}

func (x *execution) update(change func(r *Run, now int64)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change(x.run, x.runner.now().UnixMilli())
	// A failed save must not stop the run; the next change saves the state again.
	if err := x.runner.store.save(context.Background(), x.run); err != nil {
		x.runner.log.Error("the state of a run was not saved", "run_id", x.run.ID, "error", err)
	}
}

// perform runs the tasks in the order of their dependencies, in parallel where possible.
func (x *execution) perform(ctx context.Context) {
	defer x.runner.forget(x.run)
	defer x.cancel(nil)
	if seconds := x.run.TimeoutSeconds; seconds > 0 {
		timer := time.AfterFunc(time.Duration(seconds)*time.Second, func() { x.cancel(errTimedOut) })
		defer timer.Stop()
	}
	var group sync.WaitGroup
	for _, t := range x.run.Tasks {
		group.Go(func() {
			defer close(x.tasks[t.ID].done)
			x.performTask(t)
		})
	}
	group.Wait()
	x.update(func(r *Run, now int64) {
		o := rollUp(r.Tasks)
		if cause := context.Cause(ctx); cause != nil && o.Result != jobs.RunResultStateSuccess {
			o = stoppedOutcome(cause)
		}
		r.end(o, now)
	})
	x.runner.log.Info("run ended", "run_id", x.run.ID, "run_name", x.run.Name, "result", x.run.Outcome.Result, "message", x.run.Outcome.Message)
}

// performTask waits for the parents and for a slot, and runs the notebook.
func (x *execution) performTask(t *TaskRun) {
	parents := x.waitForParents(t)
	ctx := x.tasks[t.ID].ctx
	if ctx.Err() != nil {
		x.endTask(t, stoppedOutcome(context.Cause(ctx)), "", "")
		return
	}
	if skip := skipReason(t.Spec.RunIf, parents); skip != nil {
		x.endTask(t, *skip, "", "")
		return
	}
	x.update(func(*Run, int64) {
		if t.Phase == phaseBlocked {
			t.Phase = phasePending
		}
	})
	select {
	case x.runner.slots <- struct{}{}:
		defer func() { <-x.runner.slots }()
	case <-ctx.Done():
		x.endTask(t, stoppedOutcome(context.Cause(ctx)), "", "")
		return
	}
	if seconds := t.Spec.TimeoutSeconds; seconds > 0 {
		var release context.CancelFunc
		ctx, release = context.WithTimeoutCause(ctx, time.Duration(seconds)*time.Second, errTimedOut)
		defer release()
	}
	x.runNotebook(ctx, t)
}

// waitForParents waits until the parents of t have ended, or t is cancelled. It returns the
// outcomes of those that have ended.
func (x *execution) waitForParents(t *TaskRun) []outcome {
	var outcomes []outcome
	for _, dependency := range t.Spec.DependsOn {
		for _, parent := range x.run.Tasks {
			if parent.Spec.TaskKey != dependency.TaskKey {
				continue
			}
			select {
			case <-x.tasks[parent.ID].done:
				outcomes = append(outcomes, parent.Outcome)
			case <-x.tasks[t.ID].ctx.Done():
				return outcomes
			}
		}
	}
	return outcomes
}

func (x *execution) runNotebook(ctx context.Context, t *TaskRun) {
	started := false
	x.update(func(r *Run, now int64) {
		if r.Phase == phaseTerminating || t.Phase == phaseTerminating {
			return
		}
		started = true
		r.Phase, t.Phase, t.Started = phaseRunning, phaseRunning, now
	})
	if !started {
		x.endTask(t, canceled, "", "")
		return
	}
	path := t.Spec.NotebookTask.NotebookPath
	source, language, err := x.runner.notebooks.Notebook(path)
	switch {
	case errors.Is(err, tree.ErrMissing):
		x.endTask(t, notebookMissing(path), "", "")
		return
	case err != nil:
		x.endTask(t, internalError(fmt.Sprintf("The notebook %q could not be read: %v.", path, err)), err.Error(), "")
		return
	case language != workspace.LanguageSql:
		x.endTask(t, notebookUnsupported(path, language.String()), "", "")
		return
	}
	table, err := x.runner.engine.RunNotebook(ctx, source, t.Spec.NotebookTask.BaseParameters)
	switch {
	case err == nil:
		x.update(func(_ *Run, now int64) {
			t.Preview = newPreview(table)
			t.end(succeeded, now)
		})
	case ctx.Err() != nil:
		x.endTask(t, stoppedOutcome(context.Cause(ctx)), "", "")
	default:
		x.endTask(t, workloadFailed, errorText(err), errorTrace(path, err))
	}
}

func (x *execution) endTask(t *TaskRun, o outcome, message, trace string) {
	x.update(func(_ *Run, now int64) {
		t.Error, t.Trace = message, trace
		t.end(o, now)
	})
}

// requestCancel sets the run, or one task of it, to TERMINATING and interrupts it.
func (x *execution) requestCancel(runID int64) {
	ended := false
	x.update(func(r *Run, _ int64) {
		ended = !r.Active()
		if r.ID == runID && r.Active() {
			r.Phase = phaseTerminating
		}
		for _, t := range r.Tasks {
			if t.Active() && (t.ID == runID || r.ID == runID) {
				t.Phase = phaseTerminating
			}
		}
	})
	if ended {
		return
	}
	if task, ok := x.tasks[runID]; ok {
		task.cancel(errCanceled)
		return
	}
	x.cancel(errCanceled)
}

func stoppedOutcome(cause error) outcome {
	switch {
	case errors.Is(cause, errCanceled):
		return canceled
	case errors.Is(cause, errTimedOut):
		return timedOut
	}
	return internalError("The workspace was stopped while the run was in progress. Submit the run again under a new idempotency token.")
}

// errorText returns the error of a run output: the engine's message, without the statement.
func errorText(err error) string {
	var failed *engine.StatementError
	if errors.As(err, &failed) {
		return failed.Message
	}
	return err.Error()
}

// errorTrace returns the trace of a run output: the place of the failed statement in the notebook,
// the statement and the error.
func errorTrace(path string, err error) string {
	var failed *engine.StatementError
	if !errors.As(err, &failed) {
		return fmt.Sprintf("%s\n\n%v", path, err)
	}
	return fmt.Sprintf("%s, cell %d, statement %d:\n\n%s\n\n%s", path, failed.Cell, failed.Statement, failed.SQL, failed.Message)
}
