package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view"
)

// followInterval is how often --follow reads the bucket. Workers write there every 30 s, and when
// an activity ends.
const followInterval = 2 * time.Second

func (a *app) logsCommand() *cobra.Command {
	var o history.LogFilter
	c := &cobra.Command{
		Use:   "logs <date> [task]",
		Short: "Print the logs of a run and of its Databricks runs",
		Long: "Logs prints the lines that workers logged for the tasks of a date's latest run, merged by time, and then the state, output and error of each\n" +
			"Databricks run. For tasks whose results were kept from an earlier run, it prints the lines of that run.\n\n" +
			"Workers write their lines into the bucket (logs/<dag>/<date>/), where they outlive restarts and Temporal's retention. -o json prints them unchanged.",
		Example: "  starter logs 2022-10-18\n  starter logs 2022-10-18 clean_pin --try 2\n  starter logs 2022-10-18 -f\n" +
			"  starter logs 2022-10-18 -o json | jq 'select(.level == \"WARN\")'",
		GroupID: groupViews,
		Args:    cobra.MaximumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.missingDate("logs")
			}
			var err error
			if o.Date, err = flags.Date(a.Now(), "date", args[0]); err != nil {
				return err
			}
			if len(args) == 2 {
				o.Task = args[1]
			}
			if o.Try < 0 || c.Flags().Changed("try") && o.Try == 0 {
				return exit.Usagef("--try %d: want 1 or more", o.Try)
			}
			return a.logs(c, o)
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) != 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.completeTasks(c, args, toComplete)
		},
	}
	c.Flags().IntVar(&o.Try, "try", 0, "`number` of the try (default all)")
	c.Flags().BoolVarP(&o.Follow, "follow", "f", false, "print new lines until the run has ended")
	return prints(c, formText, formJSON)
}

func (a *app) logs(c *cobra.Command, o history.LogFilter) error {
	ctx := c.Context()
	latest, lost, err := a.history.Latest(ctx, o.Date)
	if err != nil {
		return err
	}
	if ids := latest.TaskIDs(); o.Task != "" && !slices.Contains(ids, o.Task) {
		return exit.Usagef("the run of %s has no task %q; its tasks are %s", o.Date, o.Task, term.Join(ids))
	}
	reader, err := a.history.Logs(ctx, o)
	if err != nil {
		return err
	}
	printer := a.view.NewLogPrinter(a.form(c), latest)
	if latest, lost, err = a.followLogs(ctx, reader, printer, latest, lost); err != nil || ctx.Err() != nil {
		return err
	}
	if printer.Lines == 0 {
		a.Log("No worker has written lines of this run%s.", map[bool]string{true: " yet"}[latest.Ended.IsZero()])
	}
	if a.form(c) != formJSON {
		a.view.LinesOfGroups(latest, o.Task)
	}
	for _, job := range a.history.JobLogs(ctx, latest, o) {
		if err := a.view.PrintJob(printer, job); err != nil {
			return err
		}
	}
	return a.shown(nil, lost)
}

// followLogs prints the lines that exist and, with --follow, those that are written until the run
// has ended.
func (a *app) followLogs(ctx context.Context, reader *history.LogReader, printer *view.LogPrinter, latest history.Run, lost error) (history.Run, error, error) {
	for {
		last := !latest.Ended.IsZero() || !reader.Options.Follow
		lines, err := reader.Fresh(ctx, latest)
		if err != nil {
			return latest, lost, err
		}
		if err := printer.Print(lines); err != nil || last {
			return latest, lost, err
		}
		if !a.pause(ctx, followInterval) {
			return latest, lost, nil
		}
		if latest, lost, err = a.history.Latest(ctx, reader.Options.Date); err != nil {
			return latest, lost, err
		}
		if !latest.Ended.IsZero() { // the last lines may not be in the bucket yet
			a.pause(ctx, followInterval)
		}
	}
}

// pause waits, and reports whether the context has not ended meanwhile.
func (a *app) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-a.After(d):
		return true
	}
}
