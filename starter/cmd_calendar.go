package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/view"
	"github.com/pinflow/pinflow/starter/view/mark"
)

func (a *app) calendarCommand() *cobra.Command {
	var year int
	c := &cobra.Command{
		Use:   "calendar",
		Short: "Show the state of each date of a year",
		Long: "Calendar shows a column for each week and a row for each weekday. It reads the ledger, so it also knows the runs that Temporal has forgotten.\n\n" +
			"A date that ran before it was over counts as partial until a later run completes it.",
		Example: "  starter calendar\n  starter calendar --year 2022",
		GroupID: groupViews,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			today := a.Now().UTC().Year()
			switch {
			case !c.Flags().Changed("year"):
				year = today
			case year < 1970 || year > today:
				return exit.Usagef("--year %d: want a year from 1970 to %d", year, today)
			}
			return a.calendar(c, year)
		},
	}
	c.Flags().IntVar(&year, "year", 0, "`year` to show (default this year)")
	return prints(c, formTable, formJSON)
}

func (a *app) calendar(c *cobra.Command, year int) error {
	first := dates.Of(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC))
	h, err := a.history.Span(c.Context(), first, dates.Of(time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		return err
	}
	counts := map[run.State]int{}
	days := []view.CalendarDay{}
	for _, r := range h.All() {
		state := mark.OfRun(r.Status)
		counts[state]++
		days = append(days, view.CalendarDay{Date: r.Date, State: state, Trigger: r.Trigger, RunID: r.RunID})
	}
	return a.shown(a.print(c, struct {
		DAG    string             `json:"dag"`
		Year   int                `json:"year"`
		Counts map[run.State]int  `json:"counts"`
		Dates  []view.CalendarDay `json:"dates"`
	}{a.dag.Name, year, counts, days}, func() { a.view.Calendar(h, year, counts) }), h.Lost)
}
