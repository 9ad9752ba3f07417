package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/workflows"
)

// nextFirings is how many firings `schedule show` lists.
const nextFirings = 5

func (a *app) scheduleCommand() *cobra.Command {
	apply := &cobra.Command{
		Use:   "apply",
		Short: "Make the Schedule what this build says it is",
		Long:  "Apply creates the Schedule, or updates it, and says what it changed. Applying again changes nothing. A paused Schedule stays paused.",
		Args:  cobra.NoArgs,
		RunE: a.withTemporal(func(c *cobra.Command, conn *temporal.Connection) error {
			done, err := applySchedule(c.Context(), conn)
			if err != nil {
				return err
			}
			return a.showApplied(c, done)
		}),
	}
	var reason string
	pause := &cobra.Command{
		Use:   "pause",
		Short: "Stop the Schedule from starting runs",
		Args:  cobra.NoArgs,
		RunE: a.withTemporal(func(c *cobra.Command, conn *temporal.Connection) error {
			if err := scheduleHandle(c.Context(), conn).Pause(c.Context(), client.SchedulePauseOptions{Note: reason}); err != nil {
				return scheduleError(conn, err)
			}
			return a.showSchedule(c, conn)
		}),
	}
	pause.Flags().StringVar(&reason, "reason", "paused with `starter schedule pause`", "why, for others to read")
	resume := &cobra.Command{
		Use:   "resume",
		Short: "Let a paused Schedule start runs again",
		Long:  "Resume lets a paused Schedule start runs again. Dates that it has missed are not made up silently: run them with `starter backfill`.",
		Args:  cobra.NoArgs,
		RunE: a.withTemporal(func(c *cobra.Command, conn *temporal.Connection) error {
			if err := scheduleHandle(c.Context(), conn).Unpause(c.Context(), client.ScheduleUnpauseOptions{Note: "resumed with `starter schedule resume`"}); err != nil {
				return scheduleError(conn, err)
			}
			return a.showSchedule(c, conn)
		}),
	}
	show := &cobra.Command{
		Use:   "show",
		Short: "Show the Schedule: its state, what it started last, and what comes next",
		Args:  cobra.NoArgs,
		RunE:  a.withTemporal(a.showSchedule),
	}
	for _, c := range []*cobra.Command{apply, pause, resume, show} {
		prints(c, formTable, formJSON)
	}
	return group("schedule", "Apply, pause, resume or show the daily Schedule", groupRuns, apply, pause, resume, show)
}

// withTemporal makes a command of what needs a connection to Temporal and no arguments.
func (a *app) withTemporal(run func(*cobra.Command, *temporal.Connection) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		conn, err := a.temporal(c.Context())
		if err != nil {
			return err
		}
		defer conn.Close()
		return run(c, conn)
	}
}

func scheduleHandle(ctx context.Context, conn *temporal.Connection) client.ScheduleHandle {
	return conn.ScheduleClient().GetHandle(ctx, workflows.ScheduleID(dag))
}

// scheduleError says what to do about a Schedule that is not there.
func scheduleError(conn *temporal.Connection, err error) error {
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return fmt.Errorf("there is no Schedule %s in namespace %s: create it with `starter schedule apply`", workflows.ScheduleID(dag), conn.Namespace)
	}
	return conn.Classify(err)
}

// applied is what applying the Schedule did.
type applied struct {
	ID      string  `json:"id"`
	Outcome outcome `json:"outcome"`
	// Changes are what an update changed.
	Changes []scheduleChange `json:"changes,omitempty"`
}

