package view

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

const (
	// calendarNames is the width of the names of the weekdays.
	calendarNames = 4
	// calendarWeeks is how many weeks a year can touch: 366 days from a Sunday on.
	calendarWeeks = 54
	// calendarListed is how many dates of a state are listed below the calendar.
	calendarListed = 12
)

// CalendarDay is a date of the year in the JSON output.
type CalendarDay struct {
	Date    dates.Date  `json:"date"`
	State   run.State   `json:"state"`
	Trigger run.Trigger `json:"trigger"`
	RunID   string      `json:"runId"`
}

// Calendar draws the year, the legend, and lists the dates that need attention.
func (v *View) Calendar(h *history.Span, year int, counts map[run.State]int) {
	width, _ := term.Columns(v.Out)
	cell := 1
	if calendarNames+2*calendarWeeks <= width {
		cell = 2
	}
	v.Say("%s in %d\n", v.Paint(text.Bold, v.DAG.Name), year)
	v.Say("%s%s", strings.Repeat(" ", calendarNames), calendarMonths(h.From, cell))
	today := dates.Of(v.Now())
	for weekday := range 7 {
		row := term.Pad([]string{"Mon", "", "Wed", "", "Fri", "", "Sun"}[weekday], calendarNames)
		for date := h.From.Add(weekday - weekdayOf(h.From)); date <= h.To; date = date.Add(7) {
			day := " "
			if r, ok := h.Runs[date]; ok {
				day = v.calendarMark(mark.OfRun(r.Status))
			} else if date >= h.From && date <= today {
				day = mark.Paint(v.Term, run.None)
			}
			row += term.Pad(day, cell)
		}
		v.Say("%s", strings.TrimRight(row, " "))
	}
	v.Say("\n%s", term.Flow(width, v.calendarLegend(h, counts, today)))
	for _, state := range []run.State{run.Failed, run.Cancelled, run.Blocked, run.Held, mark.Warned, mark.Partial, run.Running} {
		v.listDates(h, width, state)
	}
	v.sayBlocked(blockedLines(h))
	v.sayUnrecorded(unrecordedDates(h))
}

// calendarMark returns the mark of a date: a square for a success, so that the others are easy to
// see.
func (v *View) calendarMark(state run.State) string {
	if state == run.Success {
		return mark.Color(v.Term, state, "■")
	}
	return mark.Paint(v.Term, state)
}

// calendarLegend explains the marks and counts the dates of each.
func (v *View) calendarLegend(h *history.Span, counts map[run.State]int, today dates.Date) []string {
	var items []string
	for _, m := range []struct {
		state run.State
		name  string
	}{
		{run.Success, "success"}, {run.Failed, "failed"}, {run.Cancelled, "cancelled"}, {mark.Warned, "warned"}, {mark.Partial, "partial"}, {run.Running, "running"}, {run.Held, "held"},
		{run.Blocked, "blocked"},
	} {
		if counts[m.state] == 0 && (m.state == mark.Warned || m.state == run.Cancelled || m.state == run.Blocked) { // rare: no word about it without one
			continue
		}
		items = append(items, fmt.Sprintf("%s %d %s", v.calendarMark(m.state), counts[m.state], m.name))
	}
	none := h.From.Days(min(h.To, today))
	for _, run := range h.All() {
		if run.Date <= today {
			none--
		}
	}
	return append(items, fmt.Sprintf("%s %d not run", mark.Paint(v.Term, run.None), none))
}

// listDates lists the dates of a state, up to calendarListed of them.
func (v *View) listDates(h *history.Span, width int, state run.State) {
	var items []string
	for _, run := range h.All() {
		if mark.OfRun(run.Status) == state {
			items = append(items, string(run.Date))
		}
	}
	if len(items) == 0 {
		return
	}
	if more := len(items) - calendarListed; more > 0 {
		items = append(items[:calendarListed], fmt.Sprintf("and %d more", more))
	}
	v.Say("\n%s:\n%s", state, term.Indent(term.Flow(width-2, items)))
}

// calendarMonths returns the names of the months over the weeks in which they begin.
func calendarMonths(first dates.Date, cell int) string {
	line := ""
	for month := range 12 {
		begins := first.Start().AddDate(0, month, 0)
		week := (first.Days(dates.Of(begins)) - 1 + weekdayOf(first)) / 7
		line = term.Pad(line, week*cell) + begins.Format("Jan")
	}
	return line
}

// weekdayOf returns the weekday of a date; Monday is 0.
func weekdayOf(date dates.Date) int { return (int(date.Start().Weekday()) + 6) % 7 }
