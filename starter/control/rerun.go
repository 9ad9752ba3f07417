package control

import (
	"context"
	"fmt"
	"slices"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
)

// RerunSelection selects the tasks of a rerun. One of the fields is set.
type RerunSelection struct {
	// From selects these tasks and everything downstream of them.
	From []string
	// Only selects these tasks.
	Only []string
	// Failed selects the tasks that failed, were cancelled or could not run, and everything
	// downstream of them.
	Failed bool
}

// RerunTasks returns the tasks of a date that a rerun runs again. The date must have run: otherwise
// there are no results to keep.
func (c *Controller) RerunTasks(ctx context.Context, conn *temporal.Connection, date dates.Date, s RerunSelection) (dag.Tasks, error) {
	from, err := c.DAG.DAG.From(append(slices.Clone(s.From), s.Only...)...) // also rejects unknown tasks
	if err != nil {
		return nil, &exit.UsageError{Err: err}
	}
	status, err := c.Status(ctx, conn, date)
	switch {
	case err != nil:
		return nil, err
	case status.Ended.IsZero():
		return nil, fmt.Errorf("%s is running: wait for it, or cancel it with `%s`", date, c.Command("cancel "+string(date)))
	}
	entry, err := c.Entry(ctx, date)
	if err == nil && entry == nil {
		err = fmt.Errorf("the latest run of %s left no results to keep: run all tasks with `%s`", date, c.Command("run "+string(date)))
	}
	switch {
	case err != nil:
		return nil, err
	case len(s.Only) > 0:
		return s.Only, nil
	case s.Failed:
		return c.failedTasks(status)
	}
	return from, nil
}

// failedTasks returns the tasks of a run that failed, were cancelled or could not run, and everything
// downstream of them.
func (c *Controller) failedTasks(status run.Status) (dag.Tasks, error) {
	var failed dag.Tasks
	for _, task := range status.Tasks {
		if _, ok := c.DAG.DAG.Task(task.ID); ok && task.State.Bad() {
			failed = append(failed, task.ID)
		}
	}
	if len(failed) == 0 {
		return nil, fmt.Errorf("no task of %s has failed: name tasks with --from or --only, or run all with `%s`", status.Date, c.Command("run "+string(status.Date)))
	}
	return c.DAG.DAG.From(failed...)
}
