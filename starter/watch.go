package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// watchInterval is how often a run is asked for its state. A question costs a workflow task of the worker, no event.
const watchInterval = 300 * time.Millisecond

// runView shows a run that is followed, on standard error.
type runView interface {
	// show shows how the run stands; far is how far it has landed its records, zero if it does not land now.
	show(status run.Status, far landed)
	// noWorker says that nobody answers for the run.
	noWorker(err error)
	// lands says whether the view shows how far landing is, for which history has to be read.
	lands() bool
	// end takes away what is not to stay; leave lets it stay.
	end()
	leave()
}

// newRunView is a table that is redrawn on a terminal, and lines elsewhere.
func (a *app) newRunView() runView {
	if a.live && os.Getenv("TERM") != "dumb" {
		return &liveRun{app: a, screen: screen{w: a.stderr}}
	}
	return &teller{app: a, told: map[string]string{}}
}

// watchRun follows a run until it has ended, shows it on standard error, and returns how it ended. A run that failed is no error here.
// If the context ends, the run goes on.
func (a *app) watchRun(ctx context.Context, conn *temporal.Connection, r client.WorkflowRun, date dates.Date, view runView) (run.Status, error) {
	defer view.end()
	ended := make(chan error, 1)
	go func() { ended <- r.Get(ctx, nil) }()
	for {
		status, err := a.queryRun(ctx, conn, r.GetID(), r.GetRunID())
		switch {
		case err == nil:
			view.show(status, a.landing(ctx, conn, status, view))
		case errors.As(err, new(*noWorkerError)):
			view.noWorker(err)
		}
		select {
		case failure := <-ended:
			if ctx.Err() != nil {
				view.leave()
				return run.Status{}, fmt.Errorf("stopped watching (%w): the run goes on; follow it with `starter status %s --watch`", context.Cause(ctx), date)
			}
			return a.endOf(ctx, conn, r, date, view, failure)
		case <-a.after(watchInterval):
		}
	}
}

// landing is how far the run's landing is; zero if it does not land now, if the view does not show it, or if history cannot be read: it
// is a help for the eye.
func (a *app) landing(ctx context.Context, conn *temporal.Connection, status run.Status, view runView) landed {
	if !view.lands() || !lands(status) {
		return landed{}
	}
	far, err := landingOf(ctx, conn, status.WorkflowID, status.RunID)
	if err != nil {
		return landed{}
	}
	return far
}

// lands says whether the run lands records now: a task runs that has no link to a notebook's run yet.
func lands(status run.Status) bool {
	for _, task := range status.Tasks {
		if task.State == run.Running && task.Link == "" {
			return true
		}
	}
	return false
}

// endOf is the state of a run that has ended, with or without a failure.
func (a *app) endOf(ctx context.Context, conn *temporal.Connection, r client.WorkflowRun, date dates.Date, view runView, failure1 error) (run.Status, error) {
	status, err := a.queryRun(ctx, conn, r.GetID(), r.GetRunID())
	if err != nil {
		status, err = a.ledgerStatus(ctx, date, r.GetRunID())
	}
	if err != nil {
		return run.Status{}, errors.Join(failure1, err)
	}
	view.show(status, landed{})
	if failure1 != nil && status.State != run.Failed { // ended from outside, or the ledger could not be written
		status.State, status.Error = run.Failed, failure.Reason(failure1)
	}
	return status, nil
}

// teller tells the changes of a run's tasks, a line each: a view for logs and pipes.
type teller struct {
	app     *app
	told    map[string]string // by task: the change that was told last
	paused  string
	waiting bool // the absence of a worker has been told
}

// show writes a line for each task that stands otherwise than before.
func (t *teller) show(status run.Status, _ landed) {
	t.waiting = false
	if status.Paused != t.paused {
		t.paused = status.Paused
		t.app.note("%s", pausedLine(status))
	}
	for _, task := range status.Tasks {
		change := fmt.Sprint(task.State, task.Tries, task.Waiting)
		if change == t.told[task.ID] || task.State == run.None && task.Waiting == "" {
			continue
		}
		t.told[task.ID] = change
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

func (t *teller) lands() bool { return false }

func (t *teller) end() {}

func (t *teller) leave() {}

// pausedLine says who paused a run and how it goes on, or that it does.
func pausedLine(status run.Status) string {
	if status.Paused == "" {
		return "resumed"
	}
	return fmt.Sprintf("paused by %s: `starter resume %s` lets it go on", status.Paused, status.Date)
}

// taskLine is one change of a task.
func (a *app) taskLine(task run.Task) string {
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
	if task.Waiting != "" {
		line += ", waits for " + task.Waiting
	}
	if task.Error != "" {
		line += ": " + firstLine(task.Error, 200)
	}
	return line
}
