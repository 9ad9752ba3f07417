// Package activities is how one step of a run is done: landing Kafka records in S3, running a Databricks notebook, keeping the ledger.
// One small struct a system; the structs own the narrow interfaces that internal/clients satisfies.
package activities

import (
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

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
