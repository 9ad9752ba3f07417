package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/history"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.pauseOrResume("pause", "Pause a run: running tasks finish, no new ones start", run.PauseUpdate, "The run of %s is paused.", "maintenance of the warehouse")
}

func (a *app) resumeCommand() *cobra.Command {
	return a.pauseOrResume("resume", "Resume a paused run", run.ResumeUpdate, "The run of %s is resumed.", "the warehouse is back")
}

func (a *app) pauseOrResume(use, short, update, done, example string) *cobra.Command {
	var why string
	c := &cobra.Command{
		Use: use + " <date>", Short: short, Example: fmt.Sprintf("  starter %s 2022-10-18 --reason %q", use, example),
		GroupID: groupManage, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			date, err := flags.Date(a.Now(), "date", args[0])
			if err != nil {
				return err
			}
			return a.updateRun(c, date, update, a.control.Pause(flags.GivenReason(why)), fmt.Sprintf(done, date))
		},
	}
	flags.Reason(c, &why)
	return prints(c, formTable, formJSON)
}

func (a *app) cancelCommand() *cobra.Command {
	var why string
	var wait bool
	c := &cobra.Command{
		Use:   "cancel <date>",
		Short: "Cancel a run and its Databricks runs",
		Long: "Cancel ends the run of a date: it cancels the Databricks runs of its tasks, and starts no more tasks. These tasks end as cancelled,\n" +
			"and so does the run; `starter rerun <date> --failed` runs them again.\n" +
			"Temporal keeps the request: if no worker is running, the next one that starts carries it out.",
		Example: "  starter cancel 2022-10-18 --reason \"wrong parameters\" --wait",
		GroupID: groupManage,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			date, err := flags.Date(a.Now(), "date", args[0])
			if err != nil {
				return err
			}
			return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
				return a.cancel(c, conn, date, flags.GivenReason(why), wait)
			})(c, args)
		},
	}
	flags.Reason(c, &why)
	c.Flags().BoolVar(&wait, "wait", false, "wait until the run has ended")
	return prints(c, formTable, formJSON)
}

func (a *app) cancel(c *cobra.Command, conn *temporal.Connection, date dates.Date, why string, wait bool) error {
	ctx := c.Context()
	err, noteErr := a.control.Cancel(ctx, conn, date, why)
	if err != nil {
		return err
	}
	if noteErr != nil {
		a.Log("The run is being cancelled, but the note with the reason could not be written: %v", noteErr)
	}
	if !wait {
		return a.print(c, map[string]string{"date": string(date), "reason": why}, func() {
			a.Say("The run of %s is being cancelled. Follow it with `%s`.", date, a.watchCommand(date))
		})
	}
	status, err := a.history.Watch(ctx, conn, conn.GetWorkflow(ctx, a.history.WorkflowID(date), ""), date, a.view.Watcher())
	if err != nil {
		return err
	}
	return a.printStatus(c, conn, history.Run{Status: status}) // a cancelled run is what was asked for: the exit code is 0
}

func (a *app) noteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "note <date> [text]",
		Short:   "Add a note to a date, or list its notes",
		Long:    "Note stores a text with a date, for `starter status` to show. It works before, during and after a run, and without a worker.",
		Example: "  starter note 2022-10-18 \"the source delivered late; asked the team\"\n  starter note 2022-10-18",
		GroupID: groupManage,
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			date, err := flags.Date(a.Now(), "date", args[0])
			if err == nil && len(args) == 2 && strings.TrimSpace(args[1]) == "" {
				err = exit.Usagef("the note has no text")
			}
			if err == nil && len(args) == 2 {
				err = a.control.AddNote(c.Context(), date, args[1])
			}
			if err != nil {
				return err
			}
			return a.notes(c, date)
		},
	}
	return prints(c, formTable, formJSON)
}

func (a *app) notes(c *cobra.Command, date dates.Date) error {
	notes, err := a.history.Notes(c.Context(), date)
	if err != nil {
		return err
	}
	return a.print(c, notes, func() {
		if len(notes) == 0 {
			a.Say("There are no notes on %s.", date)
		}
		a.view.Notes(notes)
	})
}
