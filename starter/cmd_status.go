package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
)

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	var days int
	c := &cobra.Command{
		Use:   "status [date]",
		Short: "Show the state of the DAG, or the run of a date",
		Long: "Status without a date shows the Schedule, the gaps (past dates without a good result, with the cause and the command that fixes it),\n" +
			"running and held runs, backfills with their progress, and pools. The exit code is 0, whatever is shown.\n\n" +
			"With a date it shows the latest run of that logical date, from the run itself or, if Temporal has forgotten it, from the ledger.\n" +
			"The exit code is 1 if the run has failed, was cancelled or is blocked, or if there is none.",
		Example: "  starter status\n  starter status --days 90 -o json\n  starter status 2022-10-18\n  starter status 2022-10-18 --watch",
		GroupID: groupViews,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && watch:
				return exit.Usagef("--watch follows the run of a date: name one as YYYY-MM-DD, for example `%s`", a.watchCommand(a.history.Yesterday()))
			case len(args) == 0 && (days < 1 || days > history.MaxDays):
				return exit.Usagef("--days %d: want 1 to %d", days, history.MaxDays)
			case len(args) == 0:
				return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error { return a.overview(c, conn, days) })(c, args)
			case c.Flags().Changed("days"):
				return exit.Usagef("--days cannot be combined with a date: it limits the gaps of `starter status`")
			}
			date, err := flags.Date(a.Now(), "date", args[0])
			if err != nil {
				return err
			}
			return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
				return a.status(c, conn, date, watch)
			})(c, args)
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "follow the run until it has ended")
	c.Flags().IntVar(&days, "days", history.DefaultDays, "number of past `days` that are searched for gaps")
	return prints(c, formTable, formWide, formJSON)
}

// overview prints the state of the DAG.
func (a *app) overview(c *cobra.Command, conn *temporal.Connection, days int) error {
	o, err := a.history.Overview(c.Context(), conn, days)
	if err != nil {
		return err
	}
	err = a.print(c, o, func() { a.view.Overview(o) })
	if err == nil && o.Lost != nil {
		return exit.Shown(exit.Unreachable)
	}
	return err
}

// status prints the run of a date, and follows it first if asked to.
func (a *app) status(c *cobra.Command, conn *temporal.Connection, date dates.Date, watch bool) error {
	ctx := c.Context()
	found, lost, err := a.history.Look(ctx, conn, date)
	if watch && err == nil && found.Ended.IsZero() {
		running := conn.GetWorkflow(ctx, a.history.WorkflowID(date), found.RunID)
		status, err := a.history.Watch(ctx, conn, running, date, a.view.Watcher())
		if err != nil {
			return err
		}
		found, lost = history.Run{Status: status}, nil
	}
	if err != nil {
		return err
	}
	return a.shown(a.printEnd(c, conn, found), lost)
}

// printStatus prints a run, with the notes on its date and the activities that are being retried.
func (a *app) printStatus(c *cobra.Command, conn *temporal.Connection, found history.Run) error {
	retries, err := history.Retries(c.Context(), conn, found.Status)
	if err != nil {
		return err
	}
	link := a.history.UILink(conn, found.WorkflowID, found.RunID)
	notes := a.notesOrNone(c.Context(), found.Date)
	return a.print(c, struct {
		history.Run
		Retries []history.Retry `json:"retries,omitempty"`
		Notes   []ledger.Note   `json:"notes,omitempty"`
		UI      string          `json:"ui"`
	}{found, retries, notes, link}, func() {
		a.view.Run(found, a.form(c) == formWide)
		if len(notes) > 0 {
			a.Say("\nNotes:")
			a.view.Notes(notes)
		}
		for _, r := range retries {
			a.Say("%s", a.Wrapped(fmt.Sprintf("\n%s is being retried (attempt %d): %s", r.Activity, r.Attempt, term.FirstLine(r.Error, 1000))))
		}
		a.Say("\nWeb UI: %s", link)
	})
}

// notesOrNone returns the notes on a date. If they cannot be read, the run is shown without them.
func (a *app) notesOrNone(ctx context.Context, date dates.Date) []ledger.Note {
	notes, err := a.history.Notes(ctx, date)
	if err != nil && !errors.Is(err, context.Canceled) {
		a.Log("The notes on %s cannot be read: %v", date, err)
	}
	return notes
}

// watchCommand returns the command line that follows the run of a date.
func (a *app) watchCommand(date dates.Date) string {
	return a.history.Command(fmt.Sprintf("status %s --watch", date))
}
