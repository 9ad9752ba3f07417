package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/term"
)

// RerunPlan returns what a rerun does: the tasks that run again, what it keeps and changes of the
// latest run, and how the DAG has changed since that run.
func (v *View) RerunPlan(plan control.RerunPlan) string {
	lines := append([]string{fmt.Sprintf("Tasks that run again: %s.", term.Join(plan.Tasks))}, settings(plan.Settings)...)
	if changes := dagChanges(plan); changes != "" {
		lines = append(lines, fmt.Sprintf("The DAG has changed since that run: %s.", changes))
	}
	return strings.Join(lines, "\n")
}

// remarks returns what the dry run of a backfill says of the rerun of a date: why it would fail, or
// what it keeps and changes.
func remarks(plan *control.RerunPlan) []string {
	switch {
	case plan == nil:
		return nil
	case plan.Error != "":
		return []string{plan.Error}
	}
	all := settings(plan.Settings)
	if changes := dagChanges(*plan); changes != "" {
		all = append(all, "the DAG has changed since that run: "+changes)
	}
	return all
}

// dagChanges returns the tasks that the DAG has got and lost since the latest run.
func dagChanges(plan control.RerunPlan) string {
	var changes []string
	for _, id := range plan.Added {
		changes = append(changes, "+ "+id)
	}
	for _, id := range plan.Removed {
		changes = append(changes, "− "+id)
	}
	return strings.Join(changes, ", ")
}

// settings returns a line for each setting of a rerun.
func settings(all []run.Difference) []string {
	var names []string
	values := map[string][]string{}
	for _, d := range all {
		if !slices.Contains(names, d.Setting) {
			names = append(names, d.Setting)
		}
		values[d.Setting] = append(values[d.Setting], setting(d))
	}
	lines := make([]string, len(names))
	for i, name := range names {
		lines[i] = fmt.Sprintf("%s: %s", name, strings.Join(values[name], ", "))
	}
	return lines
}

// setting returns what became of a setting, as in `schema=test (was main)`.
func setting(d run.Difference) string {
	text := d.Value
	if d.Name != "" {
		text = d.Name + "=" + d.Value
	}
	switch {
	case d.How == run.Changed:
		return fmt.Sprintf("%s (was %s)", text, d.Was)
	case d.Setting == "tags" && d.How == run.Added:
		return "+" + text
	case d.Setting == "tags" && d.How == run.Dropped:
		return "−" + text
	}
	return fmt.Sprintf("%s (%s)", text, d.How)
}
