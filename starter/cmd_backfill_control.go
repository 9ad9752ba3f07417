package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/history"
)

// backfillControls returns the commands that show and change running backfills. Each takes the id
// of a backfill; without one it is about the only one that is running.
func (a *app) backfillControls() []*cobra.Command {
	var why string
	var now bool
	update := func(use, short, name string, input func() any) *cobra.Command {
		c := &cobra.Command{
			Use: use + " [id]", Short: short, Args: cobra.MaximumNArgs(1),
			RunE: a.connected(func(c *cobra.Command, conn *temporal.Connection, args []string) error {
				return a.updateBackfill(c, conn, strings.Join(args, ""), name, input())
			}),
		}
		flags.Reason(c, &why)
		return prints(c, formTable, formJSON)
	}
	pause := update("pause", "Pause a backfill: running dates finish, no new ones start", run.PauseUpdate, func() any { return a.control.Pause(flags.GivenReason(why)) })
	resume := update("resume", "Resume a paused backfill", run.ResumeUpdate, func() any { return a.control.Pause(flags.GivenReason(why)) })
	cancel := update("cancel", "End a backfill: running dates finish", run.StopUpdate, func() any {
		return run.Stop{Pause: a.control.Pause(flags.GivenReason(why)), Now: now}
	})
	cancel.Flags().BoolVar(&now, "now", false, "cancel the running dates, too")
	show := &cobra.Command{
		Use: "show [id]", Short: "Show the latest backfills, with their progress", Args: cobra.MaximumNArgs(1),
		RunE: a.connected(a.showBackfills),
	}
	parallel := &cobra.Command{
		Use: "parallel <n> [id]", Short: "Change how many dates run at a time", Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[0])
			if err != nil || run.CheckParallel(n) != nil {
				return exit.Usagef("parallel %s: want 1 to %d", args[0], run.MaxParallel)
			}
			return a.connected(func(c *cobra.Command, conn *temporal.Connection, args []string) error {
				return a.updateBackfill(c, conn, strings.Join(args[1:], ""), run.ParallelUpdate, n)
			})(c, args)
		},
	}
	return []*cobra.Command{prints(show, formTable, formWide, formJSON), pause, resume, prints(parallel, formTable, formJSON), cancel}
}

// updateBackfill sends an update to a backfill and prints the backfill.
func (a *app) updateBackfill(c *cobra.Command, conn *temporal.Connection, id, update string, input any) (err error) {
	if id == "" {
		id, err = a.control.OnlyBackfill(c.Context(), conn)
	} else {
		err = a.history.CheckBackfill(c.Context(), conn, id)
	}
	if err != nil {
		return err
	}
	if err := a.control.Update(c.Context(), conn, id, update, input); err != nil {
		return err
	}
	return a.showBackfills(c, conn, []string{id})
}

// shownBackfills is how many backfills are listed.
const shownBackfills = 20

// showBackfills prints the backfill with this id, or the latest ones.
func (a *app) showBackfills(c *cobra.Command, conn *temporal.Connection, ids []string) (err error) {
	var all []history.BackfillStatus
	if len(ids) == 0 {
		if all, err = a.history.Backfills(c.Context(), conn, shownBackfills); err != nil {
			return err
		}
		return a.print(c, all, func() { a.view.Backfills(all, a.form(c) == formWide) })
	}
	status, err := a.history.Backfill(c.Context(), conn, ids[0])
	if err != nil {
		return err
	}
	return a.print(c, []history.BackfillStatus{status}, func() { a.view.Backfill(status) })
}

// waitForBackfill follows a backfill and prints how it ended. Dates that failed, were cancelled or
// did not run are exit code 1.
func (a *app) waitForBackfill(c *cobra.Command, conn *temporal.Connection, in run.RangeInput, started client.WorkflowRun) error {
	bar := a.StartProgress("dates", int64(in.From.Days(in.To)))
	defer bar.End()
	end, err := a.control.WatchBackfill(c.Context(), conn, started,
		func(p run.RangeProgress) {
			remark := a.view.BackfillRemark(p)
			if p.Paused != "" {
				remark = "paused by " + p.Paused
			}
			bar.Set(int64(p.Done()), remark)
		},
		func(err error) { a.Log("%v; waiting", err) })
	bar.End()
	if err != nil {
		return err
	}
	link := a.history.UILink(conn, started.GetID(), started.GetRunID())
	if err := a.print(c, struct {
		run.RangeResult
		UI string `json:"ui"`
	}{end.RangeResult, link}, func() { a.view.BackfillEnd(end, link) }); err != nil {
		return err
	}
	if !end.Good() {
		return exit.Shown(exit.Failed)
	}
	return nil
}
