package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/term"
)

func (a *app) terminateCommand() *cobra.Command {
	var why string
	var yes bool
	c := &cobra.Command{
		Use:   "terminate <date> --reason text",
		Short: "Terminate a run that cannot be cancelled",
		Long: "Terminate ends the run of a date at once, in whatever state it is: also a blocked one, which cannot react to `starter cancel`.\n" +
			"It cancels the Databricks runs of the date, waits until they have ended, frees the slots of the run, and writes the ledger entry, which\n" +
			"the run cannot do any more: the run and its unfinished tasks are cancelled, and `starter rerun <date> --failed` runs these again.\n\n" +
			"It needs no worker; what only the Pools workflow can do is done when one runs, and the command says so. Repeated, it does what could not\n" +
			"be done the first time. For a run that was terminated in the Web UI it does the rest. A run that answers is better cancelled.",
		Example: "  starter terminate 2022-10-18 --reason \"blocked by the build of Monday\"\n  starter terminate yesterday --reason \"no worker left\" --yes",
		GroupID: groupManage,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			date, err := flags.Date(a.Now(), "date", args[0])
			var errReason, errYes error
			if strings.TrimSpace(why) == "" {
				errReason = exit.Usagef("--reason is missing: the ledger records why")
			}
			if !yes && !a.Interactive {
				errYes = exit.Usagef("terminating a run needs --yes: there is no terminal to confirm it")
			}
			if err := errors.Join(err, errReason, errYes); err != nil {
				return err
			}
			return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
				return a.terminate(c, conn, date, why, yes)
			})(c, args)
		},
	}
	flags.Reason(c, &why)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "no confirmation")
	return prints(c, formTable, formJSON)
}

func (a *app) terminate(c *cobra.Command, conn *temporal.Connection, date dates.Date, why string, yes bool) error {
	found, err := a.control.FindTerminable(c.Context(), conn, date)
	if err != nil {
		return err
	}
	if found.Open() && !yes {
		warning := fmt.Sprintf("This terminates the run of %s that started at %s UTC: workflow %s of namespace %s at %s.",
			date, term.Moment(found.Started), found.WorkflowID, conn.Namespace, conn.Address)
		if err := a.Confirm(string(date), warning); err != nil {
			return err
		}
	}
	done, err := a.control.Terminate(c.Context(), conn, found, why)
	if err != nil && done.State == "" && !done.Terminated {
		return err
	}
	if errPrint := a.print(c, done, func() { a.view.Termination(done) }); errPrint != nil || err != nil {
		return errors.Join(errPrint, err)
	}
	return ended(done)
}

// ended returns the exit code of a termination.
func ended(done control.Termination) error {
	switch {
	case done.Unusable():
		return exit.Shown(exit.Unreachable)
	case done.Lost != nil:
		return exit.Shown(exit.Failed)
	}
	return nil
}
