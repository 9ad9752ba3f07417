package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/workflows"
)

// nextFirings is how many firings `schedule show` lists.
const nextFirings = 5

func (a *app) scheduleCommand() *cobra.Command {
	show := prints(&cobra.Command{
		Use:     "show",
		Short:   "Show the Schedule: its state, what it started last, and what comes next",
		Example: "  starter schedule show\n  starter schedule show -o json",
		Args:    cobra.NoArgs,
		RunE:    a.withTemporal(a.showSchedule),
	}, formTable, formJSON)
	return group("schedule", "Apply, pause, resume, preview, show or delete the daily Schedule", groupRuns,
		a.scheduleApplyCommand(), a.schedulePauseCommand(), a.scheduleResumeCommand(), a.scheduleNextCommand(), show, a.scheduleDeleteCommand())
}

// withTemporal makes a command of what needs a connection to Temporal and no arguments.
func (a *app) withTemporal(run func(*cobra.Command, *temporal.Connection) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		conn, err := a.connect.temporal(c.Context())
		if err != nil {
			return err
		}
		defer conn.Close()
		return run(c, conn)
	}
}

func scheduleHandle(ctx context.Context, conn *temporal.Connection) client.ScheduleHandle {
	return conn.ScheduleClient().GetHandle(ctx, run.ScheduleID(dailyName))
}

// scheduleError says what to do about a Schedule that is not there.
func scheduleError(conn *temporal.Connection, err error) error {
	if errors.As(err, new(*serviceerror.NotFound)) {
		return fmt.Errorf("there is no Schedule %s in namespace %s: create it with `starter schedule apply`", run.ScheduleID(dailyName), conn.Namespace)
	}
	return conn.Classify(err)
}

// scheduleSpec is when the Schedule is to fire, as the settings say.
func scheduleSpec(settings config.Config) schedule.Spec {
	return schedule.Spec{Cron: settings.Schedule, TimeZone: settings.ScheduleTimeZone}
}

// wantedSchedule is the Schedule of a specification. One that would not run each date once is a *usageError with all that is wrong.
func (a *app) wantedSchedule(spec schedule.Spec) (client.ScheduleOptions, error) {
	named, err := workflows.DefaultCatalog.Definition(dailyName)
	if err != nil {
		return client.ScheduleOptions{}, err
	}
	if err := spec.Check(named.Deadline, a.now()); err != nil {
		return client.ScheduleOptions{}, &usageError{fmt.Errorf("the Schedule is refused (PINFLOW_SCHEDULE and PINFLOW_SCHEDULE_TIMEZONE, or --cron and --timezone):\n%w", err)}
	}
	return schedule.Options(dailyName, spec)
}

// scheduleView is what `schedule show` shows.
type scheduleView struct {
	ID     string `json:"id"`
	Paused bool   `json:"paused"`
	// Fires says when, in words, by the clocks of TimeZone.
	Fires    string `json:"fires"`
	TimeZone string `json:"timeZone"`
	// Note is why it is paused, or what was said when it was resumed.
	Note string      `json:"note,omitempty"`
	Next []time.Time `json:"next"`
	// Recent are the latest firings, the newest last.
	Recent []firing `json:"recent"`
	// Missed counts firings that came too late to be made up; Dropped those that another one's run was in the way of.
	Missed  int `json:"missed"`
	Dropped int `json:"dropped,omitempty"`
	// Behind are the ways in which the Schedule differs from what settings and build say it is.
	Behind []scheduleChange `json:"behind,omitempty"`
}

// firing is one firing of the Schedule.
type firing struct {
	Scheduled  time.Time `json:"scheduled"`
	Actual     time.Time `json:"actual"`
	Date       string    `json:"date"`
	WorkflowID string    `json:"workflowId"`
}

func (a *app) showSchedule(c *cobra.Command, conn *temporal.Connection) error {
	description, err := scheduleHandle(c.Context(), conn).Describe(c.Context())
	if err != nil {
		return scheduleError(conn, err)
	}
	view, err := a.viewSchedule(description)
	if err != nil {
		return err
	}
	if a.form(c) == formJSON {
		return a.printJSON(view)
	}
	a.say("Schedule %s: %s", view.ID, a.activity(view.Paused))
	a.say("  fires: %s (%s)", view.Fires, view.TimeZone)
	if view.Note != "" {
		a.say("  note: %s", view.Note)
	}
	if view.Missed > 0 {
		a.say("  missed firings: %d (see `starter status`; run their dates with `starter backfill`)", view.Missed)
	}
	g := grid{header: []string{"firing (utc)", "date", "started"}}
	for _, f := range view.Recent {
		g.rows = append(g.rows, []string{moment(f.Scheduled), f.Date, f.WorkflowID})
	}
	for _, next := range view.Next {
		g.rows = append(g.rows, []string{moment(next), string(schedule.LogicalDate(next)), "to come"})
	}
	if len(g.rows) > 0 {
		a.printGrid(g)
	}
	if len(view.Behind) > 0 {
		a.say("\nIt differs from what the settings and this build say it is: run `starter schedule apply`.")
		a.sayChanges(view.Behind)
	}
	return nil
}

// activity is the state of a Schedule in one word.
func (a *app) activity(paused bool) string {
	if paused {
		return a.paint(text.FgYellow, "paused")
	}
	return a.paint(text.FgGreen, "active")
}

// viewSchedule is the Schedule as others see it, compared with the one that the settings ask for.
func (a *app) viewSchedule(d *client.ScheduleDescription) (scheduleView, error) {
	view := scheduleView{
		ID: run.ScheduleID(dailyName), Missed: d.Info.NumActionsMissedCatchupWindow, Dropped: d.Info.NumActionsSkippedOverlap,
		Next: []time.Time{}, Recent: []firing{},
	}
	if spec := d.Schedule.Spec; spec != nil {
		view.Fires, view.TimeZone = calendars(spec.Calendars), zoneName(spec)
	}
	if d.Schedule.State != nil {
		view.Paused, view.Note = d.Schedule.State.Paused, strings.TrimSpace(d.Schedule.State.Note)
	}
	if !view.Paused { // a paused Schedule is given its times, but does not keep them
		view.Next = append(view.Next, d.Info.NextActionTimes[:min(nextFirings, len(d.Info.NextActionTimes))]...)
	}
	for _, action := range d.Info.RecentActions {
		f := firing{Scheduled: action.ScheduleTime, Actual: action.ActualTime, Date: string(schedule.LogicalDate(action.ScheduleTime))}
		if action.StartWorkflowResult != nil {
			f.WorkflowID = action.StartWorkflowResult.WorkflowID
		}
		view.Recent = append(view.Recent, f)
	}
	want, err := schedule.Options(dailyName, scheduleSpec(a.settings))
	if err != nil {
		return scheduleView{}, &usageError{err}
	}
	view.Behind, err = scheduleChanges(d.Schedule, want)
	return view, err
}
