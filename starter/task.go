package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

func (a *app) taskCommand() *cobra.Command {
	var reason string
	decide := func(choice run.Choice, short string) *cobra.Command {
		c := &cobra.Command{
			Use: string(choice) + " <date> <task> --reason text", Short: short,
			Example: fmt.Sprintf("  starter task %s 2022-10-18 clean_geo --reason \"the source is mended\"", choice),
			Args:    cobra.ExactArgs(2),
			RunE: func(c *cobra.Command, args []string) error {
				return a.decideTask(c, args[0], run.Decision{Task: args[1], Choice: choice, By: a.operator(), Reason: reason})
			},
			ValidArgsFunction: completeTask,
		}
		c.Flags().StringVar(&reason, "reason", "", "why: it is recorded with the run, in its history and in the ledger")
		return prints(c, formTable, formJSON)
	}
	return group("task", "Decide about a task that is held: retry, skip, fail or succeed", groupRepair,
		decide(run.RetryTask, "Try a held task once more"),
		decide(run.SkipTask, "Take a held task for not needed"),
		decide(run.FailTask, "Let a held task be failed"),
		decide(run.SucceedTask, "Take a held task for done: somebody did its work by hand"),
	)
}

func completeTask(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return workflows.Daily.DAG.IDs(), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) decideTask(c *cobra.Command, text string, d run.Decision) error {
	table, errTable := definitionOf(dailyName)
	date, errDate := a.parseDate("date", text)
	_, errTask := table.From(d.Task)
	var errReason error
	if strings.TrimSpace(d.Reason) == "" {
		errReason = usagef("--reason: say why; it is recorded with the run")
	}
	if errTask != nil {
		errTask = &usageError{errTask}
	}
	if err := errors.Join(errTable, errDate, errTask, errReason); err != nil {
		return err
	}
	return a.orderRun(c, date, run.DecideUpdate, d, fmt.Sprintf("Task %s of %s: %s.", d.Task, date, d.Choice))
}

// orderRun gives the run of a date an order, and says that it was taken.
func (a *app) orderRun(c *cobra.Command, date dates.Date, update string, input any, done string) error {
	conn, err := a.connect.temporal(c.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := a.mustBeGoing(c, conn, date); err != nil {
		return err
	}
	if err := a.order(c.Context(), conn, run.WorkflowID(dailyName, date), update, input); err != nil {
		return err
	}
	if a.form(c) == formJSON {
		return a.printJSON(input)
	}
	a.say("%s Follow the run with `starter status %s --watch`.", done, date)
	return nil
}

// mustBeGoing says what to do about a date whose run has ended, or that has none.
func (a *app) mustBeGoing(c *cobra.Command, conn *temporal.Connection, date dates.Date) error {
	status, err := a.runStatus(c.Context(), conn, date)
	var absent *noWorkerError
	switch {
	case errors.As(err, &absent): // it is going, and nobody answers for it
		return nil
	case err != nil:
		return err
	case !status.Ended.IsZero():
		return fmt.Errorf("the run of %s has ended (%s): run tasks again with `starter rerun %s --from task`", date, status.State, date)
	}
	return nil
}
