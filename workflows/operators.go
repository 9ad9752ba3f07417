package workflows

import (
	"errors"
	"fmt"
	"maps"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// Operator is what a task does: workflow code that runs an activity or a few, each under a policy. It is a struct value, so that a row
// of a DAG is data. Run returns when the work has ended, also after the context is cancelled. ErrSkip as the error skips the task.
type Operator interface {
	dag.Operator
	Run(ctx workflow.Context, try TaskInstance) (run.Outcome, error)
}

// Preparer is an operator with work that needs no slot of the task's pool: Prepare comes before the slot, Run after it with what
// Prepare left in Try.Prepared.
type Preparer interface {
	Prepare(ctx workflow.Context, try TaskInstance) (run.Outcome, error)
}

// Try is one start of a task. Its number goes into the identity of an external job: a new try is a new job, while a retry of an
// activity inside a try rejoins the old one.
type TaskInstance struct {
	DAG    string
	Date   dates.Date
	Task   string
	Number int
	// Params are those of the run; they stand above the operator's own.
	Params map[string]string
	// Prepared is what a Preparer left.
	Prepared run.Outcome
	// Report shows what is known so far in the run's status, as the link to a job that runs.
	Report func(run.Outcome)
}

// summary says in the Web UI what an activity is for.
func (t TaskInstance) summary(format string, args ...any) string {
	return fmt.Sprintf("%s try %d: ", t.Task, t.Number) + fmt.Sprintf(format, args...)
}

// Load brings a date's records from Kafka to the lake: it lands each topic in S3, all partitions in parallel, and then runs a notebook
// that loads the landed objects. Landing needs no slot of the pool: objects of different dates never meet.
type Load struct {
	// Topics are the kinds of record: pin, geo, user. Activities know the prefix of the topics' names.
	Topics []string
	// Then is the notebook.
	Then string
	// SkipEmpty ends the rest of the run if the date has no records: a short circuit, which saves the cost of cleaning nothing.
	SkipEmpty bool
}

// Prepare lands all topics. A topic that fails does not stop the others: what they land is there for the next try.
func (l Load) Prepare(ctx workflow.Context, try TaskInstance) (run.Outcome, error) {
	outcomes := make([]run.Outcome, len(l.Topics))
	errs := make([]error, len(l.Topics))
	topics := workflow.NewWaitGroup(ctx)
	for i, topic := range l.Topics {
		topics.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer topics.Done()
			outcomes[i], errs[i] = land(ctx, try, topic)
		})
	}
	topics.Wait(ctx)
	if err := errors.Join(errs...); err != nil {
		return run.Outcome{}, err
	}
	return sum(outcomes), nil
}

// Effects are the kinds of record that the task lands.
func (l Load) Effects() dag.Effects { return dag.Effects{Lands: l.Topics} }

// Run loads what has landed.
func (l Load) Run(ctx workflow.Context, try TaskInstance) (run.Outcome, error) {
	out := try.Prepared
	if l.SkipEmpty && out.Rows == 0 {
		out.SkipRest = true
		return out, nil
	}
	loaded, err := Notebook{Name: l.Then}.Run(ctx, try)
	out.Link, out.JobRunID, out.Notebook, out.NotebookHash = loaded.Link, loaded.JobRunID, loaded.Notebook, loaded.NotebookHash
	return out, err
}

// land lands one topic: plan, partitions with records side by side, manifest.
func land(ctx workflow.Context, try TaskInstance, topic string) (run.Outcome, error) {
	var planned landing.Plan
	in := landing.PlanInput{Topic: topic, Date: try.Date}
	if err := workflow.ExecuteActivity(withPolicy(ctx, planPolicy, try.summary("plan landing of %s", topic)), planLanding, in).Get(ctx, &planned); err != nil {
		return run.Outcome{}, err
	}
	var landings []workflow.Future
	for _, r := range planned.Ranges {
		if r.Empty() {
			continue
		}
		in := landing.PartitionInput{Topic: planned.Topic, Date: try.Date, Range: r}
		summary := try.summary("land %s partition %d, offsets %d to %d", topic, r.Partition, r.Start, r.End)
		landings = append(landings, workflow.ExecuteActivity(withPolicy(ctx, landPolicy, summary), landPartition, in))
	}
	var errs []error
	for _, l := range landings {
		errs = append(errs, l.Get(ctx, nil))
	}
	if err := errors.Join(errs...); err != nil {
		return run.Outcome{}, err
	}
	var manifest landing.ManifestSummary
	written := landing.ManifestInput{Plan: planned}
	if err := workflow.ExecuteActivity(withPolicy(ctx, planPolicy, try.summary("write manifest of %s", topic)), writeManifest, written).Get(ctx, &manifest); err != nil {
		return run.Outcome{}, err
	}
	until := planned.Until
	if !planned.Partial || until.IsZero() {
		until = try.Date.End()
	}
	return run.Outcome{URI: manifest.URI, Rows: manifest.Records, Until: until, Partial: planned.Partial}, nil
}

