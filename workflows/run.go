package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
)

// ErrorRunFailed is the type of the error of a run that failed. Its message names the tasks and their errors.
const ErrorRunFailed = "RunFailed"

// RunInput asks for one logical date of a DAG.
type RunInput struct {
	DAG     string     `json:"dag"`
	Date    dates.Date `json:"date"`
	Trigger Trigger    `json:"trigger"`
	// Params go to all notebooks and stand above all other settings.
	Params map[string]string `json:"params,omitempty"`
	// Hold parks a task that has used up its tries until an operator decides, instead of failing it.
	Hold bool `json:"hold,omitempty"`
	// Prior is an earlier run of the date whose results are kept, but for the tasks of Again, which run again. Without Prior all tasks run.
	Prior *activities.LedgerEntry `json:"prior,omitempty"`
	Again Tasks                   `json:"again,omitempty"`
}

// RunResult is what a successful run leaves. States and outcomes of its tasks are in its status and in the ledger.
type RunResult struct {
	Date dates.Date `json:"date"`
	// Partial says that the run saw the date before it was over; Until is up to when.
	Partial bool      `json:"partial"`
	Until   time.Time `json:"until"`
}

// run is one interpretation of a DAG. Its coroutines share it without locks: the workflow runs them one at a time.
type run struct {
	catalog Catalog
	dag     DAG
	in      RunInput
	info    *workflow.Info
	started time.Time
	ended   time.Time // set when the outcome is certain
	err     error     // why the run failed

	tasks   []*TaskStatus // in the order of the DAG
	atWork  int           // tasks that have been started and are not final
	changed bool          // a task became final since the DAG was last looked at
	cut     bool          // cancelling ended a task, or kept one from starting

	slots     []*slotWanted
	listening bool                // to grants of slots
	decisions map[string]Decision // of operators about held tasks, not yet taken
}

// Run runs one logical date of a DAG: each task when its parents allow it, with its tries, its deadline and its pool. A failed task never
// stops its siblings. The run fails, at the end, if one of its leaves failed or could not run. However it ends, the ledger is told.
func (c Catalog) Run(ctx workflow.Context, in RunInput) (RunResult, error) {
	r, err := newRun(ctx, c, in)
	if err != nil {
		return RunResult{}, wrongInput(err)
	}
	if err := r.listen(ctx); err != nil {
		return RunResult{}, err
	}
	r.interpret(ctx)
	return r.end(ctx)
}

// newRun checks the input and sets the tasks up. The error is the user's to mend.
func newRun(ctx workflow.Context, c Catalog, in RunInput) (*run, error) {
	dag, err := c.Lookup(in.DAG)
	if err != nil {
		return nil, err
	}
	if in.Trigger == "" {
		in.Trigger = Manual
	}
	r := &run{catalog: c, dag: dag, in: in, info: workflow.GetInfo(ctx), started: workflow.Now(ctx), decisions: map[string]Decision{}}
	_, unknown := dag.From(in.Again...)
	if err := errors.Join(checkDate("date", in.Date, r.started), unknown); err != nil {
		return nil, err
	}
	for _, t := range dag {
		status := newTaskStatus(t)
		r.tasks = append(r.tasks, &status)
	}
	if in.Prior != nil {
		r.carry()
	}
	return r, nil
}

// carry takes the results of the earlier run for the tasks that are not to run again. One that had no result there runs, too.
func (r *run) carry() {
	for _, record := range r.in.Prior.Tasks {
		s := r.task(record.ID)
		if s == nil || slices.Contains(r.in.Again, record.ID) || !State(record.State).Final() {
			continue
		}
		s.take(record)
		s.Carried = true
	}
}

// listen answers StatusQuery and takes decisions.
func (r *run) listen(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, StatusQuery, func() (RunStatus, error) { return r.status(), nil }); err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, DecideUpdate, r.decide, workflow.UpdateHandlerOptions{Validator: r.checkDecision})
}

// interpret starts tasks as their parents allow, until all are final. The DAG is looked at once for each change of a state.
func (r *run) interpret(ctx workflow.Context) {
	patient, _ := workflow.NewDisconnectedContext(ctx) // a cancelled run waits for its tasks to end, too
	for {
		r.schedule(ctx)
		r.show(ctx)
		if r.atWork == 0 {
			return
		}
		r.changed = false
		// Only a panic of the condition or a cancelled context make an error here, and this context is never cancelled.
		_ = workflow.Await(patient, func() bool { return r.changed })
	}
}

// schedule decides about each task that its parents decide about. Parents stand above their children, so one pass is enough.
func (r *run) schedule(ctx workflow.Context) {
	for i, t := range r.dag {
		s := r.tasks[i]
		if s.State != None {
			continue
		}
		if ctx.Err() != nil {
			r.cut = true
			r.final(ctx, s, Skipped, "the run was cancelled before its turn")
			continue
		}
		switch decided := t.When.Decide(r.states(t.After)); decided {
		case None:
		case Running:
			s.State = Queued
			r.atWork++
			workflow.Go(ctx, func(ctx workflow.Context) {
				r.work(ctx, t, s)
				r.atWork--
				r.changed = true
			})
		default:
			r.final(ctx, s, decided, "")
		}
	}
}

func (r *run) states(ids Tasks) []State {
	states := make([]State, len(ids))
	for i, id := range ids {
		states[i] = r.task(id).State
	}
	return states
}

// task is the status of the task of that id, or nil.
func (r *run) task(id string) *TaskStatus {
	for _, s := range r.tasks {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// final gives a task its final state.
func (r *run) final(ctx workflow.Context, s *TaskStatus, state State, why string) {
	s.Ended = workflow.Now(ctx)
	r.set(ctx, s, state, why)
}

func (r *run) set(ctx workflow.Context, s *TaskStatus, state State, why string) {
	s.State, s.Error = state, cut(why, maxError)
	r.show(ctx)
}

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
	if r.cut {
		return temporal.NewCanceledError("cancelled")
	}
	leaves := r.dag.Leaves()
	fails := slices.ContainsFunc(r.tasks, func(s *TaskStatus) bool {
		return slices.Contains(leaves, s.ID) && (s.State == Failed || s.State == UpstreamFailed)
	})
	if !fails {
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
	return temporal.NewNonRetryableApplicationError(message, ErrorRunFailed, nil)
}

// entry is the run for the ledger, which itself counts the attempts.
func (r *run) entry() activities.LedgerEntry {
	status := r.status()
	entry := activities.LedgerEntry{
		DAG: status.DAG, Date: status.Date, State: string(status.State), Trigger: string(status.Trigger), Partial: status.Partial, Until: &status.Until,
		WorkflowID: status.WorkflowID, RunID: status.RunID, Started: status.Started, Ended: status.Ended, Params: status.Params, Error: status.Error,
	}
	for _, s := range r.tasks {
		entry.Tasks = append(entry.Tasks, s.record())
	}
	return entry
}
