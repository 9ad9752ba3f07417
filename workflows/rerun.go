package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/workflows/steps"
)

// carryOver continues the date's latest run in a rerun: it keeps its settings, and the results of
// the tasks that do not run again. The run itself reads the ledger, so that a rerun by any means,
// also from the Web UI, keeps the same. Its errors are for the user to fix: nothing has run then,
// and the ledger still has the latest run.
func (w Workflows) carryOver(ctx workflow.Context, r *dagRun) error {
	if len(r.in.RerunTasks) == 0 {
		return nil
	}
	var found activities.LedgerEntries
	in := ledger.Query{DAG: r.in.DAG, From: r.in.Date, To: r.in.Date}
	if err := steps.ExecuteQuick(ctx, steps.LedgerPolicy, "read the date's latest run", steps.ReadLedger, in, &found); err != nil || len(found.Entries) == 0 {
		return err
	}
	latest := found.Entries[0].Status
	command := func(options string) string {
		return w.Catalog.Command(r.in.DAG, fmt.Sprintf("rerun %s %s", r.in.Date, options))
	}
	err := r.dag.CheckRerun(r.in.RerunTasks, func(id string) run.State { return latest.Task(id).State }, command)
	if err == nil {
		err = w.keepSettings(ctx, r, latest)
	}
	if err != nil {
		r.err, r.ended = invalidInput(err), workflow.Now(ctx)
		return r.err
	}
	r.keepResults(ctx, latest)
	return nil
}

// keepSettings gives the run the settings of the latest one, as far as its input does not change
// them.
func (w Workflows) keepSettings(ctx workflow.Context, r *dagRun, latest run.Status) error {
	given := r.asked
	r.asked = given.Keep(latest)
	r.in.Params, r.in.Tags = r.asked.Params, r.asked.Tags
	r.in.Hold = r.in.Hold || r.asked.Hold
	r.in.RunTimeout = cmp.Or(r.asked.RunTimeout, r.in.RunTimeout)
	if !slices.Equal(given.Tags, r.asked.Tags) {
		if err := workflow.UpsertTypedSearchAttributes(ctx, search.Tags.ValueSet(r.asked.Tags)); err != nil {
			return fmt.Errorf("tags: %w", err)
		}
	}
	if len(latest.Params) == 0 {
		return nil
	}
	// What the DAG of today says of the parameters is recorded: a replay on a later build must not
	// decide differently.
	var wrong string
	err := workflow.SideEffect(ctx, func(workflow.Context) any { return w.wrongKept(given, latest) }).Get(&wrong)
	if err == nil && wrong != "" {
		err = errors.New(wrong)
	}
	return err
}

// wrongKept returns what is wrong with the parameters that a rerun keeps, because the DAG has
// changed since the latest run, and how to leave them out. It is empty if nothing is.
func (w Workflows) wrongKept(in run.Input, latest run.Status) string {
	definition, err := w.Catalog.Definition(in.DAG)
	if err != nil {
		return err.Error()
	}
	if err := definition.CheckKept(in, latest); err != nil {
		return err.Error()
	}
	return ""
}

// keepResults gives the tasks that do not run again the results of the latest run. A task without a
// result runs as well. The tries of a task that runs again continue the earlier count, so that the
// ledger has all tries of the date.
func (r *dagRun) keepResults(ctx workflow.Context, latest run.Status) {
	for _, earlier := range latest.Tasks {
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
}
