package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// carry takes, in a rerun, the results of the date's latest run for the tasks that are not to run again. A task that had no result there
// runs, too. A task that runs again goes on counting its tries where it was, so that the record of the date tells all of them.
func (r *dagRun) carryOver(ctx workflow.Context) error {
	if len(r.in.RerunTasks) == 0 {
		return nil
	}
	var found activities.LedgerEntries
	in := ledger.Query{DAG: r.in.DAG, From: r.in.Date, To: r.in.Date}
	if err := executeQuick(ctx, ledgerPolicy, "read the date's latest run", readLedger, in, &found); err != nil || len(found.Entries) == 0 {
		return err
	}
	for _, record := range found.Entries[0].Tasks {
		s := r.task(record.ID)
		switch {
		case s == nil: // the DAG has lost the task since
		case slices.Contains(r.in.RerunTasks, record.ID) || !record.State.Final():
			s.Tries, s.History = record.Tries, record.History
		default:
			*s = record
			s.Carried = true
		}
	}
	for _, s := range r.tasks {
		if s.State == run.Success {
			r.skip(ctx, s) // its branch still holds
		}
	}
	return nil
}
