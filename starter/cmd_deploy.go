package main

import (
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/exit"
)

func (a *app) deployCommand() *cobra.Command {
	status := &cobra.Command{
		Use:   "status",
		Short: "List the versions of the workers, and which may be removed",
		Long: "Status lists the builds that have polled with Worker Versioning (PINFLOW_WORKER_VERSIONING=on). A run ends on the version that has started it, so the\n" +
			"workers of a version are needed until its open runs have ended. A version whose runs have ended becomes drained.",
		Example: "  starter deploy status\n  starter deploy status -o json",
		Args:    cobra.NoArgs, RunE: a.connected(a.showVersions),
	}
	parent := cli.Group("deploy", "Deploy a build of the workers beside the runs of another", groupSystems,
		prints(status, formTable, formJSON), a.deployPromoteCommand())
	return cli.Annotate(parent, cli.AllDAGs, "true")
}

func (a *app) showVersions(c *cobra.Command, conn *temporal.Connection, _ []string) error {
	versions, err := a.history.Builds().Versions(c.Context(), conn)
	if err != nil {
		return err
	}
	return a.print(c, versions, func() { a.view.Versions(versions) })
}

func (a *app) deployPromoteCommand() *cobra.Command {
	var (
		p           control.Promotion
		unversioned bool
	)
	c := &cobra.Command{
		Use:   "promote [build id]",
		Short: "Start new runs on a version of the workers",
		Long: "Promote makes a version the current one, which starts all new runs, or with --percentage lets it start a share of them. Open runs continue on the version\n" +
			"that has started them. To go back, promote the earlier version again.",
		Example: "  starter deploy promote 0.1.0+abcdef1\n  starter deploy promote 0.1.0+abcdef1 --percentage 10\n  starter deploy promote --unversioned",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ramps := c.Flags().Changed("percentage")
			switch {
			case unversioned == (len(args) == 1 && args[0] != ""):
				return exit.Usagef("name a build id of `starter deploy status`, or --unversioned")
			case ramps && unversioned:
				return exit.Usagef("--percentage needs a build id: it is the share of the new runs that this build starts")
			case ramps && !(p.Percentage >= 0 && p.Percentage <= 100):
				return exit.Usagef("--percentage %g: want 0 to 100", p.Percentage)
			case !ramps:
				p.Percentage = control.AllRuns
			}
			if len(args) == 1 {
				p.BuildID = args[0]
			}
			return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error { return a.promote(c, conn, p) })(c, args)
		},
	}
	c.Flags().Float64Var(&p.Percentage, "percentage", 0, "share of the new runs in `percent`; 0 ends the ramp (default all runs)")
	c.Flags().BoolVar(&p.AllowNoPollers, "allow-no-pollers", false, "promote a version without workers: new runs wait for them")
	c.Flags().BoolVar(&unversioned, "unversioned", false, "start new runs on workers without Worker Versioning")
	return prints(c, formTable, formJSON)
}

func (a *app) promote(c *cobra.Command, conn *temporal.Connection, p control.Promotion) error {
	versions, err := a.control.Promote(c.Context(), conn, p)
	if err != nil {
		return err
	}
	return a.print(c, versions, func() { a.view.Versions(versions) })
}
