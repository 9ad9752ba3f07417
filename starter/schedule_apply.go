package main

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/schedule"
)

// pausedByApply and pausedByCommand are the reasons for a pause where none is given.
const (
	pausedByApply   = "paused with `starter schedule apply --paused`"
	pausedByCommand = "paused with `starter schedule pause`"
)

// applyOptions are the command line of `starter schedule apply`.
type applyOptions struct {
	spec   schedule.Spec
	paused bool
	reason string
	// reasonGiven says that the reason is not the default.
	reasonGiven bool
}

func (a *app) scheduleApplyCommand() *cobra.Command {
	var o applyOptions
	c := &cobra.Command{
		Use:   "apply",
		Short: "Make the Schedule what the settings and this build say it is",
		Long: "Apply creates the Schedule, or updates it, and says what it changed. Applying again changes nothing. A paused Schedule stays paused.\n\n" +
			"When it fires is PINFLOW_SCHEDULE, five fields of cron, in the time zone PINFLOW_SCHEDULE_TIMEZONE; `starter setup` and `starter doctor` go by the settings, too.\n" +
			"Each firing runs the date that has ended last in UTC. What would not run each date once is refused, with the reason.",
		Example: "  starter schedule apply\n  starter schedule apply --cron \"30 2 * * *\" --timezone UTC\n  starter schedule apply --paused --reason \"until the tables are migrated\"",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.spec.Cron == "" {
				o.spec.Cron = a.settings.Schedule
			}
			if o.spec.TimeZone == "" {
				o.spec.TimeZone = a.settings.ScheduleTimeZone
			}
			o.reasonGiven = c.Flags().Changed("reason")
			return a.scheduleApply(c, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.spec.Cron, "cron", "", "when it fires, as `fields` of cron: minute, hour, day of the month, month, day of the week (default PINFLOW_SCHEDULE)")
	f.StringVar(&o.spec.TimeZone, "timezone", "", "the IANA `zone` of the fields (default PINFLOW_SCHEDULE_TIMEZONE)")
	f.BoolVar(&o.paused, "paused", false, "leave it paused: it starts nothing until it is resumed")
	f.StringVar(&o.reason, "reason", pausedByApply, "with --paused: `why`, for others to read")
	return prints(c, formTable, formJSON)
}

func (a *app) scheduleApply(c *cobra.Command, o applyOptions) error {
	want, err := a.wantedSchedule(o.spec)
	if o.reasonGiven && !o.paused {
		err = errors.Join(err, usagef("--reason says why the Schedule is paused: give it with --paused"))
	}
	if err := errors.Join(err, checkReason(o.reason)); err != nil {
		return err
	}
	conn, err := a.connect.temporal(c.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	done, err := applySchedule(c.Context(), conn, want, o)
	if err != nil {
		return err
	}
	done.Warnings = a.scheduleWarnings(o.spec)
	return a.showApplied(c, conn, done)
}

// scheduleWarnings are what is allowed, but may surprise.
func (a *app) scheduleWarnings(spec schedule.Spec) []string {
	var all []string
	if !spec.Daily() {
		all = append(all, "it does not fire every day: a run covers one date, so the dates between are run by nobody unless somebody backfills them")
	}
	if set := scheduleSpec(a.settings); set != spec {
		all = append(all, fmt.Sprintf("the settings still say %s: set PINFLOW_SCHEDULE and PINFLOW_SCHEDULE_TIMEZONE, or the next `starter setup` changes it back", set))
	}
	return all
}

// applied is what applying the Schedule did.
type applied struct {
	ID      string  `json:"id"`
	Outcome outcome `json:"outcome"`
	// Changes are what an update changed.
	Changes []scheduleChange `json:"changes,omitempty"`
	// Paused says that the Schedule starts nothing, Reason why.
	Paused bool   `json:"paused"`
	Reason string `json:"reason,omitempty"`
	// Next is the next firing if the Schedule is active.
	Next *schedule.Firing `json:"next,omitempty"`
	// Warnings are what the one who applied it should know.
	Warnings []string `json:"warnings,omitempty"`
}

// applySchedule creates the Schedule or brings it to what is wanted. Its state, paused or not, is kept unless it is to be paused.
func applySchedule(ctx context.Context, conn *temporal.Connection, want client.ScheduleOptions, o applyOptions) (applied, error) {
	done := applied{ID: want.ID, Outcome: unchanged}
	handle := scheduleHandle(ctx, conn)
	there, err := handle.Describe(ctx)
	if errors.As(err, new(*serviceerror.NotFound)) {
		done.Outcome = created
		if o.paused {
			want.Paused, want.Note, done.Paused, done.Reason = true, o.reason, true, o.reason
		}
		_, err = conn.ScheduleClient().Create(ctx, want)
		return done, conn.Classify(err)
	}
	if err != nil {
		return applied{}, conn.Classify(err)
	}
	if done.Changes, err = scheduleChanges(there.Schedule, want); err != nil {
		return done, err
	}
	state := pausedState(there.Schedule.State, o)
	if change, changes := stateChange(there.Schedule.State, state); changes {
		done.Changes = append(done.Changes, change)
	}
	if done.Paused = state.Paused; state.Paused {
		done.Reason = state.Note
	}
	if len(done.Changes) == 0 {
		return done, nil
	}
	done.Outcome = changed
	err = handle.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		schedule := in.Description.Schedule
		schedule.Spec, schedule.Action = &want.Spec, want.Action
		schedule.Policy = &client.SchedulePolicies{Overlap: want.Overlap, CatchupWindow: want.CatchupWindow, PauseOnFailure: want.PauseOnFailure}
		now := pausedState(schedule.State, o) // somebody may have paused it since
		schedule.State = &now
		return &client.ScheduleUpdate{Schedule: &schedule}, nil
	}})
	return done, conn.Classify(err)
}

