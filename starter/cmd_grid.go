package main

import (
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view"
)

// gridOptions is the command line of `starter grid`.
type gridOptions struct {
	from, to string
	last     int
}

func (a *app) gridCommand() *cobra.Command {
	var o gridOptions
	c := &cobra.Command{
		Use:   "grid",
		Short: "Show the state of each task, date by date",
		Long: "Grid shows a column for each date, the latest at the right, and a row for each task, below a row for the run itself.\n\n" +
			"It reads the ledger, so it also knows the runs that Temporal has forgotten. On a terminal it shows as many of the latest dates as fit its\n" +
			"width (or COLUMNS); a date that has not run is a gap. A digit after a mark is the number of tries, if there was more than one.",
		Example: "  starter grid\n  starter grid --last 30\n  starter grid --from 2022-10-01 --to 2022-10-18 -o json",
		GroupID: groupViews,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.from != "" && c.Flags().Changed("last") {
				return exit.Usagef("--from and --last cannot be combined: each sets the first date")
			}
			return a.grid(c, o)
		},
	}
	c.Flags().StringVar(&o.from, "from", "", "first `date`")
	c.Flags().StringVar(&o.to, "to", "", "last `date` (default today if it has run, else yesterday)")
	c.Flags().IntVarP(&o.last, "last", "n", 14, "number of `dates` to show")
	return prints(c, formTable, formJSON)
}

// span returns the dates of the command line. Those that were not given are empty.
func (o gridOptions) span(a *app) (from, to dates.Date, err error) {
	if o.to != "" {
		if to, err = flags.Date(a.Now(), "--to", o.to); err != nil {
			return "", "", err
		}
	}
	if o.from == "" && o.last < 1 {
		return "", "", exit.Usagef("--last %d: want 1 or more", o.last)
	}
	if o.from != "" {
		if from, err = flags.Date(a.Now(), "--from", o.from); err == nil && to != "" && from > to {
			err = exit.Usagef("--from %s comes after --to %s: swap them", from, to)
		}
	}
	return from, to, err
}

func (a *app) grid(c *cobra.Command, o gridOptions) error {
	from, to, err := o.span(a)
	if err != nil {
		return err
	}
	names := view.NameWidth(a.dag.DAG.IDs())
	fits := max(1, (term.Width(a.Out)-names)/view.GridCell)
	h, err := a.gridSpan(c, from, to, o.last, fits)
	if err != nil {
		return err
	}
	return a.shown(a.print(c, struct {
		DAG  string        `json:"dag"`
		From dates.Date    `json:"from"`
		To   dates.Date    `json:"to"`
		Runs []history.Run `json:"runs"`
	}{a.dag.Name, h.From, h.To, h.All()}, func() {
		leftOut := max(0, h.From.Days(h.To)-fits)
		h.From = h.From.Add(leftOut)
		a.view.Grid(h, leftOut)
	}), h.Lost)
}

// from1970 is more days than there are since 1970, before which no run has a date.
const from1970 = 100_000

// gridSpan reads the runs of a grid. For a table it reads only the dates that fit. Without a last
// date, the last one is today if that has run, else yesterday.
func (a *app) gridSpan(c *cobra.Command, from, to dates.Date, last, fits int) (*history.Span, error) {
	latest, first := to, from
	if to == "" {
		latest = dates.Of(a.Now())
	}
	if from == "" {
		first = latest.Add(-last) // one more than asked for: today may turn out not to count
	}
	if a.form(c) == formTable {
		first = max(first, latest.Add(-min(fits, from1970)))
	}
	h, err := a.history.Span(c.Context(), first, latest)
	if err != nil {
		return nil, err
	}
	if _, ran := h.Runs[latest]; to == "" && !ran && from < latest {
		h.To = latest.Add(-1)
	}
	if h.From = from; from == "" {
		h.From = h.To.Add(1 - last)
	}
	return h, nil
}
