package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// runOptions are the command line of `starter run`.
type runOptions struct {
	runFlags
	date      string
	wait      bool
	reprocess string
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run [date]",
		Short: "Run the DAG for one logical date",
		Long: "Run starts the DAG for a logical date, YYYY-MM-DD in UTC; yesterday if none is given.\n\n" +
			"There is one run of a date at a time, whoever asks for it. A run of today is partial: it sees the records up to now, and a later run of the date completes it.",
		Example: "  starter run\n  starter run 2022-10-18 --wait\n  starter run 2022-10-18 --param invalid_followers=null",
		GroupID: groupRuns,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.date = args[0]
			}
			return a.run(c, o)
		},
	}
	c.Flags().BoolVar(&o.wait, "wait", false, "wait until the run has ended; the exit code is 1 if it failed")
	o.add(c)
	reprocessFlag(c, &o.reprocess, run.ReprocessAll)
	return prints(c, formTable, formJSON)
}

// reprocessFlag adds --reprocess to a command.
func reprocessFlag(c *cobra.Command, into *string, byDefault run.Reprocess) {
	c.Flags().StringVar(into, "reprocess", string(byDefault), "`which` dates run again if they have run before: none, failed or all. A date that was seen only in part runs in any case")
	c.RegisterFlagCompletionFunc("reprocess", cobra.FixedCompletions([]string{
		string(run.ReprocessNone), string(run.ReprocessFailed), string(run.ReprocessAll),
	}, cobra.ShellCompDirectiveNoFileComp))
}

// input checks the command line.
func (o runOptions) input(a *app) (run.Input, run.Reprocess, error) {
	in := a.runInput(o.runFlags)
	in.Date = a.yesterday()
	var errs [3]error
	if o.date != "" {
		in.Date, errs[0] = a.parseDate("date", o.date)
	}
	in.Params, errs[1] = o.read()
	reprocess, err := run.ParseReprocess(o.reprocess)
	if err != nil {
		errs[2] = usagef("--%w", err)
	}
	return in, reprocess, errors.Join(errs[:]...)
}

// runInput is a manual run with the flags, without a date.
func (a *app) runInput(f runFlags) run.Input {
	return run.Input{
		DAG: dailyName, Trigger: run.Manual, TriggeredBy: a.operator(), Tags: f.tags, Hold: f.hold, IgnorePast: f.ignorePast, RunTimeout: f.deadline,
	}
}

// run starts a date's run, and waits for it if asked to.
func (a *app) run(c *cobra.Command, o runOptions) error {
	ctx := c.Context()
	in, reprocess, err := o.input(a)
	if err != nil {
		return err
	}
	conn, err := a.connect.temporal(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	decision, err := a.decide(ctx, in.Date, reprocess)
	if err != nil || !decision.Run {
		return errors.Join(err, a.sayNotRun(c, decision))
	}
	return a.runAndShow(c, conn, launch.DecidedRunOptions(in, decision), in, o.wait)
}

// runAndShow starts a date's run, waits for it if asked to, and says what came of it.
func (a *app) runAndShow(c *cobra.Command, conn *temporal.Connection, options client.StartWorkflowOptions, in run.Input, wait bool) error {
	ctx := c.Context()
	run, err := a.startRun(ctx, conn, options, in, wait)
	if err != nil {
		return err
	}
	if !wait {
		return a.sayStarted(c, conn, in.Date, run)
	}
	status, err := a.watchRun(ctx, conn, run, in.Date, a.newRunView())
	if err != nil {
		return err
	}
	return a.showEnd(c, conn, status)
}

// decide says whether a date is to run, as a backfill would decide.
func (a *app) decide(ctx context.Context, date dates.Date, reprocess run.Reprocess) (ledger.Decision, error) {
	if reprocess == run.ReprocessAll { // whatever the ledger says
		return ledger.Decide(date, nil, reprocess), nil
	}
	entry, err := a.ledgerEntry(ctx, date)
	if err != nil {
		return ledger.Decision{}, err
	}
	return ledger.Decide(date, entry, reprocess), nil
}

// startRun starts a date's run. If one is going already, it is joined if asked to, else that is an error.
func (a *app) startRun(ctx context.Context, conn *temporal.Connection, options client.StartWorkflowOptions, in run.Input, join bool) (client.WorkflowRun, error) {
	r, err := conn.ExecuteWorkflow(ctx, options, run.RunWorkflow, in)
	var going *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case err == nil:
		return r, nil
	case !errors.As(err, &going):
		return nil, conn.Classify(err)
	case !join || len(in.Params) > 0 || len(in.RerunTasks) > 0: // the one that is going may have other orders
		return nil, fmt.Errorf("a run of %s is going already, or has just ended, and there is one at a time: follow it with `starter status %s --watch`\n%s",
			in.Date, in.Date, a.uiLink(conn, run.WorkflowID(in.DAG, in.Date), going.RunId))
	}
	a.note("A run of %s is going already: waiting for that one.", in.Date)
	return conn.GetWorkflow(ctx, run.WorkflowID(in.DAG, in.Date), going.RunId), nil
}

// sayNotRun says why a date is not run.
func (a *app) sayNotRun(c *cobra.Command, decision ledger.Decision) error {
	if decision.Date == "" {
		return nil
	}
	if a.form(c) == formJSON {
		return a.printJSON(decision)
	}
	a.say("%s is not run again: it %s. --reprocess all runs it again.", decision.Date, decision.Why)
	return nil
}

// sayStarted says which run has been started, and how to follow it.
func (a *app) sayStarted(c *cobra.Command, conn *temporal.Connection, date dates.Date, run client.WorkflowRun) error {
	link := a.uiLink(conn, run.GetID(), run.GetRunID())
	if a.form(c) == formJSON {
		return a.printJSON(struct {
			Date       dates.Date `json:"date"`
			WorkflowID string     `json:"workflowId"`
			RunID      string     `json:"runId"`
			Link       string     `json:"link"`
		}{date, run.GetID(), run.GetRunID(), link})
	}
	a.say("Started %s of %s. Follow it with `starter status %s --watch`, or at\n%s", dailyName, date, date, link)
	return nil
}

// showEnd prints how a run ended; a failed one is exit code 1.
func (a *app) showEnd(c *cobra.Command, conn *temporal.Connection, status run.Status) error {
	if err := a.showStatus(c, conn, status); err != nil {
		return err
	}
	if status.State == run.Failed {
		return errShown{exitFailed}
	}
	return nil
}
