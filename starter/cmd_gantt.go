package main

import (
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/view"
)

func (a *app) ganttCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "gantt <date>",
		Short: "Show when each try of a run waited and ran",
		Long: "Gantt draws a bar for each try of each task: when it ran, and when it waited for a slot of its pool.\n\n" +
			"It shows the latest run of the date, also one that is running. Results that were kept from an earlier run have no bar.",
		Example: "  starter gantt 2022-10-18",
		GroupID: groupViews,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.missingDate("gantt")
			}
			date, err := flags.Date(a.Now(), "date", args[0])
			if err != nil {
				return err
			}
			latest, lost, err := a.history.Latest(c.Context(), date)
			if err != nil {
				return err
			}
			return a.shown(a.print(c, struct {
				history.Run
				Bars []view.GanttBar `json:"bars"`
			}{latest, a.view.GanttBars(latest)}, func() { a.view.Gantt(latest) }), lost)
		},
	}
	return prints(c, formTable, formJSON)
}
