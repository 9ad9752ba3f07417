// Package workflows holds the workflows of dates, and the DAGs themselves: Run interprets a DAG for
// one logical date, Range runs many dates.
package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// dagRun is a running DAG. Its coroutines share it without locks: the workflow runs one at a time.
type dagRun struct {
	operators operators.Codec
	table     *readTable
	dag       dag.DAG
	in        run.Input // with the defaults of the DAG
	asked     run.Input // without them: what the ledger keeps for a rerun
	info      *workflow.Info
	started   time.Time
	ended     time.Time // set as soon as the result is certain
	paused    string    // who paused the run, why and when
	timedOut  bool      // RunTimeout has passed
	err       error     // why the run failed
	warnings  []string  // of the run itself, beside those of its tasks
	reportURI string    // where its report is

	tasks       []*run.Task // in the order of the DAG
	active      int         // tasks that have started and are not final
	changed     bool        // a task became final since the last pass over the DAG
	interrupted bool        // a cancellation or RunTimeout ended a task, or kept one from starting

	requests   []*openRequest
	announcing bool              // the announcement is on its way
	announced  map[string]string // pools of the tasks that are announced and not requested yet; by task

	interpreting bool                           // tasks take decisions
	halves       map[string]int                 // how many dates go together after a group failed; by task
	decisions    map[string]run.Decision        // until they are carried out; by task
	interrupts   map[string]workflow.CancelFunc // of the work in progress that a decision ends; by task
}

// Run runs one logical date of a DAG: each task as soon as its trigger rule holds, with its tries,
// its timeout and its pool. A failed task does not stop its siblings. The run fails if one of its
// leaves failed or could not run. Every run writes a ledger entry, however it ends.
func (w Workflows) Run(ctx workflow.Context, in run.Input) (run.Result, error) {
	r, err := w.newRun(ctx, in)
	if err != nil {
		return run.Result{}, invalidInput(err)
	}
	if err := r.listen(ctx); err != nil {
		return run.Result{}, err
	}
	r.asked = in
	if err := w.carryOver(ctx, r); err != nil {
		return run.Result{}, err
	}
	limited, done := r.withRunTimeout(ctx)
	r.announce(limited)
	r.interpret(limited)
	done()
	r.withdrawAnnounced(ctx)
	return r.end(ctx)
}

// newRun records the table of the run and checks the input. Its errors are for the user to fix.
//
// A table that this build cannot read blocks the run: a panic fails the workflow task, which
// Temporal tries again until a build can read it. An error would end the run.
func (w Workflows) newRun(ctx workflow.Context, in run.Input) (*dagRun, error) {
	in.Trigger = cmp.Or(in.Trigger, run.Manual)
	t, err := w.recordTable(ctx, in)
	if err != nil {
		panic(fmt.Errorf("read the recorded DAG: %w", err))
	}
	if t.Invalid != "" {
		return nil, errors.New(t.Invalid)
	}
	in.Hold = in.Hold || t.Hold
	in.RunTimeout = cmp.Or(in.RunTimeout, t.RunTimeout)
	r := &dagRun{
		operators: w.Operators, table: t, dag: t.dag, in: in, info: workflow.GetInfo(ctx), started: workflow.Now(ctx),
		halves: map[string]int{}, decisions: map[string]run.Decision{}, interrupts: map[string]workflow.CancelFunc{},
	}
	for _, t := range t.dag {
		task := newTask(t)
		r.tasks = append(r.tasks, &task)
	}
	return r, nil
}

// listen sets the handlers of queries and updates. Validators reject an update that is not
// possible; the error names what is.
func (r *dagRun) listen(ctx workflow.Context) error {
	return errors.Join(
		workflow.SetQueryHandler(ctx, run.StatusQuery, func() (run.Status, error) { return r.status(), nil }),
		workflow.SetQueryHandler(ctx, run.RequestsQuery, func() ([]run.OpenRequest, error) { return r.openRequests(), nil }),
		workflow.SetUpdateHandlerWithOptions(ctx, run.DecideUpdate, r.decide, workflow.UpdateHandlerOptions{Validator: r.checkDecision}),
		workflow.SetUpdateHandlerWithOptions(ctx, run.PauseUpdate, r.pause, workflow.UpdateHandlerOptions{Validator: r.checkPause}),
		workflow.SetUpdateHandlerWithOptions(ctx, run.ResumeUpdate, r.resume, workflow.UpdateHandlerOptions{Validator: r.checkResume}),
	)
}

// withRunTimeout returns a context that is cancelled after RunTimeout.
func (r *dagRun) withRunTimeout(ctx workflow.Context) (workflow.Context, workflow.CancelFunc) {
	ctx, cancel := workflow.WithCancel(ctx)
	if r.in.RunTimeout > 0 {
		workflow.Go(ctx, func(ctx workflow.Context) {
			if steps.Sleep(ctx, r.in.RunTimeout, fmt.Sprintf("run timeout of %s", r.in.RunTimeout)) == nil {
				r.timedOut = true
				cancel()
			}
		})
	}
	return ctx, cancel
}

// interpret starts tasks as their trigger rules hold, until all are final. It passes over the DAG
// once for each task that becomes final, and shows meanwhile which work in pools has started.
func (r *dagRun) interpret(ctx workflow.Context) {
	background, _ := workflow.NewDisconnectedContext(ctx) // a cancelled run also waits for its tasks
	reports := workflow.GetSignalChannel(background, run.StartedSignal)
	r.interpreting = true
	defer func() { r.interpreting = false }()
	for {
		r.schedule(ctx)
		r.show(ctx)
		if r.active == 0 {
			return
		}
		r.changed = false
		// Await fails only if the condition panics or the context is cancelled; this context never
		// is.
		_ = workflow.Await(background, func() bool { return r.changed || reports.Len() > 0 })
		r.receiveStarted(ctx, reports)
	}
}

// schedule decides about each task for which its trigger rule decides. Parents are above their
// children in the DAG, so that one pass is enough.
func (r *dagRun) schedule(ctx workflow.Context) {
	for i, t := range r.dag {
		s := r.tasks[i]
		if s.State != run.None {
			continue
		}
		if ctx.Err() != nil {
			r.interrupted = true
			r.finish(ctx, s, run.Cancelled, r.interruption()+" before the task started")
			continue
		}
		switch decided := t.TriggerRule.Decide(r.states(t.After)); decided {
		case run.None:
		case run.Running:
			s.State = run.Queued
			r.active++
			workflow.Go(ctx, func(ctx workflow.Context) {
				r.runTask(ctx, t, s)
				r.active--
				r.changed = true
			})
		default:
			r.finish(ctx, s, decided, "")
		}
	}
}

func (r *dagRun) states(ids dag.Tasks) []run.State {
	states := make([]run.State, len(ids))
	for i, id := range ids {
		states[i] = r.task(id).State
	}
	return states
}

// task returns the task with that id, or nil.
func (r *dagRun) task(id string) *run.Task {
	for _, s := range r.tasks {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// finish gives a task its final state.
func (r *dagRun) finish(ctx workflow.Context, s *run.Task, state run.State, reason string) {
	s.Ended = workflow.Now(ctx)
	r.set(ctx, s, state, reason)
}

func (r *dagRun) set(ctx workflow.Context, s *run.Task, state run.State, reason string) {
	s.State, s.Error, s.Waiting = state, failure.Cut(reason, maxError), ""
	r.show(ctx)
}

// wait shows what a queued task waits for.
func (r *dagRun) wait(ctx workflow.Context, s *run.Task, what string) {
	s.State, s.Waiting = run.Queued, what
	r.show(ctx)
}
