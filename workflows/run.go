package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
)

// RunInput asks for one logical date of a DAG.
type RunInput struct {
	DAG     string     `json:"dag"`
	Date    dates.Date `json:"date"`
	Trigger Trigger    `json:"trigger"`
	// Params go to all notebooks and stand above all other settings.
	Params map[string]string `json:"params,omitempty"`
	// Hold parks a task that has used up its tries until an operator decides, instead of failing it.
	Hold bool `json:"hold,omitempty"`
	// Again makes the run a rerun: these tasks run again, and the others keep the results that the ledger has of the date. Without it
	// all tasks run.
	Again []string `json:"rerunTasks,omitempty"`
	// IgnorePast lets tasks that depend on the past start without it.
	IgnorePast bool `json:"ignorePast,omitempty"`
	// Since is the first date of the backfill that the run is part of.
	Since dates.Date `json:"backfillStart,omitempty"`
	// Deadline is the longest that the run may take; the DAG's by default.
	Deadline time.Duration `json:"runTimeout,omitempty"`
	// By is who asks for the run; Tags are labels by which it can be found.
	By   string   `json:"triggeredBy,omitempty"`
	Tags []string `json:"tags,omitempty"`
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
	paused  string    // who paused the run, and why
	late    bool      // the run's deadline came
	err     error     // why the run failed

	tasks   []*TaskStatus // in the order of the DAG
	atWork  int           // tasks that have been started and are not final
	changed bool          // a task became final since the DAG was last looked at
	cut     bool          // cancelling ended a task, or kept one from starting

	slots     []*slotWanted
	announced []activities.SlotMessage // that have not been wanted yet
	listening bool                     // to grants of slots
	decisions map[string]Decision      // of operators about held tasks, not yet taken
}

// Run runs one logical date of a DAG: each task when its parents allow it, with its tries, its deadline and its pool. A failed task never
// stops its siblings. The run fails, at the end, if one of its leaves failed or could not run. However it ends, the ledger is told.
func (w Workflows) Run(ctx workflow.Context, in RunInput) (RunResult, error) {
	r, err := newRun(ctx, w.Catalog, in)
	if err != nil {
		return RunResult{}, wrongInput(err)
	}
	if err := r.listen(ctx); err != nil {
		return RunResult{}, err
	}
	if err := r.carry(ctx); err != nil {
		return RunResult{}, err
	}
	limited, done := r.limit(ctx)
	r.announce(limited)
	r.interpret(limited)
	done()
	r.withdraw(ctx)
	return r.end(ctx)
}

// limit cancels what is done under the context it returns when the run's deadline comes.
func (r *run) limit(ctx workflow.Context) (workflow.Context, workflow.CancelFunc) {
	ctx, cancel := workflow.WithCancel(ctx)
	if r.in.Deadline > 0 {
		workflow.Go(ctx, func(ctx workflow.Context) {
			if pause(ctx, r.in.Deadline, fmt.Sprintf("the run's deadline of %s", r.in.Deadline)) == nil {
				r.late = true
				cancel()
			}
		})
	}
	return ctx, cancel
}

// newRun checks the input and sets the tasks up. The error is the user's to mend.
func newRun(ctx workflow.Context, c Catalog, in RunInput) (*run, error) {
	named, err := c.Named(in.DAG)
	if err != nil {
		return nil, err
	}
	dag := named.DAG
	in.Hold = in.Hold || named.Hold
	if in.Deadline == 0 {
		in.Deadline = named.Deadline
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
	return r, nil
}

// listen answers StatusQuery and takes orders. A wrong one is refused with what is possible.
func (r *run) listen(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, StatusQuery, func() (RunStatus, error) { return r.status(), nil }); err != nil {
		return err
	}
	return errors.Join(
		workflow.SetUpdateHandlerWithOptions(ctx, DecideUpdate, r.decide, workflow.UpdateHandlerOptions{Validator: r.checkDecision}),
		workflow.SetUpdateHandlerWithOptions(ctx, PauseUpdate, r.pause, workflow.UpdateHandlerOptions{Validator: r.checkPause}),
		workflow.SetUpdateHandlerWithOptions(ctx, ResumeUpdate, r.resume, workflow.UpdateHandlerOptions{Validator: r.checkResume}),
	)
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
			r.final(ctx, s, Skipped, r.cutBy()+" before its turn")
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
	s.State, s.Error, s.Waiting = state, cut(why, maxError), ""
	r.show(ctx)
}

// wait shows what a task waits for before it works.
func (r *run) wait(ctx workflow.Context, s *TaskStatus, what string) {
	s.State, s.Waiting = Queued, what
	r.show(ctx)
}
