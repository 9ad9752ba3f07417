package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// end judges the run and tells the ledger, also if the run was cancelled.
func (r *dagRun) end(ctx workflow.Context) (run.Result, error) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	r.err = r.verdict()
	r.ended = workflow.Now(ctx)
	partial, until := r.seen()
	upsert := []temporal.SearchAttributeUpdate{search.State.ValueSet(string(r.state())), search.Partial.ValueSet(partial)}
	if !workflow.GetTypedSearchAttributes(ctx).ContainsKey(search.DAG) { // started by hand, from the Web UI
		upsert = append(upsert, search.DAG.ValueSet(r.in.DAG), search.Date.ValueSet(r.in.Date.Start()), search.Trigger.ValueSet(string(r.in.Trigger)))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, upsert...); err != nil {
		return run.Result{}, err
	}
	r.show(ctx)
	if err := executeQuick(ctx, ledgerPolicy, "write the ledger", writeLedger, r.entry(), nil); err != nil {
		return run.Result{}, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("the run ended as %s, but the ledger could not be written: %s", r.state(), failure.Reason(err)), failure.RunFailed, err)
	}
	if r.err != nil {
		return run.Result{}, r.err
	}
	return run.Result{Date: r.in.Date, Partial: partial, Until: until}, nil
}

// verdict is Airflow's: a run fails if one of its leaves failed or could not run. The error names what failed, causes first. A run whose
// tasks had all ended when the order to cancel came is judged as any other.
func (r *dagRun) verdict() error {
	if r.interrupted && !r.timedOut {
		return temporal.NewCanceledError("cancelled")
	}
	leaves := r.dag.Leaves()
	fails := slices.ContainsFunc(r.tasks, func(s *run.Task) bool {
		return slices.Contains(leaves, s.ID) && (s.State == run.Failed || s.State == run.UpstreamFailed)
	})
	if !fails && !r.interrupted {
		return nil
	}
	var failed, upstream []string
	for _, s := range r.tasks {
		switch s.State {
		case run.Failed:
			failed = append(failed, fmt.Sprintf("task %s failed after %d tries: %s", s.ID, s.Tries, s.Error))
		case run.UpstreamFailed:
			upstream = append(upstream, fmt.Sprintf("task %s is upstream_failed", s.ID))
		}
	}
	message := fmt.Sprintf("%s of %s failed: %s", r.in.DAG, r.in.Date, strings.Join(append(failed, upstream...), "; "))
	if r.interrupted {
		message = fmt.Sprintf("%s of %s was not done after its deadline of %s: %s", r.in.DAG, r.in.Date, r.in.RunTimeout, strings.Join(append(failed, upstream...), "; "))
	}
	return temporal.NewNonRetryableApplicationError(message, failure.RunFailed, nil)
}

// entry returns the ledger's entry of the run. The ledger sets the attempt.
func (r *dagRun) entry() ledger.Entry { return ledger.Entry{Status: r.status()} }
