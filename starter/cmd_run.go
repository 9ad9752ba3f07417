package main

import (
	"errors"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/history"
)

// runOptions is the command line of `starter run`.
type runOptions struct {
	flags.Run
	date      string
	wait      bool
	reprocess string
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run [date]",
		Short: "Run the DAG for one logical date",
		Long: "Run starts the DAG for a logical date, YYYY-MM-DD in UTC; yesterday by default.\n\n" +
			"A date has one run at a time, whoever starts it. A run of today is partial: it sees the records up to now, and a later run of the date completes it.\n" +
			"A date that was seen only in part runs again whatever --reprocess says.",
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
	c.Flags().BoolVar(&o.wait, "wait", false, "wait for the end; exit code 1 if the run failed")
	o.Add(c, a.chooseDAG)
	flags.Reprocess(c, &o.reprocess, run.ReprocessAll)
	return prints(c, formTable, formJSON)
}

// input returns the run that the command line asks for, or all mistakes in it.
func (o runOptions) input(a *app) (run.Input, run.Reprocess, error) {
	in := o.Input(a.dag.Name, a.operator())
	in.Date = a.history.Yesterday()
	var errDate, errParams, errReprocess error
	if o.date != "" {
		in.Date, errDate = flags.Date(a.Now(), "date", o.date)
	}
	in.Params, errParams = o.Read(a.dag)
	reprocess, err := run.ParseReprocess(o.reprocess)
	if err != nil {
		errReprocess = exit.Usagef("--%w", err)
	}
	return in, reprocess, errors.Join(errDate, errParams, errReprocess)
}

// run starts the run of a date, and waits for it if asked to.
func (a *app) run(c *cobra.Command, o runOptions) error {
	in, reprocess, err := o.input(a)
	if err != nil {
		return err
	}
	return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
		decision, err := a.control.Decide(c.Context(), in.Date, reprocess)
		if err != nil {
			return err
		}
		if !decision.Run {
			return a.printSkipped(c, decision)
		}
		return a.runAndShow(c, conn, launch.DecidedRunOptions(a.settings.Deployment, in, decision), in, o.wait)
	})(c, nil)
}

// runAndShow starts a run, waits for it if asked to, and prints the result.
func (a *app) runAndShow(c *cobra.Command, conn *temporal.Connection, options client.StartWorkflowOptions, in run.Input, wait bool) error {
	ctx := c.Context()
	started, err := a.control.StartRun(ctx, conn, options, in, wait)
	if err != nil {
		return err
	}
	a.warnOfOtherBuilds(c, conn)
	if !wait {
		return a.printStarted(c, conn, in.Date, started)
	}
	status, err := a.history.Watch(ctx, conn, started, in.Date, a.view.Watcher())
	if err != nil {
		return err
	}
	return a.printEnd(c, conn, history.Run{Status: status})
}

// warnOfOtherBuilds says if the workers are of another build than this command: the run may have
// other tasks than the operator expects. It never fails a run that has been started.
func (a *app) warnOfOtherBuilds(c *cobra.Command, conn *temporal.Connection) {
	if others, err := a.history.Builds().OtherBuilds(c.Context(), conn, a.buildID); err == nil && others != "" {
		a.Log("Warning: %s.", others)
	}
}

// printSkipped prints why a date does not run.
func (a *app) printSkipped(c *cobra.Command, decision ledger.Decision) error {
	return a.print(c, decision, func() {
		a.Say("Skipped %s: it %s. --reprocess all runs it again.", decision.Date, decision.Why)
	})
}

// printStarted prints which run was started and how to follow it.
func (a *app) printStarted(c *cobra.Command, conn *temporal.Connection, date dates.Date, started client.WorkflowRun) error {
	link := a.history.UILink(conn, started.GetID(), started.GetRunID())
	return a.print(c, struct {
		Date       dates.Date `json:"date"`
		WorkflowID string     `json:"workflowId"`
		RunID      string     `json:"runId"`
		UI         string     `json:"ui"`
	}{date, started.GetID(), started.GetRunID(), link}, func() {
		a.Say("Started %s of %s. Follow it with `%s`, or at\n%s", a.dag.Name, date, a.watchCommand(date), link)
	})
}

// printEnd prints how a run ended. A failed, cancelled or blocked run is exit code 1.
func (a *app) printEnd(c *cobra.Command, conn *temporal.Connection, found history.Run) error {
	if err := a.printStatus(c, conn, found); err != nil {
		return err
	}
	if found.State.Bad() || found.State == run.Blocked {
		return exit.Shown(exit.Failed)
	}
	return nil
}
