package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/dashboard"
	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/exit"
)

func (a *app) dashboardCommand() *cobra.Command {
	embed := false
	push := &cobra.Command{
		Use:   "push",
		Short: "Push the dashboard of the answers to the workspace",
		Long: "Push writes an AI/BI dashboard with a chart and a table for each answer into the workspace folder PINFLOW_NOTEBOOKS, and publishes it.\n" +
			"Pushing again changes nothing. Changes that were made by hand are overwritten: `starter dashboard diff` shows them before.",
		Example: "  starter dashboard push\n  starter dashboard push --embed-credentials",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := a.dashboard(c, embed, dashboard.Target.Push)
			return err
		},
	}
	diff := &cobra.Command{
		Use:     "diff",
		Short:   "Compare the dashboard with that of the workspace",
		Long:    "Diff shows what `push` would change. The exit code is 1 if it would change something.",
		Example: "  starter dashboard diff",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			change, err := a.dashboard(c, embed, dashboard.Target.Compare)
			if err == nil && change.State != dashboard.Same {
				return exit.Shown(exit.Failed)
			}
			return err
		},
	}
	for _, c := range []*cobra.Command{push, diff} {
		c.Flags().BoolVar(&embed, "embed-credentials", false, "let readers see the tables with your rights (default with their own)")
		prints(c, formTable, formJSON)
	}
	return cli.Group("dashboard", "Push the dashboard of the answers, or compare it", groupResults, push, diff)
}

// dashboard does something with the dashboard of the DAG, and prints the change.
func (a *app) dashboard(c *cobra.Command, embed bool, do func(dashboard.Target, context.Context) (dashboard.Change, error)) (dashboard.Change, error) {
	if len(a.dag.DAG.Tables()) == 0 {
		return dashboard.Change{}, a.checkTable("")
	}
	if a.settings.Warehouse == "" {
		return dashboard.Change{}, exit.Usagef("a dashboard needs a SQL warehouse: set PINFLOW_WAREHOUSE_ID to the id of one")
	}
	ws, err := a.systems.Workspace()
	if err != nil {
		return dashboard.Change{}, err
	}
	target := ws.Dashboard(a.settings, a.dag)
	target.EmbedCredentials = embed
	change, err := do(target, c.Context())
	if err != nil {
		return change, databricks.Classify(err)
	}
	return change, a.print(c, change, func() { a.view.DashboardChange(change, ws.Host) })
}
