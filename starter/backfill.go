package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
)

// backfillOptions are the command line of `starter backfill`.
type backfillOptions struct {
	runFlags
	from, to  string
	parallel  int
	reprocess string
	onFailure string
	taskFrom  []string
	backwards bool
	dryRun    bool
	wait      bool
}

func (a *app) backfillCommand() *cobra.Command {
	var o backfillOptions
	c := &cobra.Command{
		Use:   "backfill --from date --to date",
		Short: "Run the DAG for many logical dates, some at a time",
		Long: "Backfill runs the logical dates from --from to --to, both included, at most --parallel of them at a time.\n\n" +
			"Dates that have been run are left alone, unless --reprocess says otherwise. The backfill goes on without this command; it gives way to the daily run.\n" +
			"The subcommands show backfills, and pause, resume, widen or cancel them.",
		Example: "  starter backfill --from 2022-10-01 --to 2022-10-18 --parallel 4 --wait\n" +
			"  starter backfill --from 2022-10-01 --to 2022-10-18 --reprocess failed --dry-run\n" +
			"  starter backfill --from 2022-10-01 --to 2022-10-18 --task-from clean_geo --backwards --on-failure max=3\n" +
			"  starter backfill parallel 8",
		GroupID: groupRuns,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(o.taskFrom) > 0 && !c.Flags().Changed("reprocess") {
				o.reprocess = string(run.ReprocessAll)
			}
			return a.backfill(c, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "the first `date`, YYYY-MM-DD")
	f.StringVar(&o.to, "to", "", "the last `date`, YYYY-MM-DD")
	f.IntVar(&o.parallel, "parallel", 1, "how many `dates` run at a time")
	f.BoolVar(&o.wait, "wait", false, "wait until all dates are done; the exit code is 1 if one failed")
	f.BoolVar(&o.backwards, "backwards", false, "run the latest date first")
	f.StringVar(&o.onFailure, "on-failure", string(run.ContinueOnFailure), "`what` to do when dates fail: continue, stop, or max=N to stop after N failures; dates that run finish")
	f.StringArrayVar(&o.taskFrom, "task-from", nil, "run only this `task` and all after it again, and keep the other tasks' results (can be repeated); implies --reprocess all")
	f.BoolVar(&o.dryRun, "dry-run", false, "print what would be decided about each date, and run nothing")
	reprocessFlag(c, &o.reprocess, run.ReprocessNone)
	o.add(c)
	prints(c, formTable, formJSON)
	c.AddCommand(a.backfillOrders()...)
	return c
}

// input checks the command line, and reports all that is wrong with it at once.
func (o backfillOptions) input(a *app) (run.RangeInput, error) {
	in := run.RangeInput{
		DAG: dailyName, Parallel: o.parallel, Trigger: run.Backfill, Backwards: o.backwards, TriggeredBy: a.operator(), Tags: o.tags,
		Hold: o.hold, IgnorePast: o.ignorePast, RunTimeout: o.deadline,
	}
	var errs [8]error
	if o.from == "" || o.to == "" {
		errs[0] = usagef("a backfill needs --from and --to")
	} else {
		in.From, errs[0] = a.parseDate("--from", o.from)
		in.To, errs[1] = a.parseDate("--to", o.to)
		if errs[0] == nil && errs[1] == nil && in.From > in.To {
			errs[2] = usagef("--from %s comes after --to %s: swap them", in.From, in.To)
		}
	}
	if o.parallel < 1 || o.parallel > run.MaxParallel {
		errs[3] = usagef("--parallel %d: it is between 1 and %d", o.parallel, run.MaxParallel)
	}
	if in.Reprocess, errs[4] = run.ParseReprocess(o.reprocess); errs[4] != nil {
		errs[4] = usagef("--%w", errs[4])
	}
	in.Params, errs[5] = o.read()
	if in.OnFailure, errs[6] = run.ParseOnFailure(o.onFailure); errs[6] != nil {
		errs[6] = usagef("--%w", errs[6])
	}
	in.RerunTasks, errs[7] = o.again()
	return in, errors.Join(errs[:]...)
}

// again are the tasks that run again: those named, and all after them.
func (o backfillOptions) again() (dag.Tasks, error) {
	if len(o.taskFrom) == 0 {
		return nil, nil
	}
	table, err := definitionOf(dailyName)
	if err != nil {
		return nil, err
	}
	again, err := table.From(o.taskFrom...)
	if err != nil {
		return nil, usagef("--task-from: %w", err)
	}
	return again, nil
}

func (a *app) backfill(c *cobra.Command, o backfillOptions) error {
	ctx := c.Context()
	in, err := o.input(a)
	if err != nil {
		return err
	}
	conn, err := a.connect.temporal(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if o.dryRun {
		return a.dryRun(c, conn, in)
	}
	run, err := a.startBackfill(ctx, conn, in, o.wait)
	if err != nil {
		return err
	}
	link := a.uiLink(conn, run.GetID(), run.GetRunID())
	if !o.wait {
		return a.sayBackfill(c, in, run, link)
	}
	progress, err := a.watchBackfill(ctx, conn, run, in)
	if err != nil {
		return err
	}
	return a.showBackfill(c, progress, link)
}

// startBackfill starts a backfill. If the same one is going already, it is joined if asked to, else that is an error.
func (a *app) startBackfill(ctx context.Context, conn *temporal.Connection, in run.RangeInput, join bool) (client.WorkflowRun, error) {
	r, err := conn.ExecuteWorkflow(ctx, launch.RangeOptions(in), run.RangeWorkflow, in)
	var going *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case err == nil:
		return r, nil
	case !errors.As(err, &going):
		return nil, conn.Classify(err)
	case !join:
		return nil, fmt.Errorf("a backfill of these dates is going already: follow it with --wait, change it with `starter backfill pause|resume|parallel|cancel`, or look at\n%s", a.uiLink(conn, run.RangeWorkflowID(in.DAG, in.From, in.To), going.RunId))
	}
	a.note("A backfill of these dates is going already: waiting for that one.")
	return conn.GetWorkflow(ctx, run.RangeWorkflowID(in.DAG, in.From, in.To), ""), nil
}

func (a *app) sayBackfill(c *cobra.Command, in run.RangeInput, run client.WorkflowRun, link string) error {
	if a.form(c) == formJSON {
		return a.printJSON(struct {
			WorkflowID string `json:"workflowId"`
			RunID      string `json:"runId"`
			Dates      int    `json:"dates"`
			UI         string `json:"ui"`
		}{run.GetID(), run.GetRunID(), in.From.Days(in.To), link})
	}
	a.say("Started a backfill of %d dates, %s to %s. Follow it with `starter backfill show %s`, or at\n%s", in.From.Days(in.To), in.From, in.To, run.GetID(), link)
	return nil
}

// watchBackfill follows a backfill until it has ended, and returns how. Dates that failed are no error here. If the context ends, the
// backfill goes on.
func (a *app) watchBackfill(ctx context.Context, conn *temporal.Connection, r client.WorkflowRun, in run.RangeInput) (run.RangeProgress, error) {
	bar := a.startProgress("dates", int64(in.From.Days(in.To)))
	defer bar.end()
	type end struct {
		result run.RangeResult
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		var e end
		e.err = r.Get(ctx, &e.result)
		ended <- e
	}()
	alone := false
	for {
		var progress run.RangeProgress
		err := a.query(ctx, conn, r.GetID(), "", run.ProgressQuery, &progress) // without a run id: a long one continues as new
		switch {
		case err == nil:
			alone = false
			note := a.backfillNote(progress)
			if progress.Paused != "" {
				note = "paused by " + progress.Paused
			}
			bar.set(int64(progress.Done()), note)
		case errors.As(err, new(*noWorkerError)) && !alone:
			alone = true
			a.note("%v; waiting", err)
		}
		select {
		case e := <-ended:
			if ctx.Err() != nil {
				return progress, fmt.Errorf("stopped watching (%w): the backfill goes on; follow it with the same command", context.Cause(ctx))
			}
			return backfillEnd(conn, e.result, e.err)
		case <-a.after(watchInterval):
		}
	}
}

// backfillEnd takes a backfill's result from its return or, if dates failed, from its error.
func backfillEnd(conn *temporal.Connection, result run.RangeResult, err error) (run.RangeProgress, error) {
	var failed *sdktemporal.ApplicationError
	if errors.As(err, &failed) && failed.Type() == failure.RangeFailed {
		err = failed.Details(&result)
	}
	return run.RangeProgress{RangeResult: result}, conn.Classify(err)
}

// backfillNote is what stands beside the count of dates.
func (a *app) backfillNote(p run.RangeProgress) string {
	var parts []string
	if p.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", p.Failed))
	}
	if len(p.Running) > 0 {
		dates := make([]string, len(p.Running))
		for i, f := range p.Running {
			dates[i] = string(f.Date)
		}
		slices.Sort(dates)
		running := dates[0]
		if len(dates) > 1 {
			running += fmt.Sprintf(" and %d more", len(dates)-1)
		}
		parts = append(parts, "running "+running)
	}
	if left, ok := p.Left(); ok && p.Done() < p.Total && !a.live { // a bar estimates it itself
		parts = append(parts, "about "+duration(left)+" left")
	}
	return strings.Join(parts, ", ")
}

