package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/term"
)

// rerunOptions is the command line of `starter rerun`.
type rerunOptions struct {
	flags.Run
	drop      flags.Drop
	selection control.RerunSelection
	dryRun    bool
	wait      bool
}

func (a *app) rerunCommand() *cobra.Command {
	var o rerunOptions
	c := &cobra.Command{
		Use:   "rerun <date> --from task | --only task | --failed",
		Short: "Run some tasks of a date again, keep the others' results",
		Long: "Rerun runs tasks of a date again: each gets a new try and a new Databricks run.\n" +
			"The other tasks keep the results of the date's latest run.\n\n" +
			"The rerun keeps the parameters, tags, hold and run timeout of that run. --param and --run-timeout replace a value, --tag adds a tag,\n" +
			"--no-param, --no-tag, --no-hold and --run-timeout 0 leave one out. What is kept and changed is printed before the start.",
		Example: "  starter rerun 2022-10-18 --failed --wait\n  starter rerun 2022-10-18 --from clean_geo\n  starter rerun 2022-10-18 --only query --no-param invalid_followers --dry-run",
		GroupID: groupRuns,
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return a.rerun(c, args[0], o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.selection.From, "from", nil, "`task` to run again with everything downstream (repeatable)")
	f.StringArrayVar(&o.selection.Only, "only", nil, "`task` to run again alone (repeatable)")
	f.BoolVar(&o.selection.Failed, "failed", false, "failed tasks, with everything downstream")
	f.BoolVar(&o.dryRun, "dry-run", false, "print what would run and what would be kept, start nothing")
	f.BoolVar(&o.wait, "wait", false, "wait for the end; exit code 1 if the run failed")
	for _, name := range []string{"from", "only"} {
		_ = c.RegisterFlagCompletionFunc(name, a.completeTasks)
	}
	o.Add(c, a.chooseDAG)
	o.drop.Add(c)
	return prints(c, formTable, formJSON)
}

// check returns an error unless exactly one way to select tasks is given.
func (o rerunOptions) check() error {
	var given []string
	if len(o.selection.From) > 0 {
		given = append(given, "--from")
	}
	if len(o.selection.Only) > 0 {
		given = append(given, "--only")
	}
	if o.selection.Failed {
		given = append(given, "--failed")
	}
	switch len(given) {
	case 0:
		return exit.Usagef("name the tasks with --from, --only or --failed")
	case 1:
		return nil
	}
	return exit.Usagef("%s cannot be combined: give one of them", term.Join(given))
}

func (a *app) rerun(c *cobra.Command, date string, o rerunOptions) error {
	in := o.Input(a.dag.Name, a.operator())
	var errDate, errParams, errDrop error
	in.Date, errDate = flags.Date(a.Now(), "date", date)
	in.Params, errParams = o.Read(a.dag)
	in.Drop, errDrop = o.drop.Read(c, o.Run, a.dag)
	if err := errors.Join(errDate, errParams, errDrop, o.check()); err != nil {
		return err
	}
	return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
		tasks, latest, err := a.control.SelectTasks(c.Context(), conn, in.Date, o.selection)
		if err != nil {
			return err
		}
		in.RerunTasks = tasks
		plan, err := a.control.PlanRerun(in, latest.Status)
		if err != nil {
			return err
		}
		if o.dryRun {
			return a.print(c, plan, func() { a.Say("%s\nNothing was started.", a.view.RerunPlan(plan)) })
		}
		a.Log("%s", a.view.RerunPlan(plan))
		return a.runAndShow(c, conn, launch.RunOptions(a.settings.Deployment, in), in, o.wait)
	})(c, nil)
}
