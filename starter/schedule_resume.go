package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
)

// resumeOptions are the command line of `starter schedule resume`.
type resumeOptions struct {
	catchup       bool
	max, parallel int
}

func (a *app) scheduleResumeCommand() *cobra.Command {
	var o resumeOptions
	c := &cobra.Command{
		Use:   "resume",
		Short: "Let a paused Schedule start runs again",
		Long: "Resume lets a paused Schedule start runs again. The dates that passed meanwhile are not made up silently: resume says which they are.\n\n" +
			"With --catchup one backfill runs them, from the day after the last one that succeeded to yesterday, one at a time unless --parallel says otherwise.\n" +
			"With --max only the latest of them run; the others stay gaps. Dates of before the Schedule was created are not among them.",
		Example: "  starter schedule resume\n  starter schedule resume --catchup\n  starter schedule resume --catchup --max 7 --parallel 2",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.check(c.Flags().Changed); err != nil {
				return err
			}
			return a.withTemporal(func(c *cobra.Command, conn *temporal.Connection) error { return a.scheduleResume(c, conn, o) })(c, args)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.catchup, "catchup", false, "run the dates that are missing, as a backfill")
	f.IntVar(&o.max, "max", 0, "with --catchup: only the latest `dates`, so many of them")
	f.IntVar(&o.parallel, "parallel", 1, "with --catchup: how many `dates` run at a time")
	return prints(c, formTable, formJSON)
}

// check reports all that is wrong with the command line at once.
func (o resumeOptions) check(given func(flag string) bool) error {
	var errs []error
	for _, flag := range []string{"max", "parallel"} {
		if given(flag) && !o.catchup {
			errs = append(errs, usagef("--%s is about the dates that --catchup runs: give --catchup, too", flag))
		}
	}
	if given("max") && o.max < 1 {
		errs = append(errs, usagef("--max %d: it is 1 or more", o.max))
	}
	if o.parallel < 1 || o.parallel > run.MaxParallel {
		errs = append(errs, usagef("--parallel %d: it is between 1 and %d", o.parallel, run.MaxParallel))
	}
	return errors.Join(errs...)
}

// span is the dates From to To, both included; none if From is empty.
type span struct {
	From  dates.Date `json:"from"`
	To    dates.Date `json:"to"`
	Dates int        `json:"dates"`
}

func spanOf(from, to dates.Date) *span {
	if from == "" || from > to {
		return nil
	}
	return &span{from, to, from.Days(to)}
}

func (s *span) String() string {
	if s.Dates == 1 {
		return fmt.Sprintf("1 date, %s", s.From)
	}
	return fmt.Sprintf("%d dates, %s to %s", s.Dates, s.From, s.To)
}

// command is what fills the dates.
func (s *span) command() string {
	return fmt.Sprintf("starter backfill --from %s --to %s --reprocess failed", s.From, s.To)
}

// resumed is what resuming the Schedule did.
type resumed struct {
	scheduleView
	// Catchup are the dates that a backfill runs now, Left those that stay missing.
	Catchup *span `json:"catchup,omitempty"`
	Left    *span `json:"left,omitempty"`
	// WorkflowID and UI are those of the backfill.
	WorkflowID string `json:"workflowId,omitempty"`
	UI         string `json:"ui,omitempty"`
}

// scheduleResume starts the backfill first: if that is not possible, the Schedule is as it was.
func (a *app) scheduleResume(c *cobra.Command, conn *temporal.Connection, o resumeOptions) error {
	ctx := c.Context()
	handle := scheduleHandle(ctx, conn)
	description, err := handle.Describe(ctx)
	if err != nil {
		return scheduleError(conn, err)
	}
	missing, err := a.missingSince(ctx, conn, description)
	if err != nil {
		return err
	}
	done := resumed{Left: missing}
	if o.catchup && missing != nil {
		if done.Catchup, done.Left = missing.latest(o.max); done.Catchup != nil {
			if done.WorkflowID, done.UI, err = a.startCatchup(ctx, conn, done.Catchup, o.parallel); err != nil {
				return err
			}
		}
	}
	if err := handle.Unpause(ctx, client.ScheduleUnpauseOptions{Note: "resumed with `starter schedule resume`"}); err != nil {
		return scheduleError(conn, err)
	}
	if description, err = handle.Describe(ctx); err != nil {
		return scheduleError(conn, err)
	}
	if done.scheduleView, err = a.viewSchedule(description); err != nil {
		return err
	}
	return a.showResumed(c, conn, done)
}

