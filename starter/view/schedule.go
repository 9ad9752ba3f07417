package view

import (
	"cmp"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
)

// Schedule prints the Schedule: its state, recent and next firings, and how it differs from the
// settings.
func (v *View) Schedule(s history.ScheduleView) {
	v.Say("Schedule %s: %s", s.ID, v.activity(s.Paused))
	v.Say("  fires: %s (%s)", s.Fires, s.TimeZone)
	if s.Note != "" {
		v.Say("  note: %s", s.Note)
	}
	if s.Missed > 0 {
		v.Say("  missed firings: %d (see `%s`; run their dates with a backfill)", s.Missed, v.Command("status"))
	}
	g := term.Table{Header: []string{"firing (utc)", "date", "started"}}
	for _, f := range s.Recent {
		g.Rows = append(g.Rows, []string{term.Moment(f.Scheduled), f.Date, f.WorkflowID})
	}
	for _, next := range s.Next {
		g.Rows = append(g.Rows, []string{term.Moment(next), string(schedule.LogicalDate(next)), "to come"})
	}
	if len(g.Rows) > 0 {
		v.PrintTable(g)
	}
	if len(s.Behind) > 0 {
		v.Say("\nIt differs from the settings and this build: run `%s`.", v.Command("schedule apply"))
		v.changes(s.Behind)
	}
}

// AppliedSchedule prints what applying the Schedule did.
func (v *View) AppliedSchedule(done control.AppliedSchedule) {
	v.Say("Schedule %s: %s", done.ID, done.Outcome)
	v.changes(done.Changes)
	switch {
	case done.Paused:
		v.Say("  paused: %s (it starts no runs until `%s`)", cmp.Or(done.Reason, "no reason given"), v.Command("schedule resume"))
	case done.Next != nil:
		v.Say("  next: fires at %s UTC for %s", term.Moment(done.Next.At), done.Next.Date)
	}
	for _, warning := range done.Warnings {
		v.Log("Warning: %s.", warning)
	}
}

// ResumedSchedule prints what resuming the Schedule did. next is nil if it does not fire again.
func (v *View) ResumedSchedule(done control.Resumed, next *schedule.Firing) {
	v.Say("Schedule %s: %s", done.ID, v.activity(done.Paused))
	if next != nil {
		v.Say("  next: fires at %s UTC for %s", term.Moment(next.At), next.Date)
	}
	if done.Catchup != nil {
		v.Say("\nA backfill runs the missing dates: %s. Follow it with `%s`, or at\n%s", done.Catchup, v.Command("status"), done.UI)
	}
	switch {
	case done.Left != nil && done.Catchup != nil:
		v.Say("\nStill missing: %s. Run them with\n  %s", done.Left, v.Command(done.Left.BackfillArgs()))
	case done.Left != nil:
		v.Say("\nMissing since the last success: %s. Run them with\n  %s", done.Left, v.Command(done.Left.BackfillArgs()))
	case done.Catchup == nil:
		v.Say("\nNo date is missing since the last success.")
	}
}

// NextFirings prints firings of the Schedule, and the logical date of each.
func (v *View) NextFirings(s history.ScheduleView, firings []schedule.Firing) {
	if s.Paused {
		v.Say("Schedule %s is %s (%s). If it is resumed, it fires:", s.ID, v.activity(true), cmp.Or(s.Note, "no reason given"))
	}
	g := term.Table{Header: []string{"firing (utc)", "date"}}
	local := s.TimeZone != "UTC"
	if local {
		g.Header = append(g.Header, "in "+s.TimeZone)
	}
	for _, f := range firings {
		row := []string{term.Moment(f.At), string(f.Date)}
		if local {
			row = append(row, inZone(f.At, s.TimeZone))
		}
		g.Rows = append(g.Rows, row)
	}
	if len(g.Rows) == 0 {
		v.Say("It does not fire again: apply another one with `%s`.", v.Command("schedule apply"))
		return
	}
	v.PrintTable(g)
}

// activity returns the state of a Schedule in one word.
func (v *View) activity(paused bool) string {
	if paused {
		return v.Paint(text.FgYellow, "paused")
	}
	return v.Paint(text.FgGreen, "active")
}

func (v *View) changes(changes []history.ScheduleChange) {
	for _, change := range changes {
		from, to := cmp.Or(change.From, "nothing"), cmp.Or(change.To, "nothing")
		line := fmt.Sprintf("  %s: %s → %s", change.What, from, to)
		if utf8.RuneCountInString(line) > term.DefaultColumns {
			line = fmt.Sprintf("  %s:\n    - %s\n    + %s", change.What, from, to)
		}
		v.Say("%s", line)
	}
}

// inZone returns a point in time in a time zone.
func inZone(at time.Time, zone string) string {
	location, err := time.LoadLocation(zone)
	if err != nil { // Temporal knows a zone that this machine does not
		return ""
	}
	return at.In(location).Format("2006-01-02 15:04:05 MST")
}
