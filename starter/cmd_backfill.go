package main

import (
	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/term"
)

// backfillOptions is the command line of `starter backfill`.
type backfillOptions struct {
	flags.Range
	dryRun bool
	wait   bool
}

func (a *app) backfillCommand() *cobra.Command {
	var o backfillOptions
	c := &cobra.Command{
		Use:   "backfill --from date --to date",
		Short: "Run the DAG for many logical dates",
		Long: "Backfill runs the logical dates from --from to --to, both included, at most --parallel of them at a time.\n\n" +
			"Dates that wait for the same notebook go together in one Databricks run, --batch of them at most; if it fails, they are split, so that a date that cannot\n" +
			"succeed fails alone.\n\n" +
			"Dates that have run are skipped unless --reprocess says otherwise; dates that were seen only in part run in any case. The backfill continues\n" +
			"without this command, and has a lower priority than the daily run. When dates fail, --on-failure continue runs all others, stop starts no more,\n" +
			"and max=N stops after N failures. With --task-from each date keeps the parameters, tags, hold and run timeout that it ran with. The subcommands show backfills, and pause, resume, widen or cancel them.",
		Example: "  starter backfill --from 2022-10-01 --to 2022-10-18 --parallel 4 --wait\n" +
			"  starter backfill --from 2022-10-01 --to 2022-10-18 --reprocess failed --dry-run\n" +
			"  starter backfill --from 2022-10-01 --to 2022-10-18 --task-from clean_geo --backwards --on-failure max=3\n" +
			"  starter backfill parallel 8",
		GroupID: groupRuns,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.backfill(c, o) },
	}
	o.Add(c, a.chooseDAG, a.completeTasks)
	c.Flags().BoolVar(&o.wait, "wait", false, "wait for the end; exit code 1 if a date failed or was cancelled")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "print the decision about each date, start nothing")
	c.AddCommand(a.backfillControls()...)
	return prints(c, formTable, formJSON)
}

func (a *app) backfill(c *cobra.Command, o backfillOptions) error {
	in, err := o.Read(c, a.Now(), a.dag, a.operator())
	if err != nil {
		return err
	}
	return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
		ctx := c.Context()
		if o.dryRun {
			decisions, err := a.control.Decisions(ctx, conn, in)
			if err != nil {
				return err
			}
			return a.print(c, decisions, func() {
				a.view.Decisions(decisions)
				a.view.Width(in, a.catalog)
			})
		}
		started, err := a.control.StartBackfill(ctx, conn, in, o.wait)
		if err != nil {
			return err
		}
		if !o.wait {
			return a.printBackfillStarted(c, conn, in, started)
		}
		return a.waitForBackfill(c, conn, in, started)
	})(c, nil)
}

func (a *app) printBackfillStarted(c *cobra.Command, conn *temporal.Connection, in run.RangeInput, started client.WorkflowRun) error {
	link := a.history.UILink(conn, started.GetID(), started.GetRunID())
	count := in.From.Days(in.To)
	return a.print(c, struct {
		WorkflowID string `json:"workflowId"`
		RunID      string `json:"runId"`
		Dates      int    `json:"dates"`
		UI         string `json:"ui"`
	}{started.GetID(), started.GetRunID(), count, link}, func() {
		a.Say("Started a backfill of %s, %s to %s. Follow it with `%s`, or at\n%s", term.Count(int64(count), "date"), in.From, in.To,
			a.history.Command("backfill show "+started.GetID()), link)
		a.view.Width(in, a.catalog)
	})
}