// missingSince are the dates from the day after the last success to yesterday, of those for which the Schedule should have fired since it was
// created.
func (a *app) missingSince(ctx context.Context, conn *temporal.Connection, description *client.ScheduleDescription) (*span, error) {
	firings, err := schedule.Past(ctx, conn, conn.Namespace, dailyName, description.Info, description.Info.CreatedAt, a.now())
	if err != nil || len(firings) == 0 {
		return nil, conn.Classify(err)
	}
	first, last := firings[0].Date, a.yesterday()
	for to := last; to >= first; { // the last success is rarely far back: it is looked for from the end
		from := max(first, to.Add(-29))
		entries, err := a.ledgerEntries(ctx, from, to)
		if err != nil {
			return nil, err
		}
		for i := len(entries) - 1; i >= 0; i-- {
			if entry := entries[i]; run.State(entry.State) == run.Success && !entry.Partial {
				return spanOf(entry.Date.Add(1), last), nil
			}
		}
		to = from.Add(-1)
	}
	return spanOf(first, last), nil
}

// latest splits off the latest dates, count of them; all if count is 0.
func (s *span) latest(count int) (latest, earlier *span) {
	if count == 0 || count >= s.Dates {
		return s, nil
	}
	from := s.To.Add(1 - count)
	return spanOf(from, s.To), spanOf(s.From, from.Add(-1))
}

func (a *app) startCatchup(ctx context.Context, conn *temporal.Connection, missing *span, parallel int) (id, link string, err error) {
	in := run.RangeInput{
		DAG: dailyName, From: missing.From, To: missing.To, Parallel: parallel, Trigger: run.Backfill, Reprocess: run.ReprocessFailed,
	}
	r, err := conn.ExecuteWorkflow(ctx, launch.RangeOptions(in), run.RangeWorkflow, in)
	var going *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case err == nil:
		return r.GetID(), a.uiLink(conn, r.GetID(), r.GetRunID()), nil
	case errors.As(err, &going): // somebody has asked for these dates already: that is what was wanted
		id = run.RangeWorkflowID(in.DAG, in.From, in.To)
		a.note("A backfill of these dates is going already.")
		return id, a.uiLink(conn, id, going.RunId), nil
	}
	return "", "", fmt.Errorf("the Schedule is as it was, as the backfill could not be started: %w", conn.Classify(err))
}

func (a *app) showResumed(c *cobra.Command, conn *temporal.Connection, done resumed) error {
	if a.form(c) == formJSON {
		return a.printJSON(done)
	}
	a.say("Schedule %s: %s", done.ID, a.activity(done.Paused))
	if next, err := a.firingsAhead(c.Context(), conn, 1); err == nil && len(next) > 0 {
		a.say("  next: fires at %s UTC for %s", moment(next[0].At), next[0].Date)
	}
	if done.Catchup != nil {
		a.say("\nA backfill runs what was missing: %s. Follow it with `starter status`, or at\n%s", done.Catchup, done.UI)
	}
	switch {
	case done.Left != nil && done.Catchup != nil:
		a.say("\nThis stays a gap: %s. Fill it with\n  %s", done.Left, done.Left.command())
	case done.Left != nil:
		a.say("\nMissing since the last success: %s. Nothing runs that by itself; fill it with\n  %s", done.Left, done.Left.command())
	case done.Catchup == nil:
		a.say("\nNo date is missing since the last success.")
	}
	return nil
}
