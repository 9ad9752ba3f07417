package main

import (
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/flags"
)

func (a *app) graphCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "graph [date]",
		Short: "Draw the DAG, as text or for Mermaid or Graphviz",
		Long: "Graph draws the DAG as this build defines it. With a logical date each task shows its state in the date's latest run,\n" +
			"which may be running, or may be one that only the ledger knows.",
		Example: "  starter graph\n  starter graph 2022-10-18\n  starter graph 2022-10-18 -o dot | dot -Tsvg > dag.svg",
		GroupID: groupViews,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.view.Graph(a.form(c), nil)
			}
			date, err := flags.Date(a.Now(), "date", args[0])
			if err != nil {
				return err
			}
			return a.graphOf(c, date)
		},
	}
	// Without a date the graph needs no settings; with one they are read then.
	return cli.Annotate(prints(c, formText, "mermaid", "dot", formJSON), cli.NoSettings, "true")
}

// graphOf draws the DAG with the states of a date's latest run.
func (a *app) graphOf(c *cobra.Command, date dates.Date) error {
	if err := a.loadSettings(); err != nil {
		return err
	}
	a.use(a.dag)
	latest, lost, err := a.history.Latest(c.Context(), date)
	if err != nil {
		return err
	}
	return a.shown(a.view.Graph(a.form(c), &latest), lost)
}
