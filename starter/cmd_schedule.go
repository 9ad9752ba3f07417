package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
)

func (a *app) scheduleCommand() *cobra.Command {
	show := &cobra.Command{
		Use: "show", Short: "Show the Schedule, its recent and its next firings",
		Example: "  starter schedule show\n  starter schedule show -o json", Args: cobra.NoArgs, RunE: a.connected(a.showSchedule),
	}
	return cli.Group("schedule", "Manage the Schedule of the DAG", groupRuns,
		a.scheduleApplyCommand(), a.schedulePauseCommand(), a.scheduleResumeCommand(), a.scheduleNextCommand(),
		prints(show, formTable, formJSON), a.scheduleDeleteCommand())
}

func (a *app) showSchedule(c *cobra.Command, conn *temporal.Connection, _ []string) error {
	description, err := a.history.ScheduleHandle(c.Context(), conn).Describe(c.Context())
	if err != nil {
		return a.history.ScheduleError(conn, err)
	}
	view, err := a.history.ViewSchedule(description)
	if err != nil {
		return err
	}
	return a.print(c, view, func() { a.view.Schedule(view) })
}

func (a *app) scheduleNextCommand() *cobra.Command {
	var count int
	c := &cobra.Command{
		Use:     "next",
		Short:   "Preview the next firings, and the logical date of each",
		Long:    "Next asks Temporal when the Schedule will fire. For a paused Schedule it shows when it would fire if it were resumed.",
		Example: "  starter schedule next\n  starter schedule next -n 30 -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if count < 1 || count > schedule.MaxFirings {
				return exit.Usagef("-n %d: want 1 to %d", count, schedule.MaxFirings)
			}
			return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
				return a.nextFirings(c, conn, count)
			})(c, args)
		},
	}
	c.Flags().IntVarP(&count, "count", "n", 10, "number of `firings`")
	return prints(c, formTable, formJSON)
}

func (a *app) nextFirings(c *cobra.Command, conn *temporal.Connection, count int) error {
	description, err := a.history.ScheduleHandle(c.Context(), conn).Describe(c.Context())
	if err != nil {
		return a.history.ScheduleError(conn, err)
	}
	view, err := a.history.ViewSchedule(description)
	if err != nil {
		return err
	}
	firings, err := a.history.NextFirings(c.Context(), conn, count)
	if err != nil {
		return err
	}
	return a.print(c, struct {
		Paused bool              `json:"paused"`
		Note   string            `json:"note,omitempty"`
		Next   []schedule.Firing `json:"next"`
	}{view.Paused, view.Note, append([]schedule.Firing{}, firings...)}, func() { a.view.NextFirings(view, firings) })
}

func (a *app) schedulePauseCommand() *cobra.Command {
	var why string
	c := &cobra.Command{
		Use:   "pause",
		Short: "Pause the Schedule: it starts no more runs",
		Long: "Pause stops the Schedule from starting runs; running runs continue. The dates that pass meanwhile become gaps, which `starter status` shows.\n" +
			"They still become overdue and raise alarms, so that a paused Schedule is not forgotten.",
		Example: "  starter schedule pause --reason \"the cluster moves, back on Monday\"",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("reason") && strings.TrimSpace(why) == "" {
				return errEmptyReason()
			}
			return a.connected(func(c *cobra.Command, conn *temporal.Connection, args []string) error {
				note := client.SchedulePauseOptions{Note: orReason(why, "paused with `starter schedule pause`")}
				if err := a.history.ScheduleHandle(c.Context(), conn).Pause(c.Context(), note); err != nil {
					return a.history.ScheduleError(conn, err)
				}
				return a.showSchedule(c, conn, args)
			})(c, args)
		},
	}
	flags.Reason(c, &why)
	return prints(c, formTable, formJSON)
}

func (a *app) scheduleDeleteCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "delete",
		Short: "Delete the Schedule; runs, ledger and data remain",
		Long: "Delete removes the Schedule. Running runs continue, and the results of earlier runs remain. From then on no date is expected: there are\n" +
			"neither gaps nor alarms. To stop it for a while, pause it.",
		Example: "  starter schedule delete\n  starter schedule delete --yes",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if !yes && !a.Interactive {
				return exit.Usagef("deleting Schedule %s needs --yes: there is no terminal to confirm it", a.settings.Deployment.ScheduleID(a.dag.Name))
			}
			return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
				return a.deleteSchedule(c, conn, yes)
			})(c, args)
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "no confirmation")
	return prints(c, formTable, formJSON)
}

func (a *app) deleteSchedule(c *cobra.Command, conn *temporal.Connection, yes bool) error {
	id := a.settings.Deployment.ScheduleID(a.dag.Name)
	handle := a.history.ScheduleHandle(c.Context(), conn)
	if _, err := handle.Describe(c.Context()); err != nil {
		return a.history.ScheduleError(conn, err)
	}
	if !yes {
		if err := a.Confirm(id, fmt.Sprintf("This deletes Schedule %s of namespace %s at %s.", id, conn.Namespace, conn.Address)); err != nil {
			return err
		}
	}
	if err := handle.Delete(c.Context()); err != nil {
		return a.history.ScheduleError(conn, err)
	}
	return a.print(c, control.AppliedSchedule{ID: id, Outcome: control.Deleted}, func() {
		a.Say("Schedule %s: deleted. Create it again with `%s`.", id, a.history.Command("schedule apply"))
	})
}
