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
	"github.com/pinflow/pinflow/workflows/steps"
)

// end decides whether the run succeeded and writes the ledger, also if the run was cancelled.
func (r *dagRun) end(ctx workflow.Context) (run.Result, error) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	r.err = r.result()
	r.report(ctx)
	r.ended = workflow.Now(ctx)
	partial, until := r.seen()
	upsert := []temporal.SearchAttributeUpdate{search.State.ValueSet(string(r.state())), search.Partial.ValueSet(partial)}
	if !workflow.GetTypedSearchAttributes(ctx).ContainsKey(search.DAG) { // started from the Web UI
		upsert = append(upsert, search.DAG.ValueSet(r.in.DAG), search.Date.ValueSet(r.in.Date.Start()),
			search.Trigger.ValueSet(string(r.in.Trigger)))
	}
	if r.status().Warned() {
		upsert = append(upsert, search.Warned.ValueSet(true))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, upsert...); err != nil {
		return run.Result{}, err
	}
	r.show(ctx)
	// The ledger sets the attempt of the entry.
	entry := ledger.Entry{Status: r.status()}
	if err := steps.ExecuteQuick(ctx, steps.LedgerPolicy, "write the ledger", steps.WriteLedger, entry, nil); err != nil {
		return run.Result{}, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("the run ended as %s, but the ledger was not written: %s", r.state(), failure.Reason(err)), failure.RunFailed, err)
	}
	if r.err != nil {
		return run.Result{}, r.err
	}
	return run.Result{Date: r.in.Date, Partial: partial, Until: until}, nil
}

// result returns nil if the run succeeded. As in Airflow, it fails if one of its leaves failed or
// could not run. The error names the failed tasks first, then cancelled ones, then those that could not run. A
// cancellation that comes after all tasks are final changes nothing.
func (r *dagRun) result() error {
	if r.interrupted && !r.timedOut {
		return temporal.NewCanceledError("cancelled")
	}
	leaves := r.dag.Leaves()
	fails := slices.ContainsFunc(r.tasks, func(s *run.Task) bool {
		return slices.Contains(leaves, s.ID) && s.State.Bad()
	})
	if !fails && !r.interrupted {
		return nil
	}
	var failed, cancelled, upstream []string
	for _, s := range r.tasks {
		switch s.State {
		case run.Failed:
			failed = append(failed, fmt.Sprintf("task %s failed after %s: %s", s.ID, triesOf(s.Tries), s.Error))
		case run.Cancelled:
			cancelled = append(cancelled, s.ID)
		case run.UpstreamFailed:
			upstream = append(upstream, fmt.Sprintf("task %s is upstream_failed", s.ID))
		}
	}
	if len(cancelled) > 0 {
		failed = append(failed, "cancelled tasks: "+strings.Join(cancelled, ", "))
	}
	what := "failed"
	if r.interrupted {
		what = fmt.Sprintf("timed out after %s", r.in.RunTimeout)
	}
	message := fmt.Sprintf("%s of %s %s: %s", r.in.DAG, r.in.Date, what, strings.Join(append(failed, upstream...), "; "))
	return temporal.NewNonRetryableApplicationError(message, failure.RunFailed, nil)
}

// triesOf returns a number of tries in words.
func triesOf(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}
