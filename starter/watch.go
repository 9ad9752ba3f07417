package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/workflows"
)

// watchInterval is how often a run is asked for its state. A question costs a workflow task of the worker, no event.
const watchInterval = 300 * time.Millisecond

// watchRun follows a run until it has ended, tells each change of a task on standard error, and returns how it ended. A run that failed is
// no error here. If the context ends, the run goes on.
func (a *app) watchRun(ctx context.Context, conn *temporal.Connection, run client.WorkflowRun, date dates.Date) (workflows.RunStatus, error) {
	seen := a.newTeller()
	defer seen.end()
	ended := make(chan error, 1)
	go func() { ended <- run.Get(ctx, nil) }()
	for {
		status, err := a.queryRun(ctx, conn, run.GetID(), run.GetRunID())
		switch {
		case err == nil:
			seen.tell(status)
			if seen.landing(status) {
				a.showLanding(ctx, conn, run, seen)
			}
		case errors.As(err, new(*noWorkerError)):
			seen.noWorker(err)
		}
		select {
		case failure := <-ended:
			if ctx.Err() != nil {
				return workflows.RunStatus{}, fmt.Errorf("stopped watching (%w): the run goes on; follow it with `starter status %s --watch`", context.Cause(ctx), date)
			}
			return a.endOf(ctx, conn, run, date, seen, failure)
		case <-a.after(watchInterval):
		}
	}
}

// endOf is the state of a run that has ended, with or without a failure.
func (a *app) endOf(ctx context.Context, conn *temporal.Connection, run client.WorkflowRun, date dates.Date, seen *teller, failure error) (workflows.RunStatus, error) {
	status, err := a.queryRun(ctx, conn, run.GetID(), run.GetRunID())
	if err != nil {
		status, err = a.ledgerStatus(ctx, date, run.GetRunID())
	}
	if err != nil {
		return workflows.RunStatus{}, errors.Join(failure, err)
	}
	seen.tell(status)
	if failure != nil && status.State != workflows.Failed { // ended from outside, or the ledger could not be written
		status.State, status.Error = workflows.Failed, activities.Reason(failure)
	}
	return status, nil
}

// teller tells the changes of a run's tasks, a line each.
type teller struct {
	app     *app
	states  map[string]workflows.State
	tries   map[string]int
	bar     *progress
	waiting bool // the absence of a worker has been told
}

func (a *app) newTeller() *teller {
	return &teller{app: a, states: map[string]workflows.State{}, tries: map[string]int{}}
}

// tell writes a line for each task whose state is another than before.
func (t *teller) tell(status workflows.RunStatus) {
	t.waiting = false
	for _, task := range status.Tasks {
		if task.State == t.states[task.ID] && task.Tries == t.tries[task.ID] || task.State == workflows.None {
			continue
		}
		t.states[task.ID], t.tries[task.ID] = task.State, task.Tries
		t.end()
		t.app.note("%s", t.app.taskLine(task))
	}
}

// noWorker tells once that nobody works.
func (t *teller) noWorker(err error) {
	if !t.waiting {
		t.waiting = true
		t.app.note("%v; waiting", err)
	}
}

// landing says whether the run lands records now: its first task runs, and has no link to a notebook's run yet.
func (t *teller) landing(status workflows.RunStatus) bool {
	for _, task := range status.Tasks {
		if task.State == workflows.Running && task.Link == "" {
			return t.app.live
		}
	}
	t.end()
	return false
}

// end takes the bar away.
func (t *teller) end() {
	if t.bar != nil {
		t.bar.end()
		t.bar = nil
	}
}

// taskLine is one change of a task.
func (a *app) taskLine(task workflows.TaskStatus) string {
	line := fmt.Sprintf("%-12s %s", task.ID, a.paintState(task.State, string(task.State)))
	if task.Tries > 1 {
		line += fmt.Sprintf(", try %d", task.Tries)
	}
	if task.State.Final() && !task.Started.IsZero() {
		line += ", " + duration(task.Ended.Sub(task.Started))
	}
	if task.Rows > 0 && task.State.Final() {
		line += fmt.Sprintf(", %d records", task.Rows)
	}
	if task.Error != "" {
		line += ": " + firstLine(task.Error, 200)
	}
	return line
}
