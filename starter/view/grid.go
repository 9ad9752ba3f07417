package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// GridCell is the width of a date.
const GridCell = 3

// NameWidth returns the width of the column with the ids of tasks and the names of the rows above
// them.
func NameWidth(ids dag.Tasks) int {
	width := len("trigger")
	for _, id := range ids {
		width = max(width, len(id))
	}
	return width + 1
}

// Grid draws the grid. leftOut is the number of earlier dates that did not fit.
func (v *View) Grid(h *history.Span, leftOut int) {
	width, known := term.Columns(v.Out)
	names := NameWidth(v.DAG.DAG.IDs())
	if !known { // also the tasks that only the runs have are shown in full
		names = NameWidth(h.TaskIDs())
	}
	v.Say("%s from %s to %s", v.Paint(text.Bold, v.DAG.Name), h.From, h.To)
	if len(h.Runs) == 0 {
		v.Say("None of these dates has run. Choose others with --from and --to, or\nrun one with `%s`.", v.Command("run"))
		return
	}
	v.Say("")
	used := map[run.State]bool{}
	months, days := gridHead(h.From, h.To)
	v.Say("%s%s", strings.Repeat(" ", names), months)
	v.Say("%s%s", strings.Repeat(" ", names), days)
	v.gridRow(h, names, "run", func(run history.Run) string {
		used[mark.OfRun(run.Status)] = true
		return mark.Paint(v.Term, mark.OfRun(run.Status))
	})
	v.gridRow(h, names, "trigger", func(run history.Run) string { return firstLetter(string(run.Trigger)) })
	longest := v.longest(h)
	v.gridRow(h, names, "took", func(run history.Run) string { return v.Paint(text.FgHiBlack, spark(v.length(run), longest)) })
	for _, id := range h.TaskIDs() {
		v.gridRow(h, names, id, func(r history.Run) string {
			i := slices.IndexFunc(r.Tasks, func(t run.Task) bool { return t.ID == id })
			if i < 0 || r.TasksUnknown {
				return ""
			}
			used[mark.OfTask(r.Tasks[i])] = true
			return mark.Paint(v.Term, mark.OfTask(r.Tasks[i])) + tryDigit(r.Tasks[i])
		})
	}
	v.Say("")
	v.Say("%s", mark.Legend(v.Term, width, used))
	v.Say("%s", term.Flow(width, []string{"trigger: s schedule, m manual, b backfill", "took: █ is " + term.Duration(longest), "digit: tries"}))
	v.sayBlocked(blockedLines(h))
	v.sayUnrecorded(unrecordedDates(h))
	if leftOut > 0 {
		earlier := fmt.Sprintf("not shown: %s", term.Count(int64(leftOut), "earlier date"))
		v.Say("%s", term.Flow(width, []string{earlier, "see --to " + string(h.From.Add(-1))}))
	}
}

// gridRow prints a row: its name, and a cell for each date.
func (v *View) gridRow(h *history.Span, names int, name string, cell func(history.Run) string) {
	row := term.Pad(term.Short(name, names-1), names)
	for date := h.From; date <= h.To; date = date.Add(1) {
		filled := ""
		if run, ok := h.Runs[date]; ok {
			filled = cell(run)
		}
		row += term.Pad(" "+filled, GridCell)
	}
	v.Say("%s", strings.TrimRight(row, " "))
}

// gridHead returns the two lines above the grid: months over their first dates, and days.
func gridHead(from, to dates.Date) (months, days string) {
	for date := from; date <= to; date = date.Add(1) {
		day := date.Start()
		if date == from || day.Day() == 1 {
			left := min(date.Days(to), day.AddDate(0, 1, -day.Day()).Day()-day.Day()+1) * GridCell // the width of the month in the grid
			name := day.Format("Jan 2006")
			if len(name) >= left {
				name = day.Format("Jan")
			}
			months = term.Pad(months, from.Days(date)*GridCell-GridCell) + name
		}
		days += term.Pad(day.Format("02"), GridCell)
	}
	return " " + months, " " + strings.TrimRight(days, " ")
}

// length returns how long a run took, or has taken so far.
func (v *View) length(run history.Run) time.Duration {
	if run.Ended.IsZero() {
		return max(0, v.Now().Sub(run.Started))
	}
	return run.Ended.Sub(run.Started)
}

// longest returns the length of the longest run that has ended: an open one that is held would make
// all others look alike. If none has ended, it is that of the longest open one.
func (v *View) longest(h *history.Span) time.Duration {
	ended, open := time.Duration(0), time.Duration(0)
	for _, run := range h.All() {
		if run.Ended.IsZero() {
			open = max(open, v.length(run))
		} else {
			ended = max(ended, v.length(run))
		}
	}
	if ended == 0 {
		return open
	}
	return ended
}

// spark returns a length of time as a bar of one character.
func spark(d, longest time.Duration) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	if longest <= 0 {
		return string(levels[0])
	}
	return string(levels[min(len(levels)-1, int(int64(len(levels))*int64(d)/int64(longest)))])
}

func firstLetter(s string) string {
	if s == "" {
		return "?"
	}
	return s[:1]
}

// tryDigit returns the number of tries of a task that had more than one.
func tryDigit(task run.Task) string {
	switch {
	case task.Tries < 2:
		return ""
	case task.Tries > 9:
		return "+"
	}
	return fmt.Sprint(task.Tries)
}
