package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// rerunOptions are the command line of `starter rerun`.
type rerunOptions struct {
	runFlags
	from, only []string
	failed     bool
	wait       bool
}

func (a *app) rerunCommand() *cobra.Command {
	var o rerunOptions
	c := &cobra.Command{
		Use:   "rerun <date> --from task | --only task | --failed",
		Short: "Run some tasks of a date again, and keep the results of the others",
		Long: "Rerun runs tasks of a date once more. They really run: a new try, a new Databricks run.\n" +
			"The other tasks keep the results of the date's latest run.",
		Example: "  starter rerun 2022-10-18 --failed --wait\n  starter rerun 2022-10-18 --from clean_geo\n  starter rerun 2022-10-18 --only query",
		GroupID: groupRuns,
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return a.rerun(c, args[0], o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.from, "from", nil, "run this `task` and all that come after it (can be repeated)")
	f.StringArrayVar(&o.only, "only", nil, "run this `task` alone (can be repeated)")
	f.BoolVar(&o.failed, "failed", false, "run what failed or could not run, and all that comes after it")
	f.BoolVar(&o.wait, "wait", false, "wait until the run has ended; the exit code is 1 if it failed")
	for _, name := range []string{"from", "only"} {
		c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(workflows.Daily.DAG.IDs(), cobra.ShellCompDirectiveNoFileComp))
	}
	o.add(c)
	return prints(c, formTable, formJSON)
}

func (a *app) rerun(c *cobra.Command, text string, o rerunOptions) error {
	ctx := c.Context()
	in := a.runInput(o.runFlags)
	var errDate, errFlags, errWhat error
	in.Date, errDate = a.parseDate("date", text)
	in.Params, errFlags = o.read()
	if ways := min(1, len(o.from)) + min(1, len(o.only)); ways > 1 || (ways == 1) == o.failed {
		errWhat = usagef("what is to run again? Name it with one of --from, --only and --failed")
	}
	if err := errors.Join(errDate, errFlags, errWhat); err != nil {
		return err
	}
	conn, err := a.connect.temporal(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if in.RerunTasks, err = a.again(ctx, conn, in.Date, o); err != nil {
		return err
	}
	a.note("Running again: %s.", join(in.RerunTasks))
	return a.runAndShow(c, conn, launch.RunOptions(in), in, o.wait)
}

// again are the tasks of a date that are to run again. The date must have been run: there would be nothing to keep.
func (a *app) again(ctx context.Context, conn *temporal.Connection, date dates.Date, o rerunOptions) (dag.Tasks, error) {
	table, err := definitionOf(dailyName)
	if err != nil {
		return nil, err
	}
	from, err := table.From(append(slices.Clone(o.from), o.only...)...) // also says which tasks there are not
	if err != nil {
		return nil, &usageError{err}
	}
	status, err := a.runStatus(ctx, conn, date)
	switch {
	case err != nil:
		return nil, err
	case status.Ended.IsZero():
		return nil, fmt.Errorf("the run of %s is going: wait for it, or `starter cancel %s`", date, date)
	}
	entry, err := a.ledgerEntry(ctx, date)
	if err == nil && entry == nil {
		err = fmt.Errorf("the latest run of %s left no results to keep: run all of it with `starter run %s`", date, date)
	}
	switch {
	case err != nil:
		return nil, err
	case len(o.only) > 0:
		return o.only, nil
	case o.failed:
		return failedTasks(table, status)
	}
	return from, nil
}

// failedTasks are the tasks of a run that failed or could not run, and all that come after them.
func failedTasks(table dag.DAG, status run.Status) (dag.Tasks, error) {
	var bad dag.Tasks
	for _, task := range status.Tasks {
		if _, there := table.Task(task.ID); there && (task.State == run.Failed || task.State == run.UpstreamFailed) {
			bad = append(bad, task.ID)
		}
	}
	if len(bad) == 0 {
		return nil, fmt.Errorf("no task of %s has failed: name tasks with --from or --only, or run all with `starter run %s`", status.Date, status.Date)
	}
	return table.From(bad...)
}
