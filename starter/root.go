package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/exit"
)

// Main runs one command line and returns its exit code.
func (a *app) Main(ctx context.Context, args []string) int {
	root := a.command()
	root.SetArgs(args)
	root.SetIn(a.In)
	root.SetErr(a.Err)
	command, err := root.ExecuteContextC(ctx)
	if err != nil && !a.parsed {
		err = &exit.UsageError{Err: err}
	}
	a.report(command, err, cli.AsksFor(formJSON, a.output, args))
	return exit.Code(err)
}

// Groups of commands in the help.
const (
	groupRuns    = "runs"
	groupViews   = "views"
	groupManage  = "manage"
	groupResults = "results"
	groupSystems = "systems"
)

// command returns the tree of all commands.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Run, monitor and repair Pinflow's DAGs",
		Long: "Starter is the command line of Pinflow's operators.\n\n" +
			"It finds the systems through the environment, .env and the settings of a running embedded stack, in this order (PINFLOW_STACK=directory\n" +
			"selects a stack and puts it before .env); .env.example names all variables.\n\n" +
			"Dates are logical dates in UTC: YYYY-MM-DD, today or yesterday. With -o json an error is one line of JSON on standard error.\n\n" +
			"Exit codes: 0 done, 1 a run failed, 2 the command was used wrongly, 3 a system cannot be reached.",
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              cli.SubcommandArgs,
		RunE:              cli.MissingSubcommand,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return a.prepare(c) },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.dagName, "dag", "", "`name` of the DAG (default the only one)")
	flags.StringArrayVar(&a.envFiles, "env-file", nil, "settings `file` instead of .env and those of a stack (repeatable)")
	flags.StringVarP(&a.output, "output", "o", "", "output `format`: table or json unless the command says otherwise")
	_ = root.RegisterFlagCompletionFunc("dag", cobra.FixedCompletions(a.catalog.Names(), cobra.ShellCompDirectiveNoFileComp))
	root.AddGroup(
		&cobra.Group{ID: groupRuns, Title: "Start runs:"},
		&cobra.Group{ID: groupViews, Title: "Monitor:"},
		&cobra.Group{ID: groupManage, Title: "Manage a run:"},
		&cobra.Group{ID: groupResults, Title: "Results:"},
		&cobra.Group{ID: groupSystems, Title: "Systems:"},
	)
	root.AddCommand(
		a.runCommand(), a.backfillCommand(), a.scheduleCommand(), a.statusCommand(), a.runsCommand(), a.graphCommand(),
		a.rerunCommand(), a.landCommand(), a.taskCommand(), a.pauseCommand(), a.resumeCommand(), a.cancelCommand(), a.terminateCommand(), a.noteCommand(), a.dagsCommand(),
		a.gridCommand(), a.ganttCommand(), a.calendarCommand(), a.logsCommand(), a.diffCommand(),
		a.answersCommand(), a.dashboardCommand(), a.whyCommand(), a.quarantineCommand(), a.verifyCommand(),
		a.setupCommand(), a.doctorCommand(), a.deployCommand(), a.notebooksCommand(), a.emulateCommand(), a.importCommand(), a.demoCommand(), a.versionCommand(),
	)
	root.SetOut(a.Out) // `completion` keeps the writer that it is created with
	cli.CompletionNeedsShell(root)
	return root
}

// prepare checks the output format, reads the settings and chooses the DAG, before any command
// runs.
func (a *app) prepare(c *cobra.Command) error {
	if forms := cli.Forms(c); a.output != "" && !slices.Contains(forms, a.output) {
		return exit.Usagef("-o %s: `%s` prints %s", a.output, c.CommandPath(), strings.Join(forms, ", "))
	}
	builtin := cli.BuiltIn(c)
	if !builtin && !cli.Annotated(c, cli.NoSettings) {
		if err := a.loadSettings(); err != nil {
			return err
		}
	}
	definition := dag.Definition{}
	switch {
	case builtin:
	case cli.Annotated(c, cli.AllDAGs):
		if a.dagName != "" && c.Annotations[cli.AllDAGs] != cli.OrOne {
			return exit.Usagef("--dag: `%s` is about all DAGs", c.CommandPath())
		}
	default:
		var err error
		if definition, err = a.chooseDAG(); err != nil {
			return err
		}
	}
	a.use(definition)
	a.parsed = true
	return nil
}

// loadSettings reads the settings, and says which system they are of if that is not obvious.
func (a *app) loadSettings() error {
	settings, err := a.load(a.envFiles...)
	if err != nil {
		return &exit.UsageError{Err: err}
	}
	for _, name := range slices.Sorted(maps.Keys(settings.Schedules)) {
		if _, err := a.catalog.Definition(name); err != nil {
			return exit.Usagef("PINFLOW_SCHEDULES: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(settings.StartDates)) {
		if _, err := a.catalog.Definition(name); err != nil && name != "" {
			return exit.Usagef("PINFLOW_START_DATE: %w", err)
		}
	}
	a.settings = settings
	if settings.Stack != "" {
		a.Log("Using the embedded stack in %s.", settings.Stack)
	}
	return nil
}

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
