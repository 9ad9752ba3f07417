package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/term"
)

// runsOptions is the command line of `starter runs`.
type runsOptions struct {
	state, trigger, tag string
	from, to            string
	warned              bool
	limit               int
}

func (a *app) runsCommand() *cobra.Command {
	var o runsOptions
	c := &cobra.Command{
		Use:   "runs",
		Short: "List runs, the latest first",
		Long: "Runs lists the runs that Temporal knows: those within the namespace's retention.\n" +
			"`starter grid` and `starter status <date>` also know older ones.",
		Example: "  starter runs\n  starter runs --state failed --trigger schedule --from 2022-10-01 -o json\n  starter runs --tag repair\n  starter runs --warned",
		GroupID: groupViews,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			filter, err := o.filter(a)
			if err != nil {
				return err
			}
			return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
				return a.runs(c, conn, filter, o.limit)
			})(c, nil)
		},
	}
	flags := c.Flags()
	flags.StringVar(&o.state, "state", "", "`state` of the runs: "+term.Join(words(runStates)))
	flags.StringVar(&o.trigger, "trigger", "", "`trigger` of the runs: "+term.Join(words(runTriggers)))
	flags.StringVar(&o.tag, "tag", "", "`tag` of the runs")
	flags.BoolVar(&o.warned, "warned", false, "only runs that have succeeded with warnings")
	flags.StringVar(&o.from, "from", "", "first logical `date`")
	flags.StringVar(&o.to, "to", "", "last logical `date`")
	flags.IntVarP(&o.limit, "limit", "n", 50, "maximum number of `runs`")
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(words(runStates), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("trigger", cobra.FixedCompletions(words(runTriggers), cobra.ShellCompDirectiveNoFileComp))
	return prints(c, formTable, formWide, formJSON)
}

var (
	runStates   = []run.State{run.Running, run.Held, run.Blocked, run.Success, run.Failed, run.Cancelled, search.Terminated, search.TimedOut}
	runTriggers = []run.Trigger{run.Scheduled, run.Manual, run.Backfill}
)

func words[S ~string](all []S) []string {
	texts := make([]string, len(all))
	for i, s := range all {
		texts[i] = string(s)
	}
	return texts
}

// filter returns the runs that the command line asks for, or all mistakes in it.
func (o runsOptions) filter(a *app) (search.Filter, error) {
	f := search.Filter{State: run.State(o.state), Trigger: run.Trigger(o.trigger), Tag: o.tag, Warned: o.warned}
	var errs [6]error
	f.From, errs[0] = flags.OptionalDate(a.Now(), "--from", o.from)
	f.To, errs[1] = flags.OptionalDate(a.Now(), "--to", o.to)
	if o.limit < 1 {
		errs[2] = exit.Usagef("--limit %d: want 1 or more", o.limit)
	}
	if o.state != "" && !slices.Contains(runStates, f.State) {
		errs[3] = exit.Usagef("--state %s: want one of %s", o.state, term.Join(words(runStates)))
	}
	if o.trigger != "" && !slices.Contains(runTriggers, f.Trigger) {
		errs[4] = exit.Usagef("--trigger %s: want one of %s", o.trigger, term.Join(words(runTriggers)))
	}
	if o.tag != "" {
		errs[5] = flags.CheckTag(o.tag)
	}
	return f, errors.Join(errs[:]...)
}

func (a *app) runs(c *cobra.Command, conn *temporal.Connection, filter search.Filter, limit int) error {
	rows, err := a.history.Runs(c.Context(), conn, filter, limit)
	if err != nil {
		return err
	}
	if err := a.history.MarkUnrecorded(c.Context(), conn, rows); err != nil {
		a.Log("Whether the ledger has the terminated runs is not known: %v", err)
	}
	return a.print(c, rows, func() {
		if len(rows) == 0 {
			a.Say("No such runs. Start one with `%s`.", a.history.Command("run"))
			return
		}
		a.view.Runs(rows, a.form(c) == formWide)
		a.view.WarnedLegend(rows)
	})
}
