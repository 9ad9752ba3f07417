package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/view"
)

func (a *app) dagsCommand() *cobra.Command {
	check := &cobra.Command{
		Use:   "check",
		Short: "Validate the DAGs of this build, as a worker at its start",
		Long: "Check reports all mistakes in the DAGs: unknown parents, cycles, duplicate ids, trigger rules that can never hold, pools that do not exist,\n" +
			"expectations of numbers that are not counted. The exit code is 1 if there is one. Check needs no system.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.checkDAGs(c) },
	}
	list := &cobra.Command{
		Use: "list", Short: "List the DAGs of this build", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rows := []view.DAGRow{}
			for _, definition := range a.catalog.DAGs {
				rows = append(rows, view.NewDAGRow(definition, a.reader(definition).ScheduleSpec().Cron))
			}
			return a.print(c, rows, func() { a.view.DAGs(rows) })
		},
	}
	parent := cli.Group("dags", "List or validate the DAGs of this build", groupViews, prints(list, formTable, formJSON), prints(check, formTable, formJSON))
	cli.Annotate(check, cli.NoSettings, "true")
	return cli.Annotate(parent, cli.AllDAGs, "true")
}

func (a *app) checkDAGs(c *cobra.Command) error {
	checks := []view.DAGCheck{}
	wrong := false
	for _, definition := range a.catalog.DAGs {
		check := view.DAGCheck{DAG: definition.Name, Tasks: len(definition.DAG), Mistakes: []string{}}
		if err := definition.Validate(a.catalog.Pools); err != nil {
			check.Mistakes, wrong = strings.Split(err.Error(), "\n"), true
		}
		checks = append(checks, check)
	}
	if err := errors.Join(a.catalog.Conflicts(), a.checkOperators(a.catalog)); err != nil {
		checks, wrong = append(checks, view.DAGCheck{DAG: "catalog", Mistakes: strings.Split(err.Error(), "\n")}), true
	}
	if err := a.print(c, checks, func() { a.view.DAGChecks(checks) }); err != nil {
		return err
	}
	if wrong {
		return exit.Shown(exit.Failed)
	}
	return nil
}
