package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
)

// dropFlags are the flags with which a rerun does not keep what the date ran with.
type dropFlags struct {
	params, tags []string
	hold         bool
}

// add adds the flags to a command.
func (f *dropFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringArrayVar(&f.params, "no-param", nil, "`name` of a parameter that a rerun does not keep (repeatable)")
	flags.StringArrayVar(&f.tags, "no-tag", nil, "`label` that a rerun does not keep (repeatable)")
	flags.BoolVar(&f.hold, "no-hold", false, "no hold in a rerun, although the date ran with --hold")
}

// read returns what the rerun drops, or all mistakes in the flags. --run-timeout 0 drops the run
// timeout.
func (f *dropFlags) read(c *cobra.Command, set runFlags, definition dag.Definition) (run.Drop, error) {
	drop := run.Drop{Params: f.params, Tags: f.tags, Hold: f.hold, RunTimeout: c.Flags().Changed("run-timeout") && set.timeout == 0}
	var errs []error
	for _, name := range f.params {
		if slices.ContainsFunc(set.params, func(pair string) bool { return strings.HasPrefix(pair, name+"=") }) {
			errs = append(errs, exit.Usagef("--param %s and --no-param %s: give one of them; --param alone replaces the value", name, name))
		}
	}
	for _, tag := range f.tags {
		if slices.Contains(set.tags, tag) {
			errs = append(errs, exit.Usagef("--tag %s and --no-tag %s: give one of them", tag, tag))
		}
	}
	switch {
	case f.hold && set.hold:
		errs = append(errs, exit.Usagef("--hold and --no-hold: give one of them"))
	case f.hold && definition.Hold:
		errs = append(errs, exit.Usagef("--no-hold: DAG %s holds in every run, by its definition", definition.Name))
	}
	return drop, errors.Join(errs...)
}

// check returns an error if a flag is given without a rerun.
func (f *dropFlags) check() error {
	flag := ""
	switch {
	case len(f.params) > 0:
		flag = "--no-param"
	case len(f.tags) > 0:
		flag = "--no-tag"
	case f.hold:
		flag = "--no-hold"
	default:
		return nil
	}
	return exit.Usagef("%s needs --task-from: dates that run as a whole keep nothing of earlier runs", flag)
}