// applySchedule creates the Schedule or brings it to what this build says. Its state, paused or not, is kept.
func applySchedule(ctx context.Context, conn *temporal.Connection) (applied, error) {
	want := workflows.Schedule(dag)
	done := applied{ID: want.ID, Outcome: unchanged}
	handle := scheduleHandle(ctx, conn)
	there, err := handle.Describe(ctx)
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		done.Outcome = created
		_, err = conn.ScheduleClient().Create(ctx, want)
		return done, conn.Classify(err)
	}
	if err != nil {
		return applied{}, conn.Classify(err)
	}
	if done.Changes, err = scheduleChanges(there.Schedule, want); err != nil || len(done.Changes) == 0 {
		return done, err
	}
	done.Outcome = changed
	err = handle.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		schedule := in.Description.Schedule
		schedule.Spec, schedule.Action = &want.Spec, want.Action
		schedule.Policy = &client.SchedulePolicies{Overlap: want.Overlap, CatchupWindow: want.CatchupWindow, PauseOnFailure: want.PauseOnFailure}
		return &client.ScheduleUpdate{Schedule: &schedule}, nil
	}})
	return done, conn.Classify(err)
}

func (a *app) showApplied(c *cobra.Command, done applied) error {
	if a.form(c) == formJSON {
		return a.printJSON(done)
	}
	a.say("Schedule %s: %s", done.ID, done.Outcome)
	for _, change := range done.Changes {
		a.say("  %s: %s → %s", change.What, orNothing(change.From), orNothing(change.To))
	}
	return nil
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// scheduleView is what `schedule show` shows.
type scheduleView struct {
	ID     string      `json:"id"`
	Paused bool        `json:"paused"`
	Note   string      `json:"note,omitempty"`
	Next   []time.Time `json:"next"`
	// Recent are the latest firings, the newest last.
	Recent []firing `json:"recent"`
	// Missed counts firings that came too late to be made up.
	Missed int `json:"missed"`
	// Behind are the ways in which the Schedule differs from what this build says it is.
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
	view, err := viewSchedule(description)
	if err != nil {
		return err
	}
	if a.form(c) == formJSON {
		return a.printJSON(view)
	}
	state := a.paint(text.FgGreen, "active")
	if view.Paused {
		state = a.paint(text.FgYellow, "paused")
	}
	a.say("Schedule %s: %s", view.ID, state)
	if view.Note != "" {
		a.say("  note: %s", view.Note)
	}
	if view.Missed > 0 {
		a.say("  missed firings: %d (run their dates with `starter backfill`)", view.Missed)
	}
	g := grid{header: []string{"firing (utc)", "date", "started"}}
	for _, f := range view.Recent {
		g.rows = append(g.rows, []string{moment(f.Scheduled), f.Date, f.WorkflowID})
	}
	for _, next := range view.Next {
		g.rows = append(g.rows, []string{moment(next), string(workflows.LogicalDate(next)), "to come"})
	}
	if len(g.rows) > 0 {
		a.printGrid(g)
	}
	if len(view.Behind) > 0 {
		a.say("\nIt differs from what this build says it is: run `starter schedule apply`.")
	}
	return nil
}

func viewSchedule(d *client.ScheduleDescription) (scheduleView, error) {
	view := scheduleView{ID: workflows.ScheduleID(dag), Missed: d.Info.NumActionsMissedCatchupWindow, Next: []time.Time{}, Recent: []firing{}}
	if d.Schedule.State != nil {
		view.Paused, view.Note = d.Schedule.State.Paused, strings.TrimSpace(d.Schedule.State.Note)
	}
	if !view.Paused { // a paused Schedule is given its times, but does not keep them
		view.Next = append(view.Next, d.Info.NextActionTimes[:min(nextFirings, len(d.Info.NextActionTimes))]...)
	}
	for _, action := range d.Info.RecentActions {
		f := firing{Scheduled: action.ScheduleTime, Actual: action.ActualTime, Date: string(workflows.LogicalDate(action.ScheduleTime))}
		if action.StartWorkflowResult != nil {
			f.WorkflowID = action.StartWorkflowResult.WorkflowID
		}
		view.Recent = append(view.Recent, f)
	}
	var err error
	view.Behind, err = scheduleChanges(d.Schedule, workflows.Schedule(dag))
	return view, err
}