// pausedBackfill says who paused a backfill, and what lets it go on.
func pausedBackfill(by string) string {
	return fmt.Sprintf("paused by %s: `starter backfill resume` lets it go on", by)
}

// showBackfill prints how a backfill ended; failed dates, or dates not run, are exit code 1.
func (a *app) showBackfill(c *cobra.Command, p run.RangeProgress, link string) error {
	if a.form(c) == formJSON {
		if err := a.printJSON(struct {
			run.RangeResult
			UI string `json:"ui"`
		}{p.RangeResult, link}); err != nil {
			return err
		}
	} else {
		a.say("%d dates from %s to %s: %s, %s, %d skipped (done before)", p.Total, p.From, p.To,
			a.paintState(run.Success, fmt.Sprintf("%d success", p.Success)), a.paintFailed(p.Failed), p.Skipped)
		if p.Failed > 0 {
			a.say("\nFailed: %s\n\nThe first error:\n%s\n\nSee each with `starter status <date>`; run them again with --reprocess failed.", failedDates(p.RangeResult), indent(p.FirstError))
		}
		if p.Stopped != "" {
			a.say("\n%d dates were not run: %s", p.Total-p.Done(), p.Stopped)
		}
		a.say("\nWeb UI: %s", link)
	}
	if p.Failed > 0 || p.Stopped != "" {
		return errShown{exitFailed}
	}
	return nil
}

func (a *app) paintFailed(failed int) string {
	said := fmt.Sprintf("%d failed", failed)
	if failed == 0 {
		return said
	}
	return a.paintState(run.Failed, said)
}

func failedDates(r run.RangeResult) string {
	names := make([]string, len(r.FailedDates))
	for i, date := range r.FailedDates {
		names[i] = string(date)
	}
	if more := r.Failed - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
