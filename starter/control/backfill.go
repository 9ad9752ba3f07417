package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
)

// StartBackfill starts a backfill. If the same one is running, it joins that one if join is set;
// otherwise that is an error.
func (c *Controller) StartBackfill(ctx context.Context, conn *temporal.Connection, in run.RangeInput, join bool) (client.WorkflowRun, error) {
	started, err := conn.ExecuteWorkflow(ctx, launch.RangeOptions(c.Settings.Deployment, in), run.RangeWorkflow, in)
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	id := c.Settings.Deployment.RangeWorkflowID(in.DAG, in.From, in.To)
	switch {
	case err == nil:
		return started, nil
	case !errors.As(err, &running):
		return nil, conn.Classify(err)
	case !join:
		return nil, fmt.Errorf("a backfill of these dates is already running: follow it with --wait, change it with `%s`, or see\n%s",
			c.Command("backfill pause|resume|parallel|cancel"), c.UILink(conn, id, running.RunId))
	}
	c.Log("A backfill of these dates is already running: waiting for that one.")
	return conn.GetWorkflow(ctx, id, ""), nil
}

// WatchBackfill follows a backfill until it has ended, and returns how it ended. Failed dates are
// not an error. If the context ends, the backfill continues. show is called with each progress,
// noWorker once each time that no worker answers.
func (c *Controller) WatchBackfill(ctx context.Context, conn *temporal.Connection, started client.WorkflowRun, show func(run.RangeProgress), noWorker func(error)) (run.RangeProgress, error) {
	type end struct {
		result run.RangeResult
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		var e end
		e.err = started.Get(ctx, &e.result)
		ended <- e
	}()
	alone := false
	for {
		var progress run.RangeProgress
		err := c.Query(ctx, conn, started.GetID(), "", run.ProgressQuery, &progress) // without a run id: a long one continues as new
		switch {
		case err == nil:
			alone = false
			show(progress)
		case errors.As(err, new(*history.NoWorkerError)) && !alone:
			alone = true
			noWorker(err)
		}
		select {
		case e := <-ended:
			if ctx.Err() != nil {
				return progress, fmt.Errorf("stopped watching (%w): the backfill continues; follow it with the same command", context.Cause(ctx))
			}
			return backfillEnd(conn, e.result, e.err)
		case <-c.After(history.WatchInterval):
		}
	}
}

// backfillEnd returns the result of a backfill from its return value or, if dates failed, from its
// error.
func backfillEnd(conn *temporal.Connection, result run.RangeResult, err error) (run.RangeProgress, error) {
	var failed *sdktemporal.ApplicationError
	if errors.As(err, &failed) && failed.Type() == failure.RangeFailed {
		err = failed.Details(&result)
	}
	return run.RangeProgress{RangeResult: result}, conn.Classify(err)
}

// DateDecision is what a backfill would decide about a date, and for reruns of tasks what the rerun
// of the date would do.
type DateDecision struct {
	ledger.Decision
	Rerun *RerunPlan `json:"rerun,omitempty"`
}

// Decisions returns what a backfill would decide about each date, in its order. It uses the
// function and the ledger that the backfill uses.
func (c *Controller) Decisions(ctx context.Context, conn *temporal.Connection, in run.RangeInput) ([]DateDecision, error) {
	if _, err := c.Catalog.CompleteRange(in, c.Now()); err != nil {
		return nil, &exit.UsageError{Err: err}
	}
	entries, err := c.Entries(ctx, in.From, in.To)
	if err != nil {
		return nil, err
	}
	running, err := c.RunningDates(ctx, conn)
	if err != nil {
		return nil, err
	}
	decisions := make([]DateDecision, in.From.Days(in.To))
	for i := range decisions {
		date := in.From.Add(i)
		if in.Backwards {
			date = in.To.Add(-i)
		}
		entry := ledger.Find(entries, date)
		decisions[i].Decision = ledger.Decide(date, entry, in.Reprocess)
		if state, ok := running[date]; ok && decisions[i].Run {
			decisions[i].State, decisions[i].Why = state, fmt.Sprintf("is %s; the backfill waits for that run", state)
			continue
		}
		if decisions[i].Run && len(in.RerunTasks) > 0 && entry != nil {
			plan, _ := c.PlanRerun(in.RunInput(date, in.Parallel), entry.Status) // the plan has the error
			decisions[i].Rerun = &plan
		}
	}
	return decisions, nil
}

// OnlyBackfill returns the id of the running backfill if there is exactly one.
func (c *Controller) OnlyBackfill(ctx context.Context, conn *temporal.Connection) (string, error) {
	ids, err := c.OpenBackfillIDs(ctx, conn)
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "", errors.New("no backfill is running")
	case len(ids) > 1:
		return "", exit.Usagef("several backfills are running: name one of %s", strings.Join(ids, ", "))
	}
	return ids[0], nil
}
