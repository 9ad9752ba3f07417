package main

import (
	"cmp"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
)

func (a *app) scheduleApplyCommand() *cobra.Command {
	var o control.ApplyOptions
	c := &cobra.Command{
		Use:   "apply",
		Short: "Create the Schedule, or update it to the settings",
		Long: "Apply creates the Schedule, or updates it, and prints what it changed. Applying again changes nothing. A paused Schedule remains paused.\n\n" +
			"The DAG's definition says when it fires, unless PINFLOW_SCHEDULES or --cron say otherwise; `starter setup` and `starter doctor` use the same\n" +
			"settings. Each firing runs the latest date that is over in UTC. A Schedule that would not run each date once is rejected, with the reason.",
		Example: "  starter schedule apply\n  starter schedule apply --cron \"30 2 * * *\" --timezone UTC\n  starter schedule apply --paused --reason \"until the tables are migrated\"",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			set := a.history.ScheduleSpec()
			o.Spec.Cron, o.Spec.TimeZone = cmp.Or(o.Spec.Cron, set.Cron), cmp.Or(o.Spec.TimeZone, set.TimeZone)
			given := c.Flags().Changed("reason")
			var errReason error
			switch {
			case given && !o.Paused:
				errReason = exit.Usagef("--reason says why the Schedule is paused: give it with --paused")
			case given && strings.TrimSpace(o.Reason) == "":
				errReason = errEmptyReason()
			}
			o.KeepReason, o.Reason = !given, orReason(o.Reason, "paused with `starter schedule apply --paused`")
			return a.applySchedule(c, o, errReason)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Spec.Cron, "cron", "", "cron `fields`: minute, hour, day of the month, month, day of the week")
	f.StringVar(&o.Spec.TimeZone, "timezone", "", "IANA time `zone` of the fields (default UTC)")
	f.BoolVar(&o.Paused, "paused", false, "leave the Schedule paused")
	flags.Reason(c, &o.Reason)
	return prints(c, formTable, formJSON)
}

// errEmptyReason is the error of a --reason without text.
func errEmptyReason() error { return exit.Usagef("--reason is empty: write why, for others to read") }

// orReason returns the reason, or the default for one that is not given.
func orReason(reason, byDefault string) string { return cmp.Or(strings.TrimSpace(reason), byDefault) }

func (a *app) applySchedule(c *cobra.Command, o control.ApplyOptions, errReason error) error {
	want, err := a.control.ScheduleOptions(o.Spec)
	if err := errors.Join(err, errReason); err != nil {
		return err
	}
	return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
		done, err := a.control.ApplySchedule(c.Context(), conn, want, o)
		if err != nil {
			return err
		}
		next, err := a.firstFiring(c, conn)
		if err != nil {
			return err
		}
		if !done.Paused {
			done.Next = next
		}
		return a.print(c, done, func() { a.view.AppliedSchedule(done) })
	})(c, nil)
}

// firstFiring returns the next firing, or nil if there is none.
func (a *app) firstFiring(c *cobra.Command, conn *temporal.Connection) (*schedule.Firing, error) {
	next, err := a.history.NextFirings(c.Context(), conn, 1)
	if err != nil || len(next) == 0 {
		return nil, err
	}
	return &next[0], nil
}

func (a *app) scheduleResumeCommand() *cobra.Command {
	var o control.ResumeOptions
	c := &cobra.Command{
		Use:   "resume",
		Short: "Resume a paused Schedule",
		Long: "Resume lets a paused Schedule start runs again, and prints which dates are missing since the last success. It runs them only with --catchup:\n" +
			"one backfill, from the day after the last success to yesterday, one date at a time unless --parallel says otherwise. With --max only the latest\n" +
			"of them run; the others remain gaps. Dates before the creation of the Schedule are not among them.",
		Example: "  starter schedule resume\n  starter schedule resume --catchup\n  starter schedule resume --catchup --max 7 --parallel 2",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkResume(o, c.Flags().Changed); err != nil {
				return err
			}
			return a.connected(func(c *cobra.Command, conn *temporal.Connection, _ []string) error {
				return a.resumeSchedule(c, conn, o)
			})(c, args)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.Catchup, "catchup", false, "run the missing dates, as a backfill")
	f.IntVar(&o.Max, "max", 0, "maximum number of missing `dates` that --catchup runs")
	f.IntVar(&o.Parallel, "parallel", 1, "number of `dates` that --catchup runs at a time")
	return prints(c, formTable, formJSON)
}

// checkResume returns all mistakes in the command line of `starter schedule resume`.
func checkResume(o control.ResumeOptions, given func(flag string) bool) error {
	var errs []error
	for _, flag := range []string{"max", "parallel"} {
		if given(flag) && !o.Catchup {
			errs = append(errs, exit.Usagef("--%s is about the dates that --catchup runs: give --catchup, too", flag))
		}
	}
	if given("max") && o.Max < 1 {
		errs = append(errs, exit.Usagef("--max %d: want 1 or more", o.Max))
	}
	if err := run.CheckParallel(o.Parallel); err != nil {
		errs = append(errs, exit.Usagef("--%w", err))
	}
	return errors.Join(errs...)
}

func (a *app) resumeSchedule(c *cobra.Command, conn *temporal.Connection, o control.ResumeOptions) error {
	done, err := a.control.ResumeSchedule(c.Context(), conn, o)
	if err != nil {
		return err
	}
	return a.print(c, done, func() {
		next, _ := a.firstFiring(c, conn) // the Schedule is resumed, whatever Temporal says of its future
		a.view.ResumedSchedule(done, next)
	})
}
