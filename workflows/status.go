package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/markdown"
)

// maxError limits the text of an error in states and in the ledger, in bytes. The page of the
// external job has the whole text.
const maxError = 4000

func newTask(t dag.Task) run.Task {
	return run.Task{ID: t.ID, After: t.After, TriggerRule: string(t.TriggerRule.Name()), Pool: t.Pool, State: run.None}
}

// status returns the answer to run.StatusQuery.
func (r *dagRun) status() run.Status {
	status := run.Status{
		DAG: r.in.DAG, Date: r.in.Date, State: r.state(), Trigger: r.in.Trigger, WorkflowID: r.info.WorkflowExecution.ID,
		RunID: r.info.WorkflowExecution.RunID, Started: r.started, Ended: r.ended, Params: r.in.Params,
		TriggeredBy: r.in.TriggeredBy, Tags: r.in.Tags, Hold: r.asked.Hold, RunTimeout: r.asked.RunTimeout,
	}
	if r.ended.IsZero() { // a run that was cancelled while it was paused is not paused any more
		status.Paused = r.paused
	}
	status.Partial, status.Until = r.seen()
	if r.err != nil {
		status.Error = failure.Reason(r.err)
	}
	for _, task := range r.tasks {
		status.Tasks = append(status.Tasks, *task)
	}
	status.Warnings = append(status.TaskWarnings(), r.warnings...)
	status.Report = r.reportURI
	return status
}

// state returns the state of the run: held while a task waits for a decision.
func (r *dagRun) state() run.State {
	switch {
	case !r.ended.IsZero() && temporal.IsCanceledError(r.err):
		return run.Cancelled
	case !r.ended.IsZero() && r.err != nil:
		return run.Failed
	case !r.ended.IsZero():
		return run.Success
	case slices.ContainsFunc(r.tasks, func(s *run.Task) bool { return s.State == run.Held }):
		return run.Held
	}
	return run.Running
}

// seen reports whether the run saw the date before it was over, and up to when. The tasks that read
// the source know it, in this run or in the earlier one whose results it carries. Without such a
// task it is the time at which the run started.
func (r *dagRun) seen() (partial bool, until time.Time) {
	for _, task := range r.tasks {
		if task.Until.IsZero() {
			continue
		}
		partial = partial || task.Partial
		if until.IsZero() || task.Until.Before(until) {
			until = task.Until
		}
	}
	switch {
	case !until.IsZero():
		return partial, until
	case r.in.Date.Over(r.started):
		return false, r.in.Date.End()
	}
	return true, r.started
}

// show puts a table of the tasks on the run's page in the Web UI. It adds no event to the history.
func (r *dagRun) show(ctx workflow.Context) { workflow.SetCurrentDetails(ctx, r.page()) }

func (r *dagRun) page() string {
	partial, until := r.seen()
	text := fmt.Sprintf("**%s of %s** · %s", markdown.Escape(r.in.DAG), markdown.Escape(string(r.in.Date)), markdown.Escape(string(r.state())))
	if r.paused != "" {
		text += " · paused: " + markdown.Escape(r.paused)
	}
	if partial {
		text += fmt.Sprintf(" · partial: the date up to %s UTC", until.UTC().Format(time.DateTime))
	}
	if warnings := r.status().Warnings; len(warnings) > 0 {
		text += fmt.Sprintf(" · **!** %s", warningsOf(len(warnings)))
	}
	text += "\n\n" + markdown.Head("task", "state", "tries", "took", "rows", "notes")
	for _, s := range r.tasks {
		state := markdown.Escape(string(s.State))
		if s.Warned() {
			state += " **!**"
		}
		text += markdown.Row(markdown.Escape(s.ID), state, fmt.Sprint(s.Tries), took(s), rows(s), notes(s))
	}
	return text
}

func took(s *run.Task) string {
	if s.Ended.IsZero() || s.Started.IsZero() {
		return ""
	}
	return s.Ended.Sub(s.Started).Round(100 * time.Millisecond).String()
}

func rows(s *run.Task) string {
	if s.Rows == 0 && !s.Counted {
		return ""
	}
	return fmt.Sprint(s.Rows)
}

// notes returns the last column of the table: what the task waits for, its link, and the start of
// its error.
func notes(s *run.Task) string {
	var notes []string
	if s.Carried {
		notes = append(notes, "result of an earlier run")
	}
	if s.Waiting != "" {
		notes = append(notes, "waits for "+markdown.Escape(s.Waiting))
	}
	if s.Link != "" {
		notes = append(notes, markdown.Link("Databricks run", s.Link))
	}
	for _, warning := range s.Warnings {
		notes = append(notes, markdown.Escape(warning))
	}
	if s.Error != "" {
		notes = append(notes, markdown.Escape(failure.Cut(strings.Join(strings.Fields(s.Error), " "), 200)))
	}
	return strings.Join(notes, " · ")
}

// warningsOf returns a number of warnings in words.
func warningsOf(n int) string {
	if n == 1 {
		return "1 warning"
	}
	return fmt.Sprintf("%d warnings", n)
}
