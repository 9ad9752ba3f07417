package dag

import (
	"slices"

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
