package control

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
)

// Outcome is what a change did.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "created"
	Changed   Outcome = "changed"
	Unchanged Outcome = "unchanged"
	Deleted   Outcome = "deleted"
)

// ApplyOptions is how the Schedule is applied.
type ApplyOptions struct {
	Spec schedule.Spec
	// Paused leaves the Schedule paused, with the Reason.
	Paused bool
	Reason string
	// KeepReason keeps the reason of a Schedule that is paused already.
	KeepReason bool
}

// AppliedSchedule is what applying the Schedule did.
type AppliedSchedule struct {
	ID      string  `json:"id"`
	Outcome Outcome `json:"outcome"`
	// Changes holds what an update changed.
	Changes []history.ScheduleChange `json:"changes,omitempty"`
	// Paused reports whether the Schedule is paused, Reason why.
	Paused bool   `json:"paused"`
	Reason string `json:"reason,omitempty"`
	// Next is the next firing of an active Schedule.
	Next *schedule.Firing `json:"next,omitempty"`
	// Warnings are about what is allowed but may surprise.
	Warnings []string `json:"warnings,omitempty"`
}

// ScheduleOptions returns the Schedule of a specification. The error of one that would not run each
// date once is an *exit.UsageError with all that is wrong.
func (c *Controller) ScheduleOptions(spec schedule.Spec) (client.ScheduleOptions, error) {
	if spec.Cron == "" {
		return client.ScheduleOptions{}, exit.Usagef("DAG %s has no schedule: set Schedule in its definition, PINFLOW_SCHEDULES, or --cron", c.DAG.Name)
	}
	if err := spec.Check(c.DAG.Deadline, c.Now()); err != nil {
		return client.ScheduleOptions{}, &exit.UsageError{Err: fmt.Errorf("invalid Schedule (the definition of the DAG, PINFLOW_SCHEDULES and PINFLOW_SCHEDULE_TIMEZONE, or --cron and --timezone):\n%w", err)}
	}
	return schedule.Options(c.Settings.Deployment, c.DAG.Name, spec)
}

// ApplySchedule creates the Schedule, or updates it to the wanted one. Paused or not, its state is
// kept unless the options pause it.
func (c *Controller) ApplySchedule(ctx context.Context, conn *temporal.Connection, want client.ScheduleOptions, o ApplyOptions) (AppliedSchedule, error) {
	done := AppliedSchedule{ID: want.ID, Outcome: Unchanged, Warnings: c.scheduleWarnings(o.Spec)}
	handle := c.ScheduleHandle(ctx, conn)
	current, err := handle.Describe(ctx)
	if errors.As(err, new(*serviceerror.NotFound)) {
		done.Outcome = Created
		if o.Paused {
			want.Paused, want.Note, done.Paused, done.Reason = true, o.Reason, true, o.Reason
		}
		_, err = conn.ScheduleClient().Create(ctx, want)
		return done, conn.Classify(err)
	}
	if err != nil {
		return AppliedSchedule{}, conn.Classify(err)
	}
	if done.Changes, err = history.ScheduleChanges(current.Schedule, want); err != nil {
		return done, err
	}
	state := stateAfter(current.Schedule.State, o)
	if change, changes := stateChange(current.Schedule.State, state); changes {
		done.Changes = append(done.Changes, change)
	}
	if done.Paused = state.Paused; state.Paused {
		done.Reason = state.Note
	}
	if len(done.Changes) == 0 {
		return done, nil
	}
	done.Outcome = Changed
	err = handle.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		updated := in.Description.Schedule
		updated.Spec, updated.Action = &want.Spec, want.Action
		updated.Policy = &client.SchedulePolicies{Overlap: want.Overlap, CatchupWindow: want.CatchupWindow, PauseOnFailure: want.PauseOnFailure}
		now := stateAfter(updated.State, o) // it may have been paused since
		updated.State = &now
		return &client.ScheduleUpdate{Schedule: &updated}, nil
	}})
	return done, conn.Classify(err)
}

func (c *Controller) scheduleWarnings(spec schedule.Spec) []string {
	var all []string
	if !spec.Daily() {
		all = append(all, "it does not fire every day: a run covers one date, so the dates in between run only in backfills")
	}
	switch set := c.ScheduleSpec(); {
	case set.Cron == "":
		all = append(all, "neither the definition of the DAG nor the settings have a schedule: set PINFLOW_SCHEDULES, so that `starter setup` keeps it")
	case set != spec:
		all = append(all, fmt.Sprintf("the settings still say %s: set PINFLOW_SCHEDULES and PINFLOW_SCHEDULE_TIMEZONE, or the next `starter setup` changes it back", set))
	}
	return all
}

// stateAfter returns the state that a Schedule gets: its own, or paused.
func stateAfter(current *client.ScheduleState, o ApplyOptions) client.ScheduleState {
	var state client.ScheduleState
	if current != nil {
		state = *current
	}
	if o.Paused && (!state.Paused || !o.KeepReason || state.Note == "") {
		state.Paused, state.Note = true, o.Reason
	}
	return state
}

func stateChange(current *client.ScheduleState, want client.ScheduleState) (change history.ScheduleChange, changes bool) {
	text := func(s client.ScheduleState) string {
		if s.Paused {
			return fmt.Sprintf("paused (%s)", s.Note)
		}
		return "active"
	}
	var from client.ScheduleState
	if current != nil {
		from = *current
	}
	return history.ScheduleChange{What: "state", From: text(from), To: text(want)}, text(from) != text(want)
}
