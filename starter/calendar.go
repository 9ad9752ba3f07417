package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

const (
	// calendarNames is how wide the names of the weekdays are.
	calendarNames = 4
	// calendarWeeks is the most weeks that a year touches: 366 days from a Sunday on.
	calendarWeeks = 54
	// calendarListed is how many dates of a kind are named below the calendar.
	calendarListed = 12
)

// calendarDay is a date of the year for programs.
type calendarDay struct {
	Date    dates.Date  `json:"date"`
	State   run.State   `json:"state"`
	Trigger run.Trigger `json:"trigger"`
	RunID   string      `json:"runId"`
}

func (a *app) calendarCommand() *cobra.Command {
	var year int
	c := &cobra.Command{
		Use:   "calendar",
		Short: "Show a year: how the latest run of each date stands",
		Long: "Calendar shows a column for each week and a row for each weekday. It reads the ledger, so it also knows the runs that Temporal has forgotten.\n\n" +
			"A date that was run before it was over counts as partial until a later run completes it.",
		Example: "  starter calendar\n  starter calendar --year 2022",
		GroupID: groupViews,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			today := a.now().UTC().Year()
			switch {
			case !c.Flags().Changed("year"):
				year = today
			case year < 1970 || year > today:
				return usagef("--year %d: want a year from 1970 to %d", year, today)
			}
			return a.calendar(c, year)
		},
	}
	c.Flags().IntVar(&year, "year", 0, "the `year`; this one if none is given")
	return prints(c, formTable, formJSON)
}

func (a *app) calendar(c *cobra.Command, year int) error {
	first := dates.Of(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC))
	h, err := a.history(c.Context(), first, dates.Of(time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		return err
	}
	counts := map[run.State]int{}
	days := []calendarDay{}
	for _, run := range h.all() {
		counts[runMark(run.Status)]++
		days = append(days, calendarDay{run.Date, runMark(run.Status), run.Trigger, run.RunID})
	}
	if a.form(c) == formJSON {
		err = a.printJSON(struct {
			DAG    string            `json:"dag"`
			Year   int               `json:"year"`
			Counts map[run.State]int `json:"counts"`
			Dates  []calendarDay     `json:"dates"`
		}{dailyName, year, counts, days})
	} else {
		a.printCalendar(h, year, counts)
	}
	if err != nil {
		return err
	}
	return a.shown(h.lost)
}

// printCalendar draws the year, what its marks mean, and which dates want a look.
func (a *app) printCalendar(h *history, year int, counts map[run.State]int) {
	width, _ := columns(a.stdout)
	cell := 1
	if calendarNames+2*calendarWeeks <= width {
		cell = 2
	}
	a.say("%s in %d\n", a.paint(text.Bold, dailyName), year)
	a.say("%s%s", strings.Repeat(" ", calendarNames), calendarMonths(h.from, cell))
	today := dates.Of(a.now())
	for weekday := range 7 {
		row := pad([]string{"Mon", "", "Wed", "", "Fri", "", "Sun"}[weekday], calendarNames)
		for date := h.from.Add(weekday - weekdayOf(h.from)); date <= h.to; date = date.Add(7) {
			mark := " "
			if r, ok := h.runs[date]; ok {
				mark = a.calendarMark(runMark(r.Status))
			} else if date >= h.from && date <= today {
				mark = a.paintMark(run.None)
			}
			row += pad(mark, cell)
		}
		a.say("%s", strings.TrimRight(row, " "))
	}
	a.say("\n%s", flow(width, a.calendarLegend(h, counts, today)))
	for _, state := range []run.State{run.Failed, run.Held, partialRun, run.Running} {
		a.listDates(h, width, state)
	}
}

// calendarMark is a square for what is done, so that what is not stands out.
func (a *app) calendarMark(state run.State) string {
	if state == run.Success {
		return a.paintState(state, "■")
	}
	return a.paintMark(state)
}

// calendarLegend explains the marks and counts the dates of each.
func (a *app) calendarLegend(h *history, counts map[run.State]int, today dates.Date) []string {
	var items []string
	for _, m := range []struct {
		state run.State
		name  string
	}{{run.Success, "success"}, {run.Failed, "failed"}, {partialRun, "partial"}, {run.Running, "running"}, {run.Held, "held"}} {
		items = append(items, fmt.Sprintf("%s %d %s", a.calendarMark(m.state), counts[m.state], m.name))
	}
	none := h.from.Days(min(h.to, today))
	for _, run := range h.all() {
		if run.Date <= today {
			none--
		}
	}
	return append(items, fmt.Sprintf("%s %d not run", a.paintMark(run.None), none))
}

// listDates names the dates of a state, as far as they fit the eye.
func (a *app) listDates(h *history, width int, state run.State) {
	var items []string
	for _, run := range h.all() {
		if runMark(run.Status) == state {
			items = append(items, string(run.Date))
		}
	}
	if len(items) == 0 {
		return
	}
	if more := len(items) - calendarListed; more > 0 {
		items = append(items[:calendarListed], fmt.Sprintf("and %d more", more))
	}
	a.say("\n%s:\n%s", state, indent(flow(width-2, items)))
}

// calendarMonths are the names of the months over the weeks in which they begin.
func calendarMonths(first dates.Date, cell int) string {
	line := ""
	for month := range 12 {
		begins := first.Start().AddDate(0, month, 0)
		week := (first.Days(dates.Of(begins)) - 1 + weekdayOf(first)) / 7
		line = pad(line, week*cell) + begins.Format("Jan")
	}
	return line
}

// weekdayOf counts from Monday, which is 0.
func weekdayOf(date dates.Date) int { return (int(date.Start().Weekday()) + 6) % 7 }
