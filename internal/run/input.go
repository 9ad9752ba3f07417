package run

import (
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// Input starts a run of one logical date of a DAG.
type Input struct {
	DAG     string     `json:"dag"`
	Date    dates.Date `json:"date"`
	Trigger Trigger    `json:"trigger"`
	// Params are passed to all notebooks of the run. They override all other settings.
	Params map[string]string `json:"params,omitempty"`
	// Hold makes a task that has used up its tries wait for an operator's decision instead of
	// failing.
	Hold bool `json:"hold,omitempty"`
	// RerunTasks makes the run a rerun: these tasks run again, the others keep the results that the
	// ledger has of the date. Without it all tasks run.
	RerunTasks []string `json:"rerunTasks,omitempty"`
	// Drop is what a rerun does not keep of the date's latest run: see Keep.
	Drop Drop `json:"drop,omitzero"`
	// IgnorePast starts tasks that depend on the past without waiting for it.
	IgnorePast bool `json:"ignorePast,omitempty"`
	// AcceptGaps is why an operator accepts that the date goes on without records that Kafka lost
	// before they landed; empty accepts no loss.
	AcceptGaps string `json:"acceptGaps,omitempty"`
	// Together is how many dates of a backfill may go together in one Databricks run; 0 and 1 are
	// none but this.
	Together int `json:"together,omitempty"`
	// BackfillStart is the first date of the backfill that the run belongs to.
	BackfillStart dates.Date `json:"backfillStart,omitempty"`
	// RunTimeout is the longest time that the run may take; zero is the DAG's own limit.
	RunTimeout time.Duration `json:"runTimeout,omitempty"`
	// TriggeredBy is the user who started the run. Tags are labels by which the run can be found.
	TriggeredBy string   `json:"triggeredBy,omitempty"`
	Tags        []string `json:"tags,omitempty"`
}

// Result is the result of a successful run. Its status and the ledger have the outcomes of the
// tasks.
type Result struct {
	Date dates.Date `json:"date"`
	// Partial reports whether the run saw the date before it was over; Until is up to when it saw
	// it.
	Partial bool      `json:"partial"`
	Until   time.Time `json:"until"`
}
