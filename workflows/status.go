package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
)

// maxError is how much of an error's text is kept in states and the ledger, in bytes. The whole stands on the page of the external job.
const maxError = 4000

// TaskStatus is where one task of a run stands. Times are zero for what has not happened.
type TaskStatus struct {
	ID    string   `json:"id"`
	After []string `json:"after,omitempty"`
	Rule  string   `json:"triggerRule"`
	Pool  string   `json:"pool,omitempty"`
	State State    `json:"state"`
	// Tries counts the starts in this run; Carried says that an earlier run of the date made the result.
	Tries   int       `json:"tries"`
	Carried bool      `json:"carried,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Outcome
	// Error is why the last try failed.
	Error string `json:"error,omitempty"`
	// Decision is what an operator decided about the task, and why.
	Decision string `json:"decision,omitempty"`
	// Waiting is what a task that has not started its work waits for, if it is not its parents.
	Waiting string `json:"waiting,omitempty"`
	// History are the tries that have ended, in their order; Trying is the one that is going, without State and Ended.
	History []activities.TryRecord `json:"history,omitempty"`
	Trying  *activities.TryRecord  `json:"trying,omitempty"`
}

// RunStatus is the answer to StatusQuery: a run, and its tasks in the order of the DAG.
type RunStatus struct {
	DAG     string     `json:"dag"`
	Date    dates.Date `json:"date"`
	State   State      `json:"state"`
	Trigger Trigger    `json:"trigger"`
	// Partial says that the run sees the date before it is over; Until is up to when its data was seen.
	Partial    bool              `json:"partial"`
	Until      time.Time         `json:"until,omitzero"`
	WorkflowID string            `json:"workflowId"`
	RunID      string            `json:"runId"`
	Started    time.Time         `json:"started"`
	Ended      time.Time         `json:"ended,omitzero"`
	Params     map[string]string `json:"params,omitempty"`
	// By is who asked for the run; Tags are its labels.
	By   string   `json:"triggeredBy,omitempty"`
	Tags []string `json:"tags,omitempty"`
	// Paused says who paused the run and why; empty if it is not paused.
	Paused string       `json:"paused,omitempty"`
	Tasks  []TaskStatus `json:"tasks"`
	Error  string       `json:"error,omitempty"`
}

// StatusOf is the status of a run that only the ledger knows. The DAG gives what the ledger does not keep: parents, rules and pools.
// Tasks that the DAG no longer has come last.
func StatusOf(entry activities.LedgerEntry, dag DAG) RunStatus {
	status := RunStatus{
		DAG: entry.DAG, Date: entry.Date, State: State(entry.State), Trigger: Trigger(entry.Trigger), Partial: entry.Partial,
		WorkflowID: entry.WorkflowID, RunID: entry.RunID, Started: entry.Started, Ended: entry.Ended, Params: entry.Params, Error: entry.Error,
		By: entry.By, Tags: entry.Tags,
	}
	if entry.Until != nil {
		status.Until = *entry.Until
	}
	records := slices.Clone(entry.Tasks)
	for _, t := range dag {
		task := newTaskStatus(t)
		if i := slices.IndexFunc(records, func(r activities.TaskRecord) bool { return r.ID == t.ID }); i >= 0 {
			task.take(records[i])
			records = slices.Delete(records, i, i+1)
		}
		status.Tasks = append(status.Tasks, task)
	}
	for _, record := range records {
		task := TaskStatus{ID: record.ID}
		task.take(record)
		status.Tasks = append(status.Tasks, task)
	}
	return status
}

func newTaskStatus(t Task) TaskStatus {
	return TaskStatus{ID: t.ID, After: t.After, Rule: string(t.When.name()), Pool: t.Pool, State: None}
}

// take fills in what the ledger has recorded.
func (s *TaskStatus) take(r activities.TaskRecord) {
	s.State, s.Tries, s.Error, s.Decision, s.Carried = State(r.State), r.Tries, r.Error, r.Decision, r.Carried
	s.Outcome, s.History = r.Outcome, r.History
	if r.Started != nil {
		s.Started = *r.Started
	}
	if r.Ended != nil {
		s.Ended = *r.Ended
	}
}

// record is what the ledger keeps of the task.
func (s *TaskStatus) record() activities.TaskRecord {
	r := activities.TaskRecord{
		ID: s.ID, State: string(s.State), Tries: s.Tries, Outcome: s.Outcome, Error: s.Error, Carried: s.Carried, Decision: s.Decision, History: s.History,
	}
	if !s.Started.IsZero() {
		r.Started = &s.Started
	}
	if !s.Ended.IsZero() {
		r.Ended = &s.Ended
	}
	return r
}

// status is the answer to StatusQuery.
func (r *run) status() RunStatus {
	status := RunStatus{
		DAG: r.in.DAG, Date: r.in.Date, State: r.state(), Trigger: r.in.Trigger, WorkflowID: r.info.WorkflowExecution.ID,
		RunID: r.info.WorkflowExecution.RunID, Started: r.started, Ended: r.ended, Params: r.in.Params,
		By: r.in.By, Tags: r.in.Tags,
	}
	if r.ended.IsZero() { // else nothing lets it go on
		status.Paused = r.paused
	}
	status.Partial, status.Until = r.seen()
	if r.err != nil {
		status.Error = activities.Reason(r.err)
	}
	for _, task := range r.tasks {
		status.Tasks = append(status.Tasks, *task)
	}
	return status
}

// state is the run's: held while a task waits for a decision.
func (r *run) state() State {
	switch {
	case !r.ended.IsZero() && r.err != nil:
		return Failed
	case !r.ended.IsZero():
		return Success
	case slices.ContainsFunc(r.tasks, func(s *TaskStatus) bool { return s.State == Held }):
		return Held
	}
	return Running
}

// seen says whether the run sees the date before it is over, and up to when. The tasks that read the source know it exactly, be it in this
// run or in the earlier one whose results it keeps; before that, and in a DAG that reads none, the time at which the run started decides.
func (r *run) seen() (partial bool, until time.Time) {
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

// show puts the tasks as a table on the run's page in the Web UI. It costs no event.
func (r *run) show(ctx workflow.Context) {
	partial, until := r.seen()
	text := fmt.Sprintf("**%s of %s** · %s", r.in.DAG, r.in.Date, r.state())
	if r.paused != "" {
		text += " · paused: " + r.paused
	}
	if partial {
		text += fmt.Sprintf(" · partial: the date up to %s UTC", until.UTC().Format(time.DateTime))
	}
	text += "\n\n| task | state | tries | took | rows | notes |\n|---|---|---|---|---|---|\n"
	for _, s := range r.tasks {
		text += fmt.Sprintf("| %s | %s | %d | %s | %s | %s |\n", s.ID, s.State, s.Tries, took(s), rows(s), notes(s))
	}
	workflow.SetCurrentDetails(ctx, text)
}

func took(s *TaskStatus) string {
	if s.Ended.IsZero() || s.Started.IsZero() {
		return ""
	}
	return s.Ended.Sub(s.Started).Round(100 * time.Millisecond).String()
}

func rows(s *TaskStatus) string {
	if s.Rows == 0 {
		return ""
	}
	return fmt.Sprint(s.Rows)
}

// notes are the last column of the table: the link, and the start of the error on one line.
func notes(s *TaskStatus) string {
	var notes []string
	if s.Carried {
		notes = append(notes, "result of an earlier run")
	}
	if s.Waiting != "" {
		notes = append(notes, "waits for "+s.Waiting)
	}
	if s.Link != "" {
		notes = append(notes, "[Databricks run]("+s.Link+")")
	}
	if s.Error != "" {
		line := strings.Join(strings.Fields(s.Error), " ")
		notes = append(notes, strings.ReplaceAll(cut(line, 200), "|", `\|`))
	}
	return strings.Join(notes, " · ")
}

// oneLine is an error's text on one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// cut shortens a text to so many bytes at most, and shows that it did.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + " …"
}
