package run

import (
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// Outcome is what a task leaves behind: small facts, never data.
type Outcome struct {
	// URI is where the data is.
	URI string `json:"uri,omitempty"`
	// Rows counts the records or rows that the task handled. Counted reports whether it did: no rows
	// are not the same as rows that nobody counted.
	Rows    int64 `json:"rows,omitempty"`
	Counted bool  `json:"counted,omitempty"`
	// Records counts the records that a cleaning task read, Quarantined those that it rejected.
	Records     int64 `json:"records,omitempty"`
	Quarantined int64 `json:"quarantined,omitempty"`
	// Tables counts the rows of the tables that the task rebuilt.
	Tables []TableRows `json:"tables,omitempty"`
	// Link is the page of the Databricks run, JobRunID its id.
	Link     string `json:"link,omitempty"`
	JobRunID int64  `json:"jobRunId,omitempty"`
	// Notebook is the path of the notebook that ran; NotebookHash is the SHA-256 of its source, in
	// hex.
	Notebook     string `json:"notebook,omitempty"`
	NotebookHash string `json:"notebookHash,omitempty"`
	// Together holds all dates that the Databricks run handled, in their order, if it handled more
	// than that of the task.
	Together []dates.Date `json:"together,omitempty"`
	// Bytes is the size of the objects that a task landed.
	Bytes int64 `json:"bytes,omitempty"`
	// Remarks are warnings of the work, in words: it succeeded, and an operator should know.
	Remarks []string `json:"remarks,omitempty"`
	// Until is up to when the task saw the date's data, for a task that reads the source; Partial
	// reports whether the date was not over then.
	Until   time.Time `json:"until,omitzero"`
	Partial bool      `json:"partial,omitempty"`
	// SkipRest skips everything downstream of the task, whatever the trigger rules: a short
	// circuit.
	SkipRest bool `json:"skipRest,omitempty"`
	// SkipChildren skips these direct children: a branch.
	SkipChildren []string `json:"skipChildren,omitempty"`
}

// TableRows is the number of rows of a table.
type TableRows struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}
