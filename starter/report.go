package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/starter/exit"
)

// report prints an error, unless the command has shown all of it.
func (a *app) report(command *cobra.Command, err error, asJSON bool) {
	switch {
	case err == nil || errors.As(err, new(exit.Shown)) && !errors.As(err, new(*exit.PartError)):
	case asJSON:
		exit.ReportJSON(a.Err, command.CommandPath(), err)
	default:
		exit.ReportText(a.Err, command.CommandPath(), err)
	}
}

// asksForJSON reports whether the command line asks for JSON: also one that could not be parsed up to
// its -o.
func asksForJSON(output string, args []string) bool {
	if output != "" {
		return output == formJSON
	}
	line := " " + strings.Join(args, " ") + " "
	return slices.ContainsFunc([]string{" -o json ", " -ojson ", " -o=json ", " --output json ", " --output=json "}, func(flag string) bool {
		return strings.Contains(line, flag)
	})
}
