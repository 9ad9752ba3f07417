package dag

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/internal/run"
)

// FailedAbove returns the tasks upstream of the given one that failed first: those that failed,
// were cancelled or could not run while nothing above them had. The order is that of the table.
func (d DAG) FailedAbove(id string, state func(id string) run.State) Tasks {
	bad := func(id string) bool { return state(id).Bad() }
	var failed Tasks
	above := d.ancestors(id)
	for _, t := range d {
		if slices.Contains(above, t.ID) && bad(t.ID) && !slices.ContainsFunc(d.ancestors(t.ID), bad) {
			failed = append(failed, t.ID)
		}
	}
	return failed
}

// CheckRerun returns an error if a task that is to run again could not run, because a task that
// keeps its result has failed. kept returns the states that tasks have from the latest run. The
// error names the tasks, and command the options of a rerun that runs them as well.
func (d DAG) CheckRerun(again Tasks, kept func(id string) run.State, command func(options string) string) error {
	state := func(id string) run.State {
		if slices.Contains(again, id) || !kept(id).Final() {
			return run.Success // as it may become
		}
		return kept(id)
	}
	for _, t := range d {
		states := make([]run.State, len(t.After))
		for i, parent := range t.After {
			states[i] = state(parent)
		}
		if !slices.Contains(again, t.ID) || t.TriggerRule.Decide(states) != run.UpstreamFailed {
			continue
		}
		var parents, options []string
		for _, parent := range t.After {
			if state(parent).Bad() {
				parents = append(parents, fmt.Sprintf("%s is %s", parent, state(parent)))
			}
		}
		for _, first := range d.FailedAbove(t.ID, state) {
			options = append(options, "--from "+first)
		}
		return fmt.Errorf("task %s cannot run again without its parents: %s; run them again as well with `%s`",
			t.ID, strings.Join(parents, ", "), command(strings.Join(options, " ")))
	}
	return nil
}
