package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
)

// ErrorRunFailed is the type of the error of a run that failed. Its message names the tasks and their errors.
const ErrorRunFailed = "RunFailed"

// end judges the run and tells the ledger, also if the run was cancelled.
func (r *run) end(ctx workflow.Context) (RunResult, error) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	r.err = r.verdict()
	r.ended = workflow.Now(ctx)
	partial, until := r.seen()
	upsert := []temporal.SearchAttributeUpdate{AttributeState.ValueSet(string(r.state())), AttributePartial.ValueSet(partial)}
	if !workflow.GetTypedSearchAttributes(ctx).ContainsKey(AttributeDAG) { // started by hand, from the Web UI
		upsert = append(upsert, AttributeDAG.ValueSet(r.in.DAG), AttributeDate.ValueSet(r.in.Date.Start()), AttributeTrigger.ValueSet(string(r.in.Trigger)))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, upsert...); err != nil {
		return RunResult{}, err
	}
	r.show(ctx)
	if err := brief(ctx, ledgerPolicy, "write the ledger", writeLedger, r.entry(), nil); err != nil {
		return RunResult{}, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("the run ended as %s, but the ledger could not be written: %s", r.state(), activities.Reason(err)), ErrorRunFailed, err)
	}
	if r.err != nil {
		return RunResult{}, r.err
	}
	return RunResult{Date: r.in.Date, Partial: partial, Until: until}, nil
}

// verdict is Airflow's: a run fails if one of its leaves failed or could not run. The error names what failed, causes first. A run whose
// tasks had all ended when the order to cancel came is judged as any other.
func (r *run) verdict() error {
	if r.cut && !r.late {
		return temporal.NewCanceledError("cancelled")
	}
	leaves := r.dag.Leaves()
	fails := slices.ContainsFunc(r.tasks, func(s *TaskStatus) bool {
		return slices.Contains(leaves, s.ID) && (s.State == Failed || s.State == UpstreamFailed)
	})
	if !fails && !r.cut {
		return nil
	}
	var failed, upstream []string
	for _, s := range r.tasks {
		switch s.State {
		case Failed:
			failed = append(failed, fmt.Sprintf("task %s failed after %d tries: %s", s.ID, s.Tries, s.Error))
		case UpstreamFailed:
			upstream = append(upstream, fmt.Sprintf("task %s is upstream_failed", s.ID))
		}
	}
	message := fmt.Sprintf("%s of %s failed: %s", r.in.DAG, r.in.Date, strings.Join(append(failed, upstream...), "; "))
	if r.cut {
		message = fmt.Sprintf("%s of %s was not done after its deadline of %s: %s", r.in.DAG, r.in.Date, r.in.Deadline, strings.Join(append(failed, upstream...), "; "))
	}
	return temporal.NewNonRetryableApplicationError(message, ErrorRunFailed, nil)
}

// entry is the run for the ledger, which itself counts the attempts.
func (r *run) entry() activities.LedgerEntry {
	status := r.status()
	entry := activities.LedgerEntry{
		DAG: status.DAG, Date: status.Date, State: string(status.State), Trigger: string(status.Trigger), Partial: status.Partial, Until: &status.Until,
		WorkflowID: status.WorkflowID, RunID: status.RunID, Started: status.Started, Ended: status.Ended, Params: status.Params, Error: status.Error,
		By: status.By, Tags: status.Tags,
	}
	for _, s := range r.tasks {
		entry.Tasks = append(entry.Tasks, s.record())
	}
	return entry
}
