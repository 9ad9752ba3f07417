package view

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/term"
)

// Run prints a run: its title, its tasks as a table, and their errors.
func (v *View) Run(status run.Status) {
	v.Say("%s", v.runTitle(status))
	if status.Paused != "" {
		v.Say("%s", v.pausedLine(status))
	}
	g := term.Table{Header: []string{"task", "state", "tries", "started (utc)", "took", "records", "link"}, Right: []int{2, 4, 5}}
	for _, task := range status.Tasks {
		g.Rows = append(g.Rows, []string{
			task.ID, v.stateOf(task.State, task.Warned()), term.Number(int64(task.Tries)), term.Moment(task.Started), v.Took(task.Started, task.Ended),
			records(task), task.Link,
		})
	}
	v.PrintTable(g)
	v.printRemarks(status)
	for _, task := range status.Tasks {
		if task.Error == "" {
			continue
		}
		tried := ""
		if task.Tries > 0 {
			tried = " after " + term.Plural(int64(task.Tries), "try", "tries")
		}
		v.Say("\n%s %s%s:\n%s", task.ID, v.PaintState(task.State, string(task.State)), tried, term.Indent(task.Error))
		if task.State == run.Held {
			v.Say("Decide with `%s`.", v.Command(fmt.Sprintf("task retry|skip|fail|succeed %s %s --reason text", status.Date, task.ID)))
		}
	}
	if status.Error != "" && !tasksHaveErrors(status) {
		v.Say("\n%s", status.Error)
	}
}

// printRemarks prints a line for each task with something to say besides its error.
func (v *View) printRemarks(status run.Status) {
	for _, task := range status.Tasks {
		var remarks []string
		for _, warning := range task.Warnings {
			remarks = append(remarks, v.paintMark(Warned)+" "+warning)
		}
		if task.Waiting != "" {
			remarks = append(remarks, "waits for "+task.Waiting)
		}
		if task.Quarantined > 0 && len(task.Warnings) == 0 {
			remarks = append(remarks, fmt.Sprintf("%d of %d records quarantined", task.Quarantined, task.Records))
		}
		if task.Carried {
			remarks = append(remarks, "kept from an earlier run")
		}
		if task.Decision != "" {
			remarks = append(remarks, "decided: "+task.Decision)
		}
		if len(remarks) > 0 {
			v.Say("%s: %s", task.ID, strings.Join(remarks, "; "))
		}
	}
}

// tasksHaveErrors reports whether the errors of the tasks include that of the run.
func tasksHaveErrors(status run.Status) bool {
	for _, task := range status.Tasks {
		if task.Error != "" {
			return true
		}
	}
	return false
}

// runTitle returns a run in one line.
func (v *View) runTitle(status run.Status) string {
	title := fmt.Sprintf("%s of %s: %s (%s", v.Paint(text.Bold, status.DAG), v.Paint(text.Bold, string(status.Date)),
		v.stateOf(status.State, status.Warned()), status.Trigger)
	if took := v.Took(status.Started, status.Ended); took != "" {
		title += ", " + took
	}
	if len(status.Tags) > 0 {
		title += ", " + strings.Join(status.Tags, " ")
	}
	title += ")"
	if status.Partial {
		title += fmt.Sprintf(", partial: the date up to %s UTC", term.Moment(status.Until))
	}
	return title
}
