package run

import (
	"regexp"
	"strings"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// Status is the state of a run and of its tasks, in the order of the DAG. It is the answer to
// StatusQuery, and what the ledger keeps of a run.
type Status struct {
	DAG     string     `json:"dag"`
	Date    dates.Date `json:"date"`
	State   State      `json:"state"`
	Trigger Trigger    `json:"trigger"`
	// Partial reports whether the run saw the date before it was over; Until is up to when it saw
	// it.
	Partial    bool              `json:"partial"`
	Until      time.Time         `json:"until,omitzero"`
	WorkflowID string            `json:"workflowId"`
	RunID      string            `json:"runId"`
	Started    time.Time         `json:"started"`
	Ended      time.Time         `json:"ended,omitzero"`
	Params     map[string]string `json:"params,omitempty"`
	// TriggeredBy is the user who started the run, as the client reported it.
	TriggeredBy string   `json:"triggeredBy,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	// Hold and RunTimeout are those that the run was started with, beyond what its DAG sets.
	Hold       bool          `json:"hold,omitempty"`
	RunTimeout time.Duration `json:"runTimeout,omitempty"`
	// Paused says who paused the run, why and when; empty if the run is not paused.
	Paused string `json:"paused,omitempty"`
	Tasks  []Task `json:"tasks"`
	Error  string `json:"error,omitempty"`
	// Warnings holds the warnings of the tasks, each with the id of its task, and those of the run. A
	// run with warnings can be a success.
	Warnings []string `json:"warnings,omitempty"`
	// Report is where the report is that the run wrote; empty if it wrote none.
	Report string `json:"report,omitempty"`
}

// Warned reports whether the run has succeeded with warnings.
func (s Status) Warned() bool { return s.State == Success && len(s.Warnings) > 0 }

// TaskWarnings returns the warnings of all tasks, each with the id of its task.
func (s Status) TaskWarnings() []string {
	var all []string
	for _, task := range s.Tasks {
		for _, warning := range task.Warnings {
			all = append(all, task.ID+": "+warning)
		}
	}
	return all
}

// Task returns the task with that id. The state of a task that the run does not have is None.
func (s Status) Task(id string) Task {
	for _, task := range s.Tasks {
		if task.ID == id {
			return task
		}
	}
	return Task{ID: id, State: None}
}

// TaskIDs returns the ids of the tasks, in their order.
func (s Status) TaskIDs() []string {
	ids := make([]string, len(s.Tasks))
	for i, task := range s.Tasks {
		ids[i] = task.ID
	}
	return ids
}

// Task is the state of one task of a run. Times are zero for what has not happened.
type Task struct {
	ID          string   `json:"id"`
	After       []string `json:"after,omitempty"`
	TriggerRule string   `json:"triggerRule"`
	Pool        string   `json:"pool,omitempty"`
	State       State    `json:"state"`
	// Tries counts how often the task was started for the date, in this run and in earlier ones.
	Tries int `json:"tries"`
	// Carried reports whether the result is that of an earlier run, which a rerun kept.
	Carried bool      `json:"carried,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Outcome
	// Error is why the last try failed.
	Error string `json:"error,omitempty"`
	// Warnings is what the task warns about although it succeeded.
	Warnings []string `json:"warnings,omitempty"`
	// Decision is what an operator decided about the task, who and why. It is set before the
	// current try has ended.
	Decision string `json:"decision,omitempty"`
	// Waiting is what a task waits for other than its parents, such as a slot of its pool.
	Waiting string `json:"waiting,omitempty"`
	// History holds the tries that have ended, in their order.
	History []Try `json:"history,omitempty"`
	// Trying is the current try. Its State and Ended are not set.
	Trying *Try `json:"trying,omitempty"`
}

// Warned reports whether the task has succeeded with warnings.
func (t Task) Warned() bool { return t.State == Success && len(t.Warnings) > 0 }

// jobEnded matches the first line of the error of a job: it only says that the job failed.
var jobEnded = regexp.MustCompile(`^[^\n]* ended as [A-Z_]+\n+`)

// ErrorLine returns the task's error in one line: what went wrong in its job, if it has one.
func (t Task) ErrorLine() string {
	said := strings.TrimPrefix(jobEnded.ReplaceAllString(t.Error, ""), "task "+t.ID+": ")
	line, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	return line
}

// Try is one try of a task.
type Try struct {
	Number int `json:"number"`
	// State is Success, Failed or Skipped.
	State   State     `json:"state,omitempty"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Queued and Granted bound the wait for a slot of the task's pool. They are zero without a
	// pool.
	Queued  time.Time `json:"queued,omitzero"`
	Granted time.Time `json:"granted,omitzero"`
	// Link is the page of the Databricks run, JobRunID its id.
	Link     string `json:"link,omitempty"`
	JobRunID int64  `json:"jobRunId,omitempty"`
	// Together holds all dates of that Databricks run, if they are more than one.
	Together []dates.Date `json:"together,omitempty"`
	// Error is why the try failed, on one line.
	Error string `json:"error,omitempty"`
}
