package main

import (
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/doctor"
)

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check each system, and say what to do about problems",
		Long: "Doctor changes nothing but an object doctor/… in the bucket, which proves that the bucket is writable. It finds the dates of the last week that are\n" +
			"overdue, failed or partial without a worker, from Schedule and ledger.\n\nThe exit code is 3 if a system cannot be reached, 1 if something else is wrong.",
		Args: cobra.NoArgs, GroupID: groupSystems,
		RunE: func(c *cobra.Command, _ []string) error {
			found := a.doctor().Examine(c.Context())
			if err := a.print(c, found, func() {
				for _, f := range found {
					a.view.PrintFinding(f)
				}
			}); err != nil {
				return err
			}
			return doctor.Verdict(found)
		},
	}
	return cli.Annotate(prints(c, formTable, formJSON), cli.AllDAGs, "true")
}