// sum joins what the topics left. The whole is as partial, and as old, as the worst of its parts.
func sum(parts []run.Outcome) run.Outcome {
	var all run.Outcome
	for i, part := range parts {
		if i == 0 {
			all.URI = part.URI
		}
		all.Rows += part.Rows
		all.Partial = all.Partial || part.Partial
		if all.Until.IsZero() || part.Until.Before(all.Until) {
			all.Until = part.Until
		}
	}
	return all
}

// Notebook runs a Databricks notebook: start it, so that its run is in the history before anybody waits, then wait.
type Notebook struct {
	// Name is the notebook's, without folder and ending.
	Name string
	// Params stand above the worker's settings and below the run's parameters.
	Params map[string]string
	// AllowFailures takes SUCCESS_WITH_FAILURES for success.
	AllowFailures bool
	// Cleans is the kind of record that the notebook cleans, if it does: its table, and <kind>_quarantine, are counted afterwards.
	Cleans string
	// Makes are the tables that the notebook makes anew; their rows are counted afterwards.
	Makes []string
}

// Run starts the notebook and waits for its end. Cancelling cancels the run on Databricks.
func (n Notebook) Run(ctx workflow.Context, try TaskInstance) (run.Outcome, error) {
	in := activities.StartNotebookInput{
		Notebook:      n.Name,
		DAG:           try.DAG,
		Date:          try.Date,
		Task:          try.Task,
		Try:           try.Number,
		OriginalRunID: workflow.GetInfo(ctx).OriginalRunID,
		Params:        n.params(try),
	}
	var job activities.NotebookRun
	if err := workflow.ExecuteActivity(withPolicy(ctx, startPolicy, try.summary("start notebook %s", n.Name)), startNotebook, in).Get(ctx, &job); err != nil {
		return run.Outcome{}, err
	}
	out := run.Outcome{Link: job.Link, JobRunID: job.RunID, Notebook: job.Notebook, NotebookHash: job.Hash}
	try.Report(out)
	err := ctx.Err() // the order to cancel may have come while the run was being made
	if err == nil {
		waiting := activities.WaitNotebookInput{Run: job, AllowFailures: n.AllowFailures}
		err = workflow.ExecuteActivity(withPolicy(ctx, waitPolicy, try.summary("wait for Databricks run")), waitNotebook, waiting).Get(ctx, nil)
	}
	if ctx.Err() != nil {
		n.cancel(ctx, try, job)
	}
	return out, err
}

// cancel cancels the Databricks run of a cancelled try, and waits until it has ended. The activity that waits for the run would do so
// itself, but it hears of the order with a heartbeat, up to a minute later, or never if no worker was up when it came.
func (n Notebook) cancel(ctx workflow.Context, try TaskInstance, job activities.NotebookRun) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	if err := workflow.ExecuteActivity(withPolicy(ctx, cancelPolicy, try.summary("cancel Databricks run")), cancelNotebook, job).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("The Databricks run could not be cancelled: cancel it on its page", "link", job.Link, "task", try.Task, "error", err)
	}
}

// params are the notebook's parameters that the worker's settings do not give.
func (n Notebook) params(try TaskInstance) map[string]string {
	params := map[string]string{}
	maps.Copy(params, n.Params)   //workflowcheck:ignore // the order of copying does not matter
	maps.Copy(params, try.Params) //workflowcheck:ignore
	return params
}

// Effects are the kind of record that the notebook cleans and the tables that it rebuilds.
func (n Notebook) Effects() dag.Effects { return dag.Effects{Cleans: n.Cleans, Rebuilds: n.Makes} }

// errNoWarehouse says that nothing can be counted.
var errNoWarehouse = temporal.NewNonRetryableApplicationError("no SQL warehouse is named to count rows: set PINFLOW_WAREHOUSE_ID for the workers", failure.Settings, nil)

// Count counts what the notebook has left in its tables.
func (n Notebook) Count(ctx workflow.Context, try TaskInstance, out run.Outcome, must bool) (run.Outcome, error) {
	if n.Cleans == "" && len(n.Makes) == 0 {
		return out, nil
	}
	policy := figuresPolicy
	if must {
		policy = countPolicy
	}
	var counts activities.RowCounts
	in := activities.CountRowsInput{Date: try.Date, Cleans: n.Cleans, Makes: n.Makes}
	if err := workflow.ExecuteActivity(withPolicy(ctx, policy, try.summary("count rows")), countRows, in).Get(ctx, &counts); err != nil {
		return out, err
	}
	if !counts.Counted {
		return out, errNoWarehouse
	}
	out.Rows, out.Records, out.Quarantined, out.Tables = counts.Rows, counts.Records, counts.Quarantined, counts.Tables
	return out, nil
}
