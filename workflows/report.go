package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/report"
	"github.com/pinflow/pinflow/workflows/steps"
)

// report writes the report of a run that succeeded, if the run was started with reports. The answers
// are in their tables all the same: a report that cannot be written is a warning. It comes before the
// end of the run, so that the ledger has the warning.
func (r *dagRun) report(ctx workflow.Context) {
	if !r.table.Reports || r.err != nil {
		return
	}
	in := activities.WriteReportInput{
		Scope: report.ScopeOf(dag.Definition{Name: r.in.DAG, DAG: r.dag}, deployment(ctx)),
		Run:   r.status(),
	}
	var written activities.WrittenReport
	err := workflow.ExecuteActivity(steps.WithPolicy(ctx, steps.ReportPolicy, "write the report"), steps.WriteReport, in).Get(ctx, &written)
	if err != nil {
		r.warnings = append(r.warnings, "the report was not written: "+failure.Cut(failure.Reason(err), maxError))
		return
	}
	r.reportURI = written.URI
}
