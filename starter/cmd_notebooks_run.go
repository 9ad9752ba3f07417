package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/trial"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
)

func (a *app) tryNotebookCommand() *cobra.Command {
	var f flags.Trial
	from, yes := "", false
	c := &cobra.Command{
		Use:   "run <notebook>",
		Short: "Run a notebook without the pipeline",
		Long: "Run runs one notebook for a date on Databricks, and shows the rows that it left, the reasons of quarantine, and how long it took. It is for\n" +
			"trying a change of the SQL: no workflow runs, and the ledger and the pushed notebooks remain as they are.\n\n" +
			"With --dry it leaves the tables untouched, too: it writes a schema of its own, <schema>_try_…, which reads the tables through views, and\n" +
			"which is dropped afterwards. That needs the right to create a schema. Without --dry it writes the tables of the deployment, beside runs of the DAG.",
		Example: "  starter notebooks run clean_pin --date 2022-10-18 --dry\n" +
			"  starter notebooks run clean_pin --date 2022-10-18 --dry --from ./notebooks --param invalid_followers=null",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeNotebooks,
		RunE: func(c *cobra.Command, args []string) error {
			all, errFrom := a.openNotebooks(from)
			in, err := f.Input(a.Now(), a.settings, all, args[0])
			if err := errors.Join(errFrom, err); err != nil {
				return err
			}
			return a.tryNotebook(c, in, yes)
		},
	}
	f.Register(c)
	c.Flags().StringVar(&from, "from", "", "`directory` of the notebooks, *.sql (default those of this build)")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "no confirmation without --dry")
	return prints(c, formTable, formJSON)
}

// completeNotebooks completes the notebooks of this build.
func (a *app) completeNotebooks(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return flags.Names(a.notebooks), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) tryNotebook(c *cobra.Command, in trial.Input, yes bool) error {
	if !in.Dry && !yes {
		if !a.Interactive {
			return exit.Usagef("without --dry it writes the tables of schema %s: add --dry, or --yes", a.settings.Schema)
		}
		if err := a.Confirm(in.Notebook.Name, fmt.Sprintf("This writes the tables of schema %s for %s, beside runs of the DAG.", a.settings.Schema, in.Date)); err != nil {
			return err
		}
	}
	ws, err := a.systems.Workspace()
	if err != nil {
		return err
	}
	try, err := ws.Trial(a.settings)
	if err != nil {
		return exit.Usagef("%w", err)
	}
	try.Now, try.Log = a.Now, a.Log
	result, err := try.Run(c.Context(), in)
	if err != nil {
		if errors.Is(err, trial.ErrNotDry) {
			return exit.Usagef("%w", err)
		}
		return databricks.Classify(err)
	}
	return a.print(c, result, func() { a.view.Trial(result) })
}
