package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// Run prints a run: its title, its tasks as a table, and one line for each error. wide adds the
// links to the Databricks runs.
func (v *View) Run(r history.Run, wide bool) {
	v.runHead(r)
	if !r.TasksUnknown {
		v.PrintTable(v.taskTable(r.Status, wide))
	}
	v.printTogether(r.Tasks)
	v.printRemarks(r.Status)
	v.printReport(r.Status)
	v.printErrors(r)
}

// taskTable returns the tasks of a run. On a narrow screen it leaves out what is of least interest.
func (v *View) taskTable(status run.Status, wide bool) term.Table {
	g := term.Table{Header: []string{"task", "state", "tries", "started (utc)", "took", "records", "link"}, Right: []int{2, 4, 5}, Optional: []int{3, 5, 2}}
	for _, task := range status.Tasks {
		g.Rows = append(g.Rows, []string{
			task.ID, v.stateOf(task.State, task.Warned()), term.Number(int64(task.Tries)), term.Moment(task.Started), v.Took(task.Started, task.Ended),
			records(task), task.Link,
		})
	}
	if !wide {
		g.Leave("link")
		g.Shrink(term.Width(v.Out))
	}
	return g
}

// printRemarks prints a line for each task with something to say besides its error.
func (v *View) printRemarks(status run.Status) {
	for _, task := range status.Tasks {
		var remarks []string
		for _, warning := range task.Warnings {
			remarks = append(remarks, mark.Paint(v.Term, mark.Warned)+" "+warning)
		}
		if task.Waiting != "" {
			remarks = append(remarks, "waits for "+task.Waiting)
		}
		if task.State == run.Skipped && task.Error != "" { // why it was skipped, which is no error
			remarks = append(remarks, term.FirstLine(task.Error, maxLine))
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
			v.Say("%s", v.Wrapped(task.ID+": "+strings.Join(remarks, "; ")))
		}
	}
}

// printReport prints where the report of the run is, or why there is none, and the other warnings of
// the run itself.
func (v *View) printReport(status run.Status) {
	ofTasks := status.TaskWarnings()
	for _, warning := range status.Warnings {
		if !slices.Contains(ofTasks, warning) {
			v.Say("%s %s", mark.Paint(v.Term, mark.Warned), v.Wrapped(warning))
		}
	}
	if status.Report != "" {
		v.Say("report: %s", status.Report)
	}
}

// maxLine limits a line of an error, in characters, wherever it is printed.
const maxLine = 500

// printErrors prints a line for each error, and where to read on. Tasks with the same error, as
// those of a cancelled run, share a line.
func (v *View) printErrors(r history.Run) {
	groups := v.errorGroups(r.Status)
	for i, g := range groups {
		if i == 0 {
			v.Say("")
		}
		v.Say("%s", v.Hanging(g.head()+": "+term.Short(g.line, maxLine), 2))
		switch task := g.tasks[0]; {
		case task.State == run.Held:
			v.Say("  Decide with `%s`", v.Command(fmt.Sprintf("task retry|skip|fail|succeed %s %s --reason text", r.Date, task.ID)))
		case task.Tries > 0 && task.State != run.Cancelled:
			v.Say("  Read on with `%s`", v.Command(fmt.Sprintf("logs %s %s", r.Date, task.ID)))
		}
	}
	if r.Error != "" && len(groups) == 0 && r.WayOut == "" {
		v.Say("\n%s", v.Wrapped(term.FirstLine(r.Error, maxLine)))
	}
}

// errorGroup is tasks in the same state with the same error.
type errorGroup struct {
	tasks []run.Task
	line  string
}

// errorOf returns the error of a task in one line. A failure that was resolved is none: the task is
// running again, has succeeded, or was skipped.
func errorOf(task run.Task) string {
	if task.State.Bad() || task.State == run.Held || task.State == run.UpForRetry {
		return task.ErrorLine()
	}
	return ""
}

// errorGroups returns the tasks with an error.
func (v *View) errorGroups(status run.Status) []errorGroup {
	var groups []errorGroup
	for _, task := range status.Tasks {
		line := errorOf(task)
		if line == "" {
			continue
		}
		last := len(groups) - 1
		if last >= 0 && task.State == run.Cancelled && groups[last].tasks[0].State == run.Cancelled && groups[last].line == line {
			groups[last].tasks = append(groups[last].tasks, task)
			continue
		}
		groups = append(groups, errorGroup{[]run.Task{task}, line})
	}
	return groups
}

// head returns which tasks are in which state.
func (g errorGroup) head() string {
	const named = 3
	first := g.tasks[0]
	ids := make([]string, 0, named+1)
	for i, task := range g.tasks {
		if i == named {
			ids = append(ids, fmt.Sprintf("and %d more", len(g.tasks)-named))
			break
		}
		ids = append(ids, task.ID)
	}
	head := term.Join(ids) + " " + string(first.State)
	if first.Tries > 0 && first.State != run.Cancelled {
		head += " after " + term.Plural(int64(first.Tries), "try", "tries")
	}
	return head
}

// runHead prints a run in one line, whether it is paused, and why it is blocked.
func (v *View) runHead(r history.Run) {
	v.Say("%s", v.Wrapped(v.runTitle(r.Status)))
	if r.Paused != "" {
		v.Say("%s", v.Wrapped(v.pausedLine(r.Status)))
	}
	switch {
	case r.Blocked != nil:
		v.Say("%s\n%s", v.Wrapped("blocked: "+r.Blocked.String()), v.Wrapped(r.WayOut))
	case r.WayOut != "":
		v.Say("%s", v.Wrapped(r.Error+". "+r.WayOut))
	}
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
