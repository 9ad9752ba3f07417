package main

import (
	"cmp"
	"errors"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/view"
)

func (a *app) diffCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "diff <date> <date>",
		Short: "Compare the runs of two dates, task by task",
		Long: "Diff compares the latest runs of two dates: states, durations, waits for pools, rows, quarantined records, tries, parameters, and the hashes of\n" +
			"the notebooks that ran. Differences are marked ≠; durations differ if one is half again as long as the other, and a second longer.",
		Example: "  starter diff 2022-10-17 2022-10-18",
		GroupID: groupViews,
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			first, errFirst := flags.Date(a.Now(), "first date", args[0])
			second, errSecond := flags.Date(a.Now(), "second date", args[1])
			if err := errors.Join(errFirst, errSecond); err != nil {
				return err
			}
			if first == second {
				return exit.Usagef("%s and %s are the same date: only the latest run of a date is kept", first, second)
			}
			return a.diff(c, first, second)
		},
	}
	return prints(c, formTable, formJSON)
}

func (a *app) diff(c *cobra.Command, first, second dates.Date) error {
	before, lostFirst, err := a.history.Latest(c.Context(), first)
	if err != nil {
		return err
	}
	after, lostSecond, err := a.history.Latest(c.Context(), second)
	if err != nil {
		return err
	}
	lines := a.view.DiffRuns(before, after)
	return a.shown(a.print(c, struct {
		DAG    string          `json:"dag"`
		Before dates.Date      `json:"before"`
		After  dates.Date      `json:"after"`
		Lines  []view.DiffLine `json:"lines"`
	}{a.dag.Name, first, second, lines}, func() { a.view.Diff(before, after, lines) }), cmp.Or(lostFirst, lostSecond))
}
