package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// carryOver gives the tasks that a rerun does not run again the results of the date's latest run. A
// task without a result runs as well. The tries of a task that runs again continue the earlier
// count, so that the ledger has all tries of the date.
func (r *dagRun) carryOver(ctx workflow.Context) error {
	if len(r.in.RerunTasks) == 0 {
		return nil
	}
	var found activities.LedgerEntries
	in := ledger.Query{DAG: r.in.DAG, From: r.in.Date, To: r.in.Date}
	if err := executeQuick(ctx, ledgerPolicy, "read the date's latest run", readLedger, in, &found); err != nil || len(found.Entries) == 0 {
		return err
	}
	for _, earlier := range found.Entries[0].Tasks {
		s := r.task(earlier.ID)
		switch {
		case s == nil: // the DAG does not have the task any more
		case slices.Contains(r.in.RerunTasks, earlier.ID) || !earlier.State.Final():
			s.Tries, s.History = earlier.Tries, earlier.History
		default:
			*s = earlier
			s.Carried = true
		}
	}
	for _, s := range r.tasks {
		if s.State == run.Success {
			r.applySkips(ctx, s) // its branch is still the one that was taken
		}
	}
	return nil
}
