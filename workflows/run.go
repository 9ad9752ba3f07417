package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
)

// run is one interpretation of a DAG. Its coroutines share it without locks: the workflow runs them one at a time.
type dagRun struct {
	catalog  dag.Catalog
	dag      dag.DAG
	in       run.Input
	info     *workflow.Info
	started  time.Time
	ended    time.Time // set when the outcome is certain
	paused   string    // who paused the run, and why
	timedOut bool      // the run's deadline came
	err      error     // why the run failed

	tasks       []*run.Task // in the order of the DAG
	atWork      int         // tasks that have been started and are not final
	changed     bool        // a task became final since the DAG was last looked at
	interrupted bool        // cancelling ended a task, or kept one from starting

	slots     []*slotWanted
	reserved  []run.SlotMessage       // that have not been wanted yet
	listening bool                    // to grants of slots
	decisions map[string]run.Decision // of operators about held tasks, not yet taken
}

// Run runs one logical date of a DAG: each task when its parents allow it, with its tries, its deadline and its pool. A failed task never
// stops its siblings. The run fails, at the end, if one of its leaves failed or could not run. However it ends, the ledger is told.
func (w Workflows) Run(ctx workflow.Context, in run.Input) (run.Result, error) {
	r, err := newRun(ctx, w.Catalog, in)
	if err != nil {
		return run.Result{}, invalidInput(err)
	}
	if err := r.listen(ctx); err != nil {
		return run.Result{}, err
	}
	if err := r.carryOver(ctx); err != nil {
		return run.Result{}, err
	}
	limited, done := r.limit(ctx)
	r.reserve(limited)
	r.interpret(limited)
	done()
	r.unreserve(ctx)
	return r.end(ctx)
}

// limit cancels what is done under the context it returns when the run's deadline comes.
func (r *dagRun) limit(ctx workflow.Context) (workflow.Context, workflow.CancelFunc) {
	ctx, cancel := workflow.WithCancel(ctx)
	if r.in.RunTimeout > 0 {
		workflow.Go(ctx, func(ctx workflow.Context) {
			if pause(ctx, r.in.RunTimeout, fmt.Sprintf("the run's deadline of %s", r.in.RunTimeout)) == nil {
				r.timedOut = true
				cancel()
			}
		})
	}
	return ctx, cancel
}

// newRun checks the input and sets the tasks up. The error is the user's to mend.
func newRun(ctx workflow.Context, c dag.Catalog, in run.Input) (*dagRun, error) {
	definition, err := c.Definition(in.DAG)
	if err != nil {
		return nil, err
	}
	in.Hold = in.Hold || definition.Hold
	in.RunTimeout = cmp.Or(in.RunTimeout, definition.RunTimeout)
	in.Trigger = cmp.Or(in.Trigger, run.Manual)
	r := &dagRun{catalog: c, dag: definition.DAG, in: in, info: workflow.GetInfo(ctx), started: workflow.Now(ctx), decisions: map[string]run.Decision{}}
	if err := definition.CheckInput(in, r.started); err != nil {
		return nil, err
	}
	for _, t := range r.dag {
		if _, ok := t.Do.(Operator); !ok {
			return nil, fmt.Errorf("task %s: %T cannot run: its operator needs a method Run", t.ID, t.Do)
		}
		task := newTask(t)
		r.tasks = append(r.tasks, &task)
	}
	return r, nil
}

// listen answers StatusQuery and takes orders. A wrong one is refused with what is possible.
func (r *dagRun) listen(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, run.StatusQuery, func() (run.Status, error) { return r.status(), nil }); err != nil {
		return err
	}
	return errors.Join(
		workflow.SetUpdateHandlerWithOptions(ctx, run.DecideUpdate, r.decide, workflow.UpdateHandlerOptions{Validator: r.checkDecision}),
		workflow.SetUpdateHandlerWithOptions(ctx, run.PauseUpdate, r.pause, workflow.UpdateHandlerOptions{Validator: r.checkPause}),
		workflow.SetUpdateHandlerWithOptions(ctx, run.ResumeUpdate, r.resume, workflow.UpdateHandlerOptions{Validator: r.checkResume}),
	)
}

// interpret starts tasks as their parents allow, until all are final. The DAG is looked at once for each change of a state.
func (r *dagRun) interpret(ctx workflow.Context) {
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
func (r *dagRun) schedule(ctx workflow.Context) {
	for i, t := range r.dag {
		s := r.tasks[i]
		if s.State != run.None {
			continue
		}
		if ctx.Err() != nil {
			r.interrupted = true
			r.final(ctx, s, run.Skipped, r.interruption()+" before its turn")
			continue
		}
		switch decided := t.TriggerRule.Decide(r.states(t.After)); decided {
		case run.None:
		case run.Running:
			s.State = run.Queued
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

func (r *dagRun) states(ids dag.Tasks) []run.State {
	states := make([]run.State, len(ids))
	for i, id := range ids {
		states[i] = r.task(id).State
	}
	return states
}

// task is the status of the task of that id, or nil.
func (r *dagRun) task(id string) *run.Task {
	for _, s := range r.tasks {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// final gives a task its final state.
func (r *dagRun) final(ctx workflow.Context, s *run.Task, state run.State, why string) {
	s.Ended = workflow.Now(ctx)
	r.set(ctx, s, state, why)
}

func (r *dagRun) set(ctx workflow.Context, s *run.Task, state run.State, why string) {
	s.State, s.Error, s.Waiting = state, cut(why, maxError), ""
	r.show(ctx)
}

// wait shows what a task waits for before it works.
func (r *dagRun) wait(ctx workflow.Context, s *run.Task, what string) {
	s.State, s.Waiting = run.Queued, what
	r.show(ctx)
}
