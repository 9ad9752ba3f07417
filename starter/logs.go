package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/tasklog"
	"github.com/pinflow/pinflow/workflows"
)

// followInterval is how often the bucket is looked at for new lines. Workers put them there every 30 s, and when an activity ends.
const followInterval = 2 * time.Second

// logsOptions are the command line of `starter logs`.
type logsOptions struct {
	date   dates.Date
	task   string
	try    int
	follow bool
}

func (a *app) logsCommand() *cobra.Command {
	var o logsOptions
	c := &cobra.Command{
		Use:   "logs <date> [task]",
		Short: "Print what the worker logged for a date's run, and what its Databricks runs gave",
		Long: "Logs prints the lines that workers have logged for the tasks of a date's latest run, merged by time, and then state, output and error of each run\n" +
			"on Databricks. Lines of an earlier run of the date are there for the tasks whose results were carried over.\n\n" +
			"Workers put their lines into the bucket (logs/<dag>/<date>/), where they outlive restarts and Temporal's retention. -o json prints them as they are.",
		Example: "  starter logs 2022-10-18\n  starter logs 2022-10-18 clean_pin --try 2\n  starter logs 2022-10-18 -f\n" +
			"  starter logs 2022-10-18 -o json | jq 'select(.level == \"WARN\")'",
		GroupID: groupViews,
		Args:    cobra.MaximumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("which date? Name it as YYYY-MM-DD, for example `starter logs %s`", a.yesterday())
			}
			var err error
			if o.date, err = a.parseDate("date", args[0]); err != nil {
				return err
			}
			if len(args) == 2 {
				o.task = args[1]
			}
			if o.try < 0 || c.Flags().Changed("try") && o.try == 0 {
				return usagef("--try %d: tries count from 1", o.try)
			}
			return a.logs(c, o)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) != 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return workflows.Daily.DAG.IDs(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	c.Flags().IntVar(&o.try, "try", 0, "only this `try` of the tasks")
	c.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on with new lines until the run has ended")
	return prints(c, "text", formJSON)
}

func (a *app) logs(c *cobra.Command, o logsOptions) error {
	ctx := c.Context()
	run, lost, err := a.latestRun(ctx, o.date)
	if err != nil {
		return err
	}
	if ids := idsOf(run.Tasks); o.task != "" && !slices.Contains(ids, o.task) {
		return usagef("the run of %s has no task %q: its tasks are %s", o.date, o.task, strings.Join(ids, ", "))
	}
	objects, err := a.connect.bucket(ctx, a.settings)
	if err != nil {
		return s3.Classify(err)
	}
	reader := &logReader{app: a, logs: tasklog.Reader{Objects: objects}, options: o, sizes: map[string]int64{}, seen: map[string]bool{}}
	printer := a.newLogPrinter(a.form(c), run)
	if run, lost, err = a.printLogs(ctx, reader, printer, run, lost); err != nil || ctx.Err() != nil {
		return err
	}
	if printer.lines == 0 {
		a.note("No worker has left lines of this run%s.", map[bool]string{true: " yet"}[run.Ended.IsZero()])
	}
	if err := a.printJobs(ctx, printer, jobsOf(run, o)); err != nil {
		return err
	}
	return a.shown(lost)
}

// printLogs prints the lines that are there and, if asked to, those that come until the run has ended or the reader has enough.
func (a *app) printLogs(ctx context.Context, reader *logReader, printer *logPrinter, run dateRun, lost error) (dateRun, error, error) {
	for {
		over := !run.Ended.IsZero() || !reader.options.follow
		lines, err := reader.fresh(ctx, run)
		if err != nil {
			return run, lost, s3.Classify(err)
		}
		if err := printer.print(lines); err != nil || over {
			return run, lost, err
		}
		select {
		case <-ctx.Done():
			return run, lost, nil
		case <-a.after(followInterval):
		}
		if run, lost, err = a.latestRun(ctx, reader.options.date); err != nil {
			return run, lost, err
		}
		if !run.Ended.IsZero() { // what was logged last may still be on its way
			select {
			case <-ctx.Done():
			case <-a.after(followInterval):
			}
		}
	}
}

// logReader reads the lines of a run that it has not read yet.
type logReader struct {
	app     *app
	logs    tasklog.Reader
	options logsOptions
	sizes   map[string]int64 // of the objects when they were read
	seen    map[string]bool  // key and line, of a run that is followed
}

// fresh are the new lines, by time.
func (r *logReader) fresh(ctx context.Context, run dateRun) ([]tasklog.Line, error) {
	listed, err := r.logs.List(ctx, dailyName, r.options.date)
	if err != nil {
		return nil, err
	}
	listed = slices.DeleteFunc(listed, func(l tasklog.Object) bool {
		size, read := r.sizes[l.Key()]
		return read && size == l.Size || !r.options.wants(run, l.Name)
	})
	lines, err := r.logs.Lines(ctx, listed)
	if err != nil {
		return nil, err
	}
	lines = slices.DeleteFunc(lines, func(l tasklog.Line) bool {
		return l.Log.RunID != run.RunID && l.Time.Before(firstStart(run.task(l.Log.Task)).Add(-clocksDiffer))
	})
	for _, l := range listed {
		r.sizes[l.Key()] = l.Size
	}
	if !r.options.follow {
		return lines, nil
	}
	return slices.DeleteFunc(lines, func(l tasklog.Line) bool { // an object is written as a whole each time
		line := l.Log.Key() + string(l.Raw)
		known := r.seen[line]
		r.seen[line] = true
		return known
	}), nil
}

// wants says whether a log is one that was asked for: of the latest run, or of an earlier one that made what the latest keeps.
func (o logsOptions) wants(run dateRun, l tasklog.Name) bool {
	if o.task != "" && l.Task != o.task || o.try != 0 && l.Try != o.try {
		return false
	}
	return l.RunID == run.RunID || hasEarlier(run, run.task(l.Task))
}

// hasEarlier says whether an earlier run of the date worked for what a task shows.
func hasEarlier(r dateRun, task run.Task) bool {
	return task.Carried || slices.ContainsFunc(task.History, func(t run.Try) bool { return t.Ended.Before(r.Started) })
}

// clocksDiffer is how much a worker's clock may differ from Temporal's.
const clocksDiffer = time.Second

// firstStart is when the first try began whose trace a task still shows: what older runs of the date did counts no more.
func firstStart(task run.Task) time.Time {
	first := task.Started
	for _, try := range task.History {
		if try.Started.Before(first) {
			first = try.Started
		}
	}
	return first
}

// jobRun is a try's run on Databricks.
type jobRun struct {
	task string
	try  int
	id   int64
	link string
}

func (j jobRun) String() string {
	return fmt.Sprintf("%s try %d: Databricks run %d", j.task, j.try, j.id)
}

// jobsOf are the Databricks runs of the tasks and tries that were asked for.
func jobsOf(run dateRun, o logsOptions) []jobRun {
	var all []jobRun
	for _, task := range run.Tasks {
		if o.task != "" && task.ID != o.task {
			continue
		}
		found := len(all)
		for _, try := range task.History {
			if try.JobRunID != 0 {
				all = append(all, jobRun{task.ID, try.Number, try.JobRunID, try.Link})
			}
		}
		known := slices.ContainsFunc(all[found:], func(j jobRun) bool { return j.id == task.JobRunID })
		if task.JobRunID != 0 && !known {
			all = append(all, jobRun{task.ID, task.Tries, task.JobRunID, task.Link})
		}
	}
	return slices.DeleteFunc(all, func(j jobRun) bool { return o.try != 0 && j.try != o.try })
}
