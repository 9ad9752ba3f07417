// Package activities holds the activities: they run Databricks notebooks, count rows, read and
// write the ledger, and message pools. Landing is in package landing. Each system has a struct,
// with a narrow interface that a package of internal/clients satisfies.
package activities

import (
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// StartNotebookInput is the run to start. Workflow id, run id, task and try identify it: a retry of
// the activity rejoins the run, while a new try, and the same try after a reset of the workflow,
// start a new one.
type StartNotebookInput struct {
	Notebook string     `json:"notebook"` // name without folder and extension, as in clean_pin
	DAG      string     `json:"dag"`
	Date     dates.Date `json:"date"`
	Task     string     `json:"task"`
	Try      int        `json:"try"`
	// WorkflowID and RunID are those of the run of the date, whichever workflow does its work.
	WorkflowID string            `json:"workflowId"`
	RunID      string            `json:"runId"`
	Params     map[string]string `json:"params"`
	// Alone reports whether the task has the only slot of its pool. Active runs of the task for other
	// dates are then left over, except those of the dates in Beside, and are cancelled first.
	Alone  bool         `json:"alone,omitempty"`
	Beside []dates.Date `json:"beside,omitempty"`
	// Others are the tries of other dates that go together with this one, in the order of their dates,
	// which are later.
	Others []TryIdentity `json:"others,omitempty"`
}

// TryIdentity names a try of a task by the run of its date.
type TryIdentity struct {
	Date       dates.Date `json:"date"`
	WorkflowID string     `json:"workflowId"`
	RunID      string     `json:"runId"`
	Try        int        `json:"try"`
}

// Dates returns all dates that the notebook handles, in their order.
func (in StartNotebookInput) Dates() []dates.Date {
	all := []dates.Date{in.Date}
	for _, other := range in.Others {
		all = append(all, other.Date)
	}
	return all
}

// CancelNotebookInput selects the Databricks run to cancel. Without an id it is the run that the
// input of StartNotebook may have started.
type CancelNotebookInput struct {
	Run   NotebookRun        `json:"run"`
	Start StartNotebookInput `json:"start"`
}

// NotebookRun is a Databricks run of a notebook. Link is its page in the workspace.
type NotebookRun struct {
	RunID int64  `json:"runId"`
	Link  string `json:"link"`
	// Notebook is the path of the notebook in the workspace. Hash is the SHA-256 of its source when
	// the run started, in hex.
	Notebook string `json:"notebook,omitempty"`
	Hash     string `json:"hash,omitempty"`
}

// WaitNotebookInput selects the Databricks run to wait for.
type WaitNotebookInput struct {
	Run NotebookRun `json:"run"`
	// AllowFailures counts SUCCESS_WITH_FAILURES as success.
	AllowFailures bool `json:"allowFailures,omitempty"`
}

// NotebookResult describes a successful Databricks run.
type NotebookResult struct {
	Link     string        `json:"link"`
	Duration time.Duration `json:"duration"`
}
