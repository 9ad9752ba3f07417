package flags

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
)

// Drop is the flags with which a rerun does not keep what the date ran with.
type Drop struct {
	Params, Tags []string
	Hold         bool
}

// Add adds the flags to a command.
func (f *Drop) Add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringArrayVar(&f.Params, "no-param", nil, "`name` of a parameter that a rerun does not keep (repeatable)")
	flags.StringArrayVar(&f.Tags, "no-tag", nil, "`label` that a rerun does not keep (repeatable)")
	flags.BoolVar(&f.Hold, "no-hold", false, "no hold in a rerun, although the date ran with --hold")
}

// Read returns what the rerun drops, or all mistakes in the flags. --run-timeout 0 drops the run
// timeout.
func (f *Drop) Read(c *cobra.Command, set Run, definition dag.Definition) (run.Drop, error) {
	noTimeout := c.Flags().Changed("run-timeout") && set.Timeout == 0
	drop := run.Drop{Params: f.Params, Tags: f.Tags, Hold: f.Hold, RunTimeout: noTimeout}
	var errs []error
	for _, name := range f.Params {
		if slices.ContainsFunc(set.Params, func(pair string) bool { return strings.HasPrefix(pair, name+"=") }) {
			errs = append(errs, exit.Usagef("--param %s and --no-param %s: give one of them; --param alone replaces the value",
				name, name))
		}
	}
	for _, tag := range f.Tags {
		if slices.Contains(set.Tags, tag) {
			errs = append(errs, exit.Usagef("--tag %s and --no-tag %s: give one of them", tag, tag))
		}
	}
	switch {
	case f.Hold && set.Hold:
		errs = append(errs, exit.Usagef("--hold and --no-hold: give one of them"))
	case f.Hold && definition.Hold:
		errs = append(errs, exit.Usagef("--no-hold: DAG %s holds in every run, by its definition", definition.Name))
	}
	return drop, errors.Join(errs...)
}

// Check returns an error if a flag is given without a rerun.
func (f *Drop) Check() error {
	flag := ""
	switch {
	case len(f.Params) > 0:
		flag = "--no-param"
	case len(f.Tags) > 0:
		flag = "--no-tag"
	case f.Hold:
		flag = "--no-hold"
	default:
		return nil
	}
	return exit.Usagef("%s needs --task-from: dates that run as a whole keep nothing of earlier runs", flag)
}
