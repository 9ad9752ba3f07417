package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/trial"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/term"
)

// trialFlags are the flags of `notebooks run`.
type trialFlags struct {
	from, date string
	dry, yes   bool
	params     map[string]string
}

func (a *app) tryNotebookCommand() *cobra.Command {
	var f trialFlags
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
			in, err := a.trialInput(args[0], f)
			if err != nil {
				return err
			}
			return a.tryNotebook(c, in, f.yes)
		},
	}
	c.Flags().StringVar(&f.date, "date", "", "logical `date`")
	c.Flags().BoolVar(&f.dry, "dry", false, "leave the tables untouched")
	c.Flags().StringVar(&f.from, "from", "", "`directory` of the notebooks, *.sql (default those of this build)")
	c.Flags().StringToStringVar(&f.params, "param", nil, "parameter of the notebook, as `name=value` (repeatable)")
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "no confirmation without --dry")
	return prints(c, formTable, formJSON)
}

// completeNotebooks completes the notebooks of this build.
func (a *app) completeNotebooks(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return notebookNames(a.notebooks), cobra.ShellCompDirectiveNoFileComp
}

func notebookNames(all []notebooks.Notebook) []string {
	names := make([]string, len(all))
	for i, notebook := range all {
		names[i] = notebook.Name
	}
	return names
}

// fixedParams holds the parameters that a trial sets.
var fixedParams = []string{"schema", "logical_date", "logical_dates"}

// trialInput returns what is tried. All mistakes come at once.
func (a *app) trialInput(name string, f trialFlags) (trial.Input, error) {
	all, errFrom := a.openNotebooks(f.from)
	var errName, errDate, errParams error
	at := slices.IndexFunc(all, func(n notebooks.Notebook) bool { return n.Name == name })
	if errFrom == nil && at < 0 {
		errName = exit.Usagef("no notebook %q; the notebooks are %s", name, term.Join(notebookNames(all)))
	}
	if f.date == "" {
		errDate = exit.Usagef("--date: name a logical date as YYYY-MM-DD, today or yesterday")
	}
	in := trial.Input{Dry: f.dry, Params: map[string]string{
		"raw_path": a.settings.RawPath(), "user_id": a.settings.UserID, "invalid_followers": a.settings.InvalidFollowers,
	}}
	if errDate == nil {
		in.Date, errDate = flags.Date(a.Now(), "--date", f.date)
	}
	for param := range f.params {
		if slices.Contains(fixedParams, param) || !slices.Contains(notebooks.Parameters, param) {
			errParams = errors.Join(errParams, exit.Usagef("--param %s: a trial takes %s", param, term.Join(slices.Sorted(maps.Keys(in.Params)))))
		}
	}
	maps.Copy(in.Params, f.params)
	if a.settings.Warehouse == "" {
		errParams = errors.Join(errParams, exit.Usagef("a trial counts rows on a SQL warehouse: set PINFLOW_WAREHOUSE_ID to the id of one"))
	}
	if err := errors.Join(errFrom, errName, errDate, errParams); err != nil {
		return in, err
	}
	in.Notebook = all[at]
	return in, nil
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
