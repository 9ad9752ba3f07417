package main

import (
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/schedule"
)

func (a *app) scheduleNextCommand() *cobra.Command {
	var count int
	c := &cobra.Command{
		Use:     "next",
		Short:   "Preview the next firings, and the logical date of each",
		Long:    "Next asks Temporal when the Schedule will fire. A paused Schedule would, if it were resumed.",
		Example: "  starter schedule next\n  starter schedule next -n 30 -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if count < 1 || count > schedule.MaxFirings {
				return usagef("-n %d: it is between 1 and %d", count, schedule.MaxFirings)
			}
			return a.withTemporal(func(c *cobra.Command, conn *temporal.Connection) error { return a.scheduleNext(c, conn, count) })(c, args)
		},
	}
	c.Flags().IntVarP(&count, "count", "n", 10, "how many `firings`")
	return prints(c, formTable, formJSON)
}

func (a *app) scheduleNext(c *cobra.Command, conn *temporal.Connection, count int) error {
	description, err := scheduleHandle(c.Context(), conn).Describe(c.Context())
	if err != nil {
		return scheduleError(conn, err)
	}
	view, err := a.viewSchedule(description)
	if err != nil {
		return err
	}
	firings, err := a.firingsAhead(c.Context(), conn, count)
	if err != nil {
		return err
	}
	if a.form(c) == formJSON {
		return a.printJSON(struct {
			Paused bool              `json:"paused"`
			Note   string            `json:"note,omitempty"`
			Next   []schedule.Firing `json:"next"`
		}{view.Paused, view.Note, append([]schedule.Firing{}, firings...)})
	}
	if view.Paused {
		a.say("Schedule %s is %s (%s). Resumed, it would fire:", view.ID, a.activity(true), orNothing(view.Note))
	}
	g := grid{header: []string{"firing (utc)", "date"}}
	local := view.TimeZone != "UTC"
	if local {
		g.header = append(g.header, "in "+view.TimeZone)
	}
	for _, f := range firings {
		row := []string{moment(f.At), string(f.Date)}
		if local {
			row = append(row, inZone(f.At, view.TimeZone))
		}
		g.rows = append(g.rows, row)
	}
	if len(g.rows) == 0 {
		a.say("It does not fire any more: apply another one with `starter schedule apply`.")
		return nil
	}
	a.printGrid(g)
	return nil
}
