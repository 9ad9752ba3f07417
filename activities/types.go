// Package activities is how one step of a run is done: landing Kafka records in S3, running a Databricks notebook, keeping the ledger.
// One small struct a system; the structs own the narrow interfaces that internal/clients satisfies.
package activities

import (
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// PlanLandingInput asks which offsets of a topic belong to a logical date.
type PlanLandingInput struct {
	Topic string     `json:"topic"`
	Date  dates.Date `json:"date"`
}

// PartitionRange is the offsets [Start, End) of one partition. Start equals End if there is nothing to land.
type PartitionRange struct {
	Partition int   `json:"partition"`
	Start     int64 `json:"start"`
	End       int64 `json:"end"`
}

// Empty says that there is nothing to land.
func (r PartitionRange) Empty() bool { return r.Start >= r.End }

// LandingPlan is what is left to land of a topic for a logical date: a range for each partition.
type LandingPlan struct {
	Topic  string           `json:"topic"`
	Date   dates.Date       `json:"date"`
	Ranges []PartitionRange `json:"ranges"`
	// Partial says that the date is not over: the ranges end at what was there at Until, and a later plan goes on from there.
	Partial bool      `json:"partial"`
	Until   time.Time `json:"until"`
}

// LandPartitionInput asks for one partition's range of a date to be landed.
type LandPartitionInput struct {
	Topic string         `json:"topic"`
	Date  dates.Date     `json:"date"`
	Range PartitionRange `json:"range"`
}

// LandedPartition counts what one partition's landing wrote or found written. Bytes are of the objects.
type LandedPartition struct {
	Partition int   `json:"partition"`
	Objects   int   `json:"objects"`
	Records   int64 `json:"records"`
	Bytes     int64 `json:"bytes"`
}

// WriteManifestInput asks for the manifest of a topic and date, after all partitions of the plan have landed.
type WriteManifestInput struct {
	Plan LandingPlan `json:"plan"`
}

// ManifestSummary says where the manifest is and what the date's objects hold in all.
type ManifestSummary struct {
	URI     string `json:"uri"`
	Objects int    `json:"objects"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
}

// StartNotebookInput asks for one run of a notebook. Its identity is DAG, date, task, try and the original run id of the workflow,
// so that a retry of the activity rejoins the run, and a new try is a new run.
type StartNotebookInput struct {
	Notebook      string            `json:"notebook"` // name without folder and ending, as in clean_pin
	DAG           string            `json:"dag"`
	Date          dates.Date        `json:"date"`
	Task          string            `json:"task"`
	Try           int               `json:"try"`
	OriginalRunID string            `json:"originalRunId"`
	Params        map[string]string `json:"params"`
}

// NotebookRun is a run of a notebook on Databricks. Link is its page in the workspace.
type NotebookRun struct {
	RunID int64  `json:"runId"`
	Link  string `json:"link"`
	// Notebook is the notebook's path in the workspace, Hash the SHA-256 of its source there when the run was started, in hex.
	Notebook string `json:"notebook,omitempty"`
	Hash     string `json:"hash,omitempty"`
}

// WaitNotebookInput asks to wait until a run has ended.
type WaitNotebookInput struct {
	Run NotebookRun `json:"run"`
	// AllowFailures takes SUCCESS_WITH_FAILURES for success.
	AllowFailures bool `json:"allowFailures,omitempty"`
}

// NotebookResult is what a successful run left: what the notebook gave dbutils.notebook.exit or its last statement, cut to 5 MB by Databricks.
type NotebookResult struct {
	Link     string        `json:"link"`
	Duration time.Duration `json:"duration"`
}

// Outcome is what a task leaves behind: small facts, never data.
type Outcome struct {
	// URI is where the data is.
	URI string `json:"uri,omitempty"`
	// Rows counts the records or rows that the task handled.
	Rows int64 `json:"rows,omitempty"`
	// Records counts the records of the date that a cleaning task has read, Quarantined those that it put aside.
	Records     int64 `json:"records,omitempty"`
	Quarantined int64 `json:"quarantined,omitempty"`
	// Tables counts the rows of the tables that the task made anew.
	Tables []TableRows `json:"tables,omitempty"`
	// Link is the page of the external job, JobRunID its id on Databricks.
	Link     string `json:"link,omitempty"`
	JobRunID int64  `json:"jobRunId,omitempty"`
	// Notebook is the path of the notebook that ran; NotebookHash is the SHA-256 of its source, in hex.
	Notebook     string `json:"notebook,omitempty"`
	NotebookHash string `json:"notebookHash,omitempty"`
	// Until is up to when the task saw the date's data, for a task that reads the source; Partial says that the date was not over then.
	Until   time.Time `json:"until,omitzero"`
	Partial bool      `json:"partial,omitempty"`
	// SkipRest skips all that comes after the task, whatever its trigger rules: a short circuit. SkipChildren skips these direct
	// children only: a branch.
	SkipRest     bool     `json:"skipRest,omitempty"`
	SkipChildren []string `json:"skipChildren,omitempty"`
}

// TableRows is how many rows a table has.
type TableRows struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// TryRecord is one try of a task.
type TryRecord struct {
	Number int `json:"number"`
	// State is how the try ended: success, failed or skipped.
	State   string    `json:"state"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	// Queued and Granted bound the time in which the try waited for a slot of its pool; nil without a pool.
	Queued  *time.Time `json:"queued,omitempty"`
	Granted *time.Time `json:"granted,omitempty"`
	// Link is the page of the try's external job, JobRunID its id on Databricks.
	Link     string `json:"link,omitempty"`
	JobRunID int64  `json:"jobRunId,omitempty"`
	// Error is why the try failed, in a line.
	Error string `json:"error,omitempty"`
}

// TaskRecord is one task of a run in the ledger.
type TaskRecord struct {
	ID    string `json:"id"`
	State string `json:"state"`
	// Tries counts the starts of the task for the date, those of the runs before a rerun included.
	Tries   int        `json:"tries"`
	Started *time.Time `json:"started,omitempty"`
	Ended   *time.Time `json:"ended,omitempty"`
	Outcome
	Error string `json:"error,omitempty"`
	// Carried says that an earlier run of the date made the result.
	Carried bool `json:"carried,omitempty"`
	// Decision is what an operator decided about the task while it was held, who and why.
	Decision string `json:"decision,omitempty"`
	// History are the tries, in their order.
	History []TryRecord `json:"history,omitempty"`
}

// LedgerEntry is what the ledger keeps of a logical date, at runs/<dag>/<date>.json: the latest run, beyond the namespace's retention.
type LedgerEntry struct {
	DAG     string     `json:"dag"`
	Date    dates.Date `json:"date"`
	State   string     `json:"state"` // success or failed
	Trigger string     `json:"trigger"`
	// Partial says that the run saw the date before it was over; Until is up to when.
	Partial    bool              `json:"partial"`
	Until      *time.Time        `json:"until,omitempty"`
	WorkflowID string            `json:"workflowId"`
	RunID      string            `json:"runId"`
	Attempt    int               `json:"attempt"` // how many runs of this date there have been, this one included
	Started    time.Time         `json:"started"`
	Ended      time.Time         `json:"ended"`
	Params     map[string]string `json:"params,omitempty"`
	// By is who asked for the run, as far as the one who started it said so; Tags are its labels.
	By    string       `json:"triggeredBy,omitempty"`
	Tags  []string     `json:"tags,omitempty"`
	Tasks []TaskRecord `json:"tasks"`
	Error string       `json:"error,omitempty"`
}

// ReadLedgerInput names entries: the dates [From, To] of a DAG.
type ReadLedgerInput struct {
	DAG  string     `json:"dag"`
	From dates.Date `json:"from"`
	To   dates.Date `json:"to"`
	// Brief leaves out tasks, parameters and errors, so that the entries of some thousand dates fit into one payload.
	Brief bool `json:"brief,omitempty"`
}

// LedgerEntries are the entries that exist, in the order of their dates.
type LedgerEntries struct {
	Entries []LedgerEntry `json:"entries"`
}
