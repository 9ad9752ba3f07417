package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/notebooks"
)

// dateParameter is the one parameter of the notebooks that a run sets itself.
const dateParameter = "logical_date"

// settableParameters are the notebooks' parameters that --param may set.
func settableParameters() []string {
	return slices.DeleteFunc(slices.Clone(notebooks.Parameters), func(name string) bool { return name == dateParameter })
}

// paramFlag adds --param to a command.
func paramFlag(c *cobra.Command, params *[]string) {
	c.Flags().StringArrayVar(params, "param", nil, "set a parameter of the notebooks for this run, as `name=value` (can be repeated): "+strings.Join(settableParameters(), ", "))
	c.RegisterFlagCompletionFunc("param", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, name := range settableParameters() {
			names = append(names, name+"=")
		}
		return names, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	})
}

// parseParams reads name=value pairs, and reports all that cannot work at once.
func parseParams(pairs []string) (map[string]string, error) {
	params := make(map[string]string, len(pairs))
	var errs []error
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("--param %s: write it as name=value", pair))
		case name == dateParameter:
			errs = append(errs, fmt.Errorf("--param %s: the logical date is that of the run", pair))
		case !slices.Contains(settableParameters(), name):
			errs = append(errs, fmt.Errorf("--param %s: the notebooks have no parameter %q; they have %s", pair, name, strings.Join(settableParameters(), ", ")))
		case name == "invalid_followers" && value != "quarantine" && value != "null":
			errs = append(errs, fmt.Errorf("--param %s: invalid_followers is quarantine or null", pair))
		}
		params[name] = value
	}
	if err := errors.Join(errs...); err != nil {
		return nil, &usageError{err}
	}
	return params, nil
}

// parseDate reads a logical date that can be run: not one of the future. What names it in the error, as in "--from".
func (a *app) parseDate(what, text string) (dates.Date, error) {
	date, err := dates.Parse(text)
	if err != nil {
		return "", usagef("%s: %w", what, err)
	}
	if today := dates.Of(a.now()); date > today {
		return "", usagef("%s: %s is in the future: its data does not exist yet; the latest date is today, %s (UTC)", what, date, today)
	}
	return date, nil
}

// yesterday is the latest date that is over.
func (a *app) yesterday() dates.Date { return dates.Of(a.now()).Add(-1) }
