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

// TaskRecord is one task of a run in the ledger.
type TaskRecord struct {
	ID      string     `json:"id"`
	State   string     `json:"state"`
	Tries   int        `json:"tries"`
	Started *time.Time `json:"started,omitempty"`
	Ended   *time.Time `json:"ended,omitempty"`
	URI     string     `json:"uri,omitempty"`
	Rows    int64      `json:"rows,omitempty"`
	Link    string     `json:"link,omitempty"`
	Error   string     `json:"error,omitempty"`
	// Decision is what an operator decided about the task while it was held, who and why.
	Decision string `json:"decision,omitempty"`
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
	Tasks      []TaskRecord      `json:"tasks"`
	Error      string            `json:"error,omitempty"`
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
