package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/config"
)

// Main runs one command line and returns its exit code.
func (a *app) Main(ctx context.Context, args []string) int {
	root := a.command()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	command, err := root.ExecuteContextC(ctx)
	if err != nil && !a.parsed {
		err = &usageError{err}
	}
	a.report(command, err)
	return exitCode(err)
}

// report writes an error for the reader: what is wrong, and where to read on if the command was used wrongly.
func (a *app) report(command *cobra.Command, err error) {
	var usage *usageError
	switch {
	case err == nil || errors.As(err, new(errShown)):
	case errors.As(err, &usage):
		fmt.Fprintf(a.stderr, "starter: %v\nSee `%s --help`.\n", err, command.CommandPath())
	default:
		fmt.Fprintf(a.stderr, "starter: %v\n", err)
	}
}

// command is the tree of all commands.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Run, watch and repair Pinflow's DAG",
		Long: "Starter is the operator's command line of Pinflow.\n\n" +
			"It finds the systems through the environment, .env and .local/stack.env (a running embedded stack), in this order; .env.example names all variables.\n\n" +
			"Exit codes: 0 done, 1 a run failed, 2 the command was used wrongly, 3 a system cannot be reached.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          subcommandArgs,
		RunE:          missingSubcommand,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			return a.prepare(c)
		},
	}
	flags := root.PersistentFlags()
	flags.StringArrayVar(&a.envFiles, "env-file", nil, "read settings from this file in place of .env and .local/stack.env (can be repeated)")
	flags.StringVarP(&a.output, "output", "o", "", "form of what is printed; `form` is table or json unless the command's help says otherwise")
	root.AddGroup(
		&cobra.Group{ID: groupRuns, Title: "Runs:"},
		&cobra.Group{ID: groupViews, Title: "Views:"},
		&cobra.Group{ID: groupRepair, Title: "A run that is going:"},
		&cobra.Group{ID: groupResults, Title: "Results:"},
		&cobra.Group{ID: groupSystems, Title: "Systems:"},
	)
	root.AddCommand(
		a.runCommand(), a.backfillCommand(), a.scheduleCommand(), a.statusCommand(), a.runsCommand(), a.graphCommand(),
		a.rerunCommand(), a.taskCommand(), a.pauseCommand(), a.resumeCommand(), a.cancelCommand(), a.noteCommand(), a.dagsCommand(),
		a.gridCommand(), a.ganttCommand(), a.calendarCommand(), a.logsCommand(), a.diffCommand(),
		a.answersCommand(), a.whyCommand(),
		a.setupCommand(), a.doctorCommand(), a.notebooksCommand(), a.emulateCommand(), a.demoCommand(), a.versionCommand(),
	)
	return root
}

// Groups of commands in the help.
const (
	groupRuns    = "runs"
	groupViews   = "views"
	groupRepair  = "repair"
	groupResults = "results"
	groupSystems = "systems"
)

// prepare reads the settings and checks the form of the output, before any command runs.
func (a *app) prepare(c *cobra.Command) error {
	if forms := outputForms(c); a.output != "" && !slices.Contains(forms, a.output) {
		return usagef("-o %s: `%s` prints %s", a.output, c.CommandPath(), strings.Join(forms, ", "))
	}
	if needsSettings(c) {
		settings, err := config.Load(a.envFiles...)
		if err != nil {
			return &usageError{err}
		}
		a.settings = settings
	}
	a.parsed = true
	return nil
}

// needsSettings says whether a command works with the systems. Completion and help, which cobra adds, do not.
func needsSettings(c *cobra.Command) bool {
	for at := c; at != nil; at = at.Parent() {
		if at.Annotations[annotationNoSettings] != "" || at.Name() == "completion" || at.Name() == "help" || at.Name() == cobra.ShellCompRequestCmd || at.Name() == cobra.ShellCompNoDescRequestCmd {
			return false
		}
	}
	return true
}

const (
	// annotationForms lists the forms of output of a command, separated by blanks; the first is the default.
	annotationForms = "forms"
	// annotationNoSettings marks commands that need no settings, so that broken ones do not stop them.
	annotationNoSettings = "no-settings"
)

// outputForms are the forms in which a command prints. A command without data has none.
func outputForms(c *cobra.Command) []string {
	return strings.Fields(c.Annotations[annotationForms])
}

// form is the form of output that was asked for, or the command's default.
func (a *app) form(c *cobra.Command) string {
	if a.output != "" {
		return a.output
	}
	if forms := outputForms(c); len(forms) > 0 {
		return forms[0]
	}
	return ""
}

// group is a command that only holds others.
func group(use, short, id string, commands ...*cobra.Command) *cobra.Command {
	parent := &cobra.Command{Use: use, Short: short, GroupID: id, Args: subcommandArgs, RunE: missingSubcommand}
	parent.AddCommand(commands...)
	return parent
}

// subcommandArgs refuses what is no subcommand, with the nearest names that are.
func subcommandArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2 // edits that lie between a name and its slip
	message := fmt.Sprintf("unknown command %q for `%s`", args[0], c.CommandPath())
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		message += ": did you mean " + strings.Join(near, ", ") + "?"
	}
	return errors.New(message)
}

// missingSubcommand shows what there is. It is not success: nothing was asked that could be done.
func missingSubcommand(c *cobra.Command, _ []string) error {
	if err := c.Help(); err != nil {
		return err
	}
	return errShown{exitUsage}
}
