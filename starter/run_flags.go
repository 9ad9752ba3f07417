package main

import (
	"errors"
	"maps"
	"os"
	"os/user"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
)

// runFlags are the flags that commands share which start runs.
type runFlags struct {
	params     []string
	tags       []string
	hold       bool
	ignorePast bool
	timeout    time.Duration
}

// add adds the flags to a command.
func (f *runFlags) add(a *app, c *cobra.Command) {
	flags := c.Flags()
	flags.StringArrayVar(&f.params, "param", nil, "notebook parameter as `name=value` (repeatable)")
	flags.StringArrayVar(&f.tags, "tag", nil, "`label` by which runs --tag finds the run (repeatable)")
	flags.BoolVar(&f.hold, "hold", false, "hold tasks that have used up their tries, for a decision with starter task")
	flags.BoolVar(&f.ignorePast, "ignore-past", false, "no wait for the date before")
	flags.DurationVar(&f.timeout, "run-timeout", 0, "`time` after which the run is cancelled and fails, as in 6h")
	_ = c.RegisterFlagCompletionFunc("param", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		definition, _ := a.chooseDAG() // without a DAG there is nothing to complete
		var names []string
		for _, name := range slices.Sorted(maps.Keys(definition.Params)) {
			names = append(names, name+"=")
		}
		return names, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	})
}

// tagForm is the form of a tag, which becomes part of searches and tables.
var tagForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$`)

func checkTag(tag string) error {
	if !tagForm.MatchString(tag) {
		return exit.Usagef("--tag %q: want up to 63 letters, digits and _ . : -", tag)
	}
	return nil
}

// read returns the parameters, or all mistakes in the flags.
func (f *runFlags) read(definition dag.Definition) (map[string]string, error) {
	var errs []error
	for _, tag := range f.tags {
		errs = append(errs, checkTag(tag))
	}
	if f.timeout < 0 || f.timeout > 0 && f.timeout < time.Second {
		errs = append(errs, exit.Usagef("--run-timeout %s: want 1s or more", f.timeout))
	}
	params := make(map[string]string, len(f.params))
	for _, pair := range f.params {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			errs = append(errs, exit.Usagef("--param %s: write it as name=value", pair))
			continue
		}
		params[name] = value
	}
	if err := definition.Params.Check(params); err != nil {
		errs = append(errs, exit.Usagef("--param: %w", err))
	}
	return params, errors.Join(errs...)
}

// runInput returns a manual run with the flags, without date and parameters.
func (a *app) runInput(f runFlags) run.Input {
	return run.Input{
		DAG: a.dag.Name, Trigger: run.Manual, TriggeredBy: a.operator(), Tags: f.tags, Hold: f.hold, IgnorePast: f.ignorePast, RunTimeout: f.timeout,
	}
}

// reprocessFlag adds --reprocess to a command.
func reprocessFlag(c *cobra.Command, into *string, byDefault run.Reprocess) {
	c.Flags().StringVar(into, "reprocess", string(byDefault), "`dates` that run again: none, failed or all")
	_ = c.RegisterFlagCompletionFunc("reprocess", cobra.FixedCompletions([]string{
		string(run.ReprocessNone), string(run.ReprocessFailed), string(run.ReprocessAll),
	}, cobra.ShellCompDirectiveNoFileComp))
}

// operatorName returns the user and the machine, as in ann@desk.
func operatorName() string {
	name := "unknown"
	if current, err := user.Current(); err == nil {
		name = current.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
