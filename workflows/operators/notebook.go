package operators

import (
	"maps"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

// Notebook runs a Databricks notebook. Starting it and waiting for it are two activities, so that
// the id of the Databricks run is in the history before the wait begins.
type Notebook struct {
	// Name is the name of the notebook, without folder and extension.
	Name string `json:"name"`
	// Params override the worker's settings; the parameters of the run override them.
	Params map[string]string `json:"params,omitempty"`
	// Together reports whether the notebook takes several dates at once, in logical_dates.
	Together bool `json:"together,omitempty"`
	// AllowFailures counts SUCCESS_WITH_FAILURES as success.
	AllowFailures bool `json:"allowFailures,omitempty"`
	// Cleans is the kind of record that the notebook cleans: the date's records in <kind>_by_date and
	// <kind>_quarantine are counted afterwards.
	Cleans string `json:"cleans,omitempty"`
	// Rebuilds holds the tables that the notebook replaces: their rows are counted afterwards.
	Rebuilds []string `json:"rebuilds,omitempty"`
}

// Effects returns the kind of record that the notebook cleans and the tables that it rebuilds.
func (n Notebook) Effects() dag.Effects {
	return dag.Effects{Cleans: n.Cleans, Rebuilds: n.Rebuilds, Together: n.Together}
}

// GoesTogether reports true: there is always a notebook to run.
func (n Notebook) GoesTogether(TaskInstance) bool { return true }

// Run starts the notebook and waits until it has ended. If the context is cancelled, it cancels the
// Databricks run.
func (n Notebook) Run(ctx workflow.Context, try TaskInstance) (run.Outcome, error) {
	return runAlone(ctx, n, try)
}

// RunTogether runs the notebook once for the dates of all tries.
func (n Notebook) RunTogether(ctx workflow.Context, tries []TaskInstance) ([]run.Outcome, error) {
	out, err := n.run(ctx, tries[0], tries[1:])
	outs := make([]run.Outcome, len(tries))
	for i := range tries {
		outs[i] = out
	}
	return outs, err
}

// run runs the notebook for a try and those that go together with it.
func (n Notebook) run(ctx workflow.Context, try TaskInstance, others []TaskInstance) (run.Outcome, error) {
	in := activities.StartNotebookInput{
		Notebook: n.Name, DAG: try.DAG, Date: try.Date, Task: try.Task, Try: try.Number, WorkflowID: try.WorkflowID, RunID: try.RunID,
		Params: n.params(try), Alone: try.Alone, Beside: try.Beside,
	}
	for _, other := range others {
		identity := activities.TryIdentity{Date: other.Date, WorkflowID: other.WorkflowID, RunID: other.RunID, Try: other.Number}
		in.Others = append(in.Others, identity)
	}
	try.Others = len(others)
	var job activities.NotebookRun
	err := workflow.ExecuteActivity(steps.WithPolicy(ctx, steps.StartPolicy, try.Summary("start notebook %s", n.Name)), steps.StartNotebook, in).Get(ctx, &job)
	out := run.Outcome{Link: job.Link, JobRunID: job.RunID, Notebook: job.Notebook, NotebookHash: job.Hash}
	if len(others) > 0 {
		out.Together = in.Dates()
	}
	if err == nil {
		err = ctx.Err() // cancelled while StartNotebook was running
	}
	if err == nil {
		try.Report(out)
		for _, other := range others {
			other.Report(out)
		}
		waiting := activities.WaitNotebookInput{Run: job, AllowFailures: n.AllowFailures}
		err = workflow.ExecuteActivity(steps.WithPolicy(ctx, steps.WaitPolicy, try.Summary("wait for Databricks run")), steps.WaitNotebook, waiting).Get(ctx, nil)
	}
	if ctx.Err() != nil {
		n.cancel(ctx, try, activities.CancelNotebookInput{Run: job, Start: in})
	}
	return out, err
}

// cancel cancels the Databricks run of a cancelled try and waits until it has ended. WaitNotebook
// would cancel it, too, but it learns of the cancellation with its next heartbeat, up to a minute
// later, and never if no worker is running.
func (n Notebook) cancel(ctx workflow.Context, try TaskInstance, in activities.CancelNotebookInput) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	if err := workflow.ExecuteActivity(steps.WithPolicy(ctx, steps.CancelPolicy, try.Summary("cancel Databricks run")), steps.CancelNotebook, in).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("The Databricks run was not cancelled: cancel it on its page", "link", in.Run.Link, "task", try.Task, "error", err)
	}
}

// ReportsStart marks an operator whose Run reports the Databricks run.
func (n Notebook) ReportsStart() {}

func (n Notebook) describe() string { return "notebook " + n.Name }

// params returns the parameters of the notebook that are not the worker's settings.
func (n Notebook) params(try TaskInstance) map[string]string {
	params := map[string]string{}
	maps.Copy(params, n.Params)   //workflowcheck:ignore // the order of copying does not matter
	maps.Copy(params, try.Params) //workflowcheck:ignore
	return params
}

// errNoWarehouse is the error of a count that is required and that the workers cannot make.
var errNoWarehouse = temporal.NewNonRetryableApplicationError("no SQL warehouse to count rows on: set PINFLOW_WAREHOUSE_ID for the workers", failure.Settings, nil)

// Count counts what the notebook left in its tables.
func (n Notebook) Count(ctx workflow.Context, tries []TaskInstance, outs []run.Outcome, required bool) ([]run.Outcome, error) {
	if n.Cleans == "" && len(n.Rebuilds) == 0 {
		return outs, nil
	}
	try := tries[0]
	try.Others = len(tries) - 1
	policy := steps.InformPolicy
	if required {
		policy = steps.CountPolicy
	}
	var counts activities.RowCounts
	in := activities.CountRowsInput{Cleans: n.Cleans, Rebuilds: n.Rebuilds}
	for _, try := range tries {
		in.Dates = append(in.Dates, try.Date)
	}
	if err := workflow.ExecuteActivity(steps.WithPolicy(ctx, policy, try.Summary("count rows")), steps.CountRows, in).Get(ctx, &counts); err != nil {
		return outs, err
	}
	if !counts.Counted {
		return outs, errNoWarehouse
	}
	counted := slices.Clone(outs)
	for i := range counted {
		of := counts.Dates[i]
		counted[i].Counted, counted[i].Tables = true, counts.Tables
		counted[i].Rows, counted[i].Records, counted[i].Quarantined = of.Rows, of.Records, of.Quarantined
	}
	return counted, nil
}
