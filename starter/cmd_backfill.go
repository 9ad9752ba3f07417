package main

import (
	"errors"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/term"
)

// backfillOptions is the command line of `starter backfill`.
type backfillOptions struct {
	flags.Run
	drop      flags.Drop
	from, to  string
	parallel  int
	batch     int
	reprocess string
	onFailure string
	taskFrom  []string
	backwards bool
	dryRun    bool
	wait      bool
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
		RunE: func(c *cobra.Command, _ []string) error {
			if len(o.taskFrom) > 0 && !c.Flags().Changed("reprocess") {
				o.reprocess = string(run.ReprocessAll)
			}
			return a.backfill(c, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "first `date`, YYYY-MM-DD")
	f.StringVar(&o.to, "to", "", "last `date`, YYYY-MM-DD")
	f.IntVar(&o.parallel, "parallel", 1, "number of `dates` that run at a time")
	f.IntVar(&o.batch, "batch", run.DefaultBatch, "number of `dates` that one Databricks run handles at most; 1 runs each date alone")
	f.BoolVar(&o.wait, "wait", false, "wait for the end; exit code 1 if a date failed or was cancelled")
	f.BoolVar(&o.backwards, "backwards", false, "latest date first")
	f.StringVar(&o.onFailure, "on-failure", string(run.ContinueOnFailure), "`action` when dates fail: continue, stop or max=N")
	f.StringArrayVar(&o.taskFrom, "task-from", nil, "`task` to run again with everything downstream (repeatable); implies --reprocess all")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the decision about each date, start nothing")
	_ = c.RegisterFlagCompletionFunc("task-from", a.completeTasks)
	flags.Reprocess(c, &o.reprocess, run.ReprocessNone)
	o.Add(c, a.chooseDAG)
	o.drop.Add(c)
	c.AddCommand(a.backfillControls()...)
	return prints(c, formTable, formJSON)
}

// input returns the range that the command line asks for, or all mistakes in it.
func (o backfillOptions) input(a *app, c *cobra.Command) (run.RangeInput, error) {
	in := run.RangeInput{
		DAG: a.dag.Name, Parallel: o.parallel, Batch: o.batch, Trigger: run.Backfill,
		Backwards: o.backwards, TriggeredBy: a.operator(), Tags: o.Tags,
		Hold: o.Hold, IgnorePast: o.IgnorePast, RunTimeout: o.Timeout,
	}
	usage := func(flag string, err error) error {
		if err != nil {
			return exit.Usagef("--%s%w", flag, err)
		}
		return nil
	}
	var errs [9]error
	if o.from == "" || o.to == "" {
		errs[0] = exit.Usagef("a backfill needs --from and --to")
	} else {
		in.From, errs[0] = flags.Date(a.Now(), "--from", o.from)
		in.To, errs[1] = flags.Date(a.Now(), "--to", o.to)
		if errs[0] == nil && errs[1] == nil && in.From > in.To {
			errs[0] = exit.Usagef("--from %s comes after --to %s: swap them", in.From, in.To)
		}
	}
	in.Params, errs[2] = o.Read(a.dag)
	var err error
	in.Reprocess, err = run.ParseReprocess(o.reprocess)
	errs[3] = usage("", err)
	in.OnFailure, err = run.ParseOnFailure(o.onFailure)
	errs[4] = usage("", err)
	errs[5], errs[8] = usage("", run.CheckParallel(o.parallel)), usage("", run.CheckBatch(o.batch))
	if len(o.taskFrom) > 0 {
		in.RerunTasks, err = a.dag.DAG.From(o.taskFrom...)
		errs[6] = usage("task-from: ", err)
		in.Drop, errs[7] = o.drop.Read(c, o.Run, a.dag)
	} else {
		errs[7] = o.drop.Check()
	}
	return in, errors.Join(errs[:]...)
}

func (a *app) backfill(c *cobra.Command, o backfillOptions) error {
	in, err := o.input(a, c)
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
