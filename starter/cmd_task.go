package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
)

func (a *app) taskCommand() *cobra.Command {
	return cli.Group("task", "Decide about a task: retry, skip, fail or succeed", groupManage,
		a.decideCommand(run.RetryTask, "Retry a task, as Airflow's clear", "the source is fixed",
			"Retry starts the next try of a task: at once if the task is held or up_for_retry. The current try of a running task is cancelled first,\n"+
				"with its Databricks run. A task that is final runs again with everything downstream of it, while the run is open."),
		a.decideCommand(run.SkipTask, "Mark a task as skipped", "no geo data on this date", marking),
		a.decideCommand(run.FailTask, "Mark a task as failed", "the source is lost", marking),
		a.decideCommand(run.SucceedTask, "Mark a task as succeeded", "ran the notebook by hand", marking),
	)
}

// marking is the help of the decisions that make a task final.
const marking = "The task can be in any state, while the run of the date is open. The current try of a running task is cancelled first, with its Databricks run;\n" +
	"the children of the task are decided when that has ended."

func (a *app) decideCommand(choice run.Choice, short, why, long string) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: string(choice) + " <date> <task> --reason text", Short: short, Long: long,
		Example: fmt.Sprintf("  starter task %s 2022-10-18 clean_geo --reason %q", choice, why),
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.decideTask(c, args[0], run.Decision{Task: args[1], Choice: choice, By: a.operator(), Reason: reason})
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return a.completeTasks(c, args, toComplete)
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "`text` that the run's history and the ledger record")
	return prints(c, formTable, formJSON)
}

// decideTask leaves it to the run whether it has the task: the run may have the DAG of another build.
func (a *app) decideTask(c *cobra.Command, text string, d run.Decision) error {
	date, errDate := flags.Date(a.Now(), "date", text)
	var errReason error
	if strings.TrimSpace(d.Reason) == "" {
		errReason = exit.Usagef("--reason is missing: the run records why")
	}
	if err := errors.Join(errDate, errReason); err != nil {
		return err
	}
	return a.updateRun(c, date, run.DecideUpdate, d, fmt.Sprintf("Task %s of %s: %s.", d.Task, date, d.Choice))
}

// updateRun sends an update to the run of a date, and prints that it was accepted.
func (a *app) updateRun(c *cobra.Command, date dates.Date, update string, input any, done string) error {
	return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
		if err := a.control.UpdateRun(c.Context(), conn, date, update, input); err != nil {
			return err
		}
		return a.print(c, input, func() { a.Say("%s Follow the run with `%s`.", done, a.watchCommand(date)) })
	})(c, nil)
}
