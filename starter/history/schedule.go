package history

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/starter/exit"
)

// nextFirings is how many firings `schedule show` lists.
const nextFirings = 5

// ScheduleHandle returns the handle of the DAG's Schedule.
func (r *Reader) ScheduleHandle(ctx context.Context, conn *temporal.Connection) client.ScheduleHandle {
	return conn.ScheduleClient().GetHandle(ctx, r.Settings.Deployment.ScheduleID(r.DAG.Name))
}

// ScheduleError classifies an error of the Schedule, and says what to do if there is none.
func (r *Reader) ScheduleError(conn *temporal.Connection, err error) error {
	if errors.As(err, new(*serviceerror.NotFound)) {
		return fmt.Errorf("there is no Schedule %s in namespace %s: create it with `%s`", r.Settings.Deployment.ScheduleID(r.DAG.Name), conn.Namespace, r.Command("schedule apply"))
	}
	return conn.Classify(err)
}

// ScheduleSpec returns when the DAG runs: as its definition says, unless the settings override it.
func (r *Reader) ScheduleSpec() schedule.Spec {
	set := r.Settings.Definition(r.DAG).Schedule
	return schedule.Spec{Cron: set.Cron, TimeZone: set.TimeZone}
}

// ScheduleView is the Schedule as Temporal has it.
type ScheduleView struct {
	ID     string `json:"id"`
	Paused bool   `json:"paused"`
	// Fires is when it fires, in words and in TimeZone.
	Fires    string `json:"fires"`
	TimeZone string `json:"timeZone"`
	// Note is the reason given when it was paused or resumed.
	Note string      `json:"note,omitempty"`
	Next []time.Time `json:"next"`
	// Recent holds recent firings, the latest last.
	Recent []ScheduledStart `json:"recent"`
	// Missed counts firings outside of the catchup window, Dropped those that overlapped with
	// another.
	Missed  int `json:"missed"`
	Dropped int `json:"dropped,omitempty"`
	// Behind holds the differences from the settings and this build.
	Behind []ScheduleChange `json:"behind,omitempty"`
}

// ScheduledStart is one firing of the Schedule.
type ScheduledStart struct {
	Scheduled  time.Time `json:"scheduled"`
	Actual     time.Time `json:"actual"`
	Date       string    `json:"date"`
	WorkflowID string    `json:"workflowId"`
}

// ViewSchedule returns the Schedule of a description, and how it differs from the settings.
func (r *Reader) ViewSchedule(d *client.ScheduleDescription) (ScheduleView, error) {
	view := ScheduleView{
		ID: r.Settings.Deployment.ScheduleID(r.DAG.Name), Missed: d.Info.NumActionsMissedCatchupWindow, Dropped: d.Info.NumActionsSkippedOverlap,
		Next: []time.Time{}, Recent: []ScheduledStart{},
	}
	if spec := d.Schedule.Spec; spec != nil {
		view.Fires, view.TimeZone = calendars(spec.Calendars), zoneName(spec)
	}
	if d.Schedule.State != nil {
		view.Paused, view.Note = d.Schedule.State.Paused, strings.TrimSpace(d.Schedule.State.Note)
	}
	if !view.Paused { // a paused Schedule has next times, at which it starts nothing
		view.Next = append(view.Next, d.Info.NextActionTimes[:min(nextFirings, len(d.Info.NextActionTimes))]...)
	}
	for _, action := range d.Info.RecentActions {
		f := ScheduledStart{Scheduled: action.ScheduleTime, Actual: action.ActualTime, Date: string(schedule.LogicalDate(action.ScheduleTime))}
		if action.StartWorkflowResult != nil {
			f.WorkflowID = action.StartWorkflowResult.WorkflowID
		}
		view.Recent = append(view.Recent, f)
	}
	if r.ScheduleSpec().Cron == "" { // applied with --cron: there is nothing to compare it with
		return view, nil
	}
	want, err := schedule.Options(r.Settings.Deployment, r.DAG.Name, r.ScheduleSpec())
	if err != nil {
		return ScheduleView{}, &exit.UsageError{Err: err}
	}
	view.Behind, err = ScheduleChanges(d.Schedule, want)
	return view, err
}

// NextFirings returns the next firings, as if the Schedule were not paused. It looks ahead four
// years for each: 29 February comes no more often.
func (r *Reader) NextFirings(ctx context.Context, conn *temporal.Connection, count int) ([]schedule.Firing, error) {
	now := r.Now()
	until := now.AddDate(min(4*count, 70), 0, 0) // Temporal's calendar ends with 2100
	all, err := schedule.Firings(ctx, conn, conn.Namespace, r.Settings.Deployment.ScheduleID(r.DAG.Name), now, until.Truncate(time.Second))
	if err != nil {
		return nil, r.ScheduleError(conn, err)
	}
	return all[:min(count, len(all))], nil
}
