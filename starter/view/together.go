package view

import (
	"fmt"
	"slices"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
)

// LinesOfGroups prints where the lines are of work that a date had in common with others: workers
// write them once, with the first of the dates. An empty task is all.
func (v *View) LinesOfGroups(r history.Run, task string) {
	for _, t := range r.Tasks {
		if len(t.Together) > 1 && t.Together[0] != r.Date && (task == "" || task == t.ID) {
			v.Say("%s", v.Wrapped(fmt.Sprintf("%s: %s. The lines of its start and its wait are with the first: `%s`",
				t.ID, together(t.Together), v.Command(fmt.Sprintf("logs %s %s", t.Together[0], t.ID)))))
		}
	}
}

// printTogether prints which tasks had a Databricks run in common with other dates, tasks with the
// same dates on one line.
func (v *View) printTogether(tasks []run.Task) {
	var groups []run.Task
	names := map[int][]string{}
	for _, task := range tasks {
		if len(task.Together) < 2 {
			continue
		}
		at := slices.IndexFunc(groups, func(other run.Task) bool { return slices.Equal(other.Together, task.Together) })
		if at < 0 {
			groups = append(groups, task)
			at = len(groups) - 1
		}
		names[at] = append(names[at], task.ID)
	}
	for i, task := range groups {
		v.Say("%s", v.Wrapped(term.Join(names[i])+": "+together(task.Together)))
	}
}

// together returns that a Databricks run handles several dates, which are sorted.
func together(all []dates.Date) string {
	return fmt.Sprintf("one Databricks run for %s, %s to %s", term.Count(int64(len(all)), "date"), all[0], all[len(all)-1])
}
