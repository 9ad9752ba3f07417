package view

import (
	"fmt"
	"slices"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// maxWarned is how many dates with warnings the overview lists.
const maxWarned = 5

// stateOf returns a state as text, with the mark of warnings if there are some.
func (v *View) stateOf(state run.State, warned bool) string {
	painted := mark.Color(v.Term, state, string(state))
	if warned {
		painted += " " + mark.Paint(v.Term, mark.Warned)
	}
	return painted
}

// records returns how many records a task handled; empty if nobody counted them.
func records(task run.Task) string {
	if task.Rows == 0 && !task.Counted {
		return ""
	}
	return fmt.Sprint(task.Rows)
}

// showWarned lists the latest dates with warnings.
func (v *View) showWarned(all []history.WarnedDate, width int) {
	if len(all) == 0 {
		return
	}
	v.Say("\n%s %s", v.Heading("warned"), term.Count(int64(len(all)), "date"))
	latest := slices.Clone(all)
	slices.Reverse(latest)
	for _, w := range latest[:min(len(latest), maxWarned)] {
		line := term.FirstLine(w.Warnings[0], width-len("2006-01-02  !  ")-len("; and 99 more"))
		if more := len(w.Warnings) - 1; more > 0 {
			line += fmt.Sprintf("; and %d more", more)
		}
		v.Say("%s  %s  %s", w.Date, v.Paint(text.FgYellow, mark.Of(mark.Warned)), line)
	}
	if more := len(all) - maxWarned; more > 0 {
		v.Say("and %d more: see `%s`", more, v.Command("runs --warned"))
	}
}

// WarnedLegend explains the mark of runs with warnings, if there are some.
func (v *View) WarnedLegend(rows []history.RunRow) {
	if slices.ContainsFunc(rows, func(r history.RunRow) bool { return r.Warned }) {
		v.Say("%s warned: see `%s`", mark.Paint(v.Term, mark.Warned), v.Command("status <date>"))
	}
}