// pausedState is the state that a Schedule shall have: its own, or paused. A reason that stands is kept unless another is given.
func pausedState(there *client.ScheduleState, o applyOptions) client.ScheduleState {
	var state client.ScheduleState
	if there != nil {
		state = *there
	}
	if o.paused && (!state.Paused || o.reasonGiven || state.Note == "") {
		state.Paused, state.Note = true, o.reason
	}
	return state
}

func stateChange(there *client.ScheduleState, want client.ScheduleState) (scheduleChange, bool) {
	say := func(s client.ScheduleState) string {
		if s.Paused {
			return fmt.Sprintf("paused (%s)", s.Note)
		}
		return "active"
	}
	var from client.ScheduleState
	if there != nil {
		from = *there
	}
	return scheduleChange{"state", say(from), say(want)}, say(from) != say(want)
}

func (a *app) showApplied(c *cobra.Command, conn *temporal.Connection, done applied) error {
	next, err := a.firingsAhead(c.Context(), conn, 1)
	if err != nil {
		return err
	}
	if len(next) > 0 && !done.Paused {
		done.Next = &next[0]
	}
	if a.form(c) == formJSON {
		return a.printJSON(done)
	}
	a.say("Schedule %s: %s", done.ID, done.Outcome)
	a.sayChanges(done.Changes)
	switch {
	case done.Paused:
		a.say("  paused: %s (it starts nothing until `starter schedule resume`)", orNothing(done.Reason))
	case done.Next != nil:
		a.say("  next: fires at %s UTC for %s", moment(done.Next.At), done.Next.Date)
	}
	for _, warning := range done.Warnings {
		a.note("Note: %s.", warning)
	}
	return nil
}

func (a *app) sayChanges(changes []scheduleChange) {
	for _, change := range changes {
		line := fmt.Sprintf("  %s: %s → %s", change.What, orNothing(change.From), orNothing(change.To))
		if utf8.RuneCountInString(line) > defaultColumns {
			line = fmt.Sprintf("  %s:\n    - %s\n    + %s", change.What, orNothing(change.From), orNothing(change.To))
		}
		a.say("%s", line)
	}
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// firingsAhead are the next firings, as many as there are within four years each: 29 February comes that seldom. They are those of a
// Schedule that is not paused; a paused one does not keep them.
func (a *app) firingsAhead(ctx context.Context, conn *temporal.Connection, count int) ([]schedule.Firing, error) {
	now := a.now()
	until := now.AddDate(min(4*count, 70), 0, 0) // Temporal's calendar ends with 2100
	all, err := schedule.Firings(ctx, conn, conn.Namespace, dailyName, now, until.Truncate(time.Second))
	if err != nil {
		return nil, scheduleError(conn, err)
	}
	return all[:min(count, len(all))], nil
}
