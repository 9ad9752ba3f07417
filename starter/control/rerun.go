package control

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
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

// RerunPlan is what a rerun of a date does.
type RerunPlan struct {
	Date dates.Date `json:"date"`
	// Tasks run again. Those that the DAG has got since the latest run are among them.
	Tasks dag.Tasks `json:"tasks"`
	// Settings compares the settings with those of the latest run.
	Settings []run.Difference `json:"settings,omitempty"`
	// Added and Removed are tasks that the DAG has got and lost since the latest run.
	Added   dag.Tasks `json:"added,omitempty"`
	Removed dag.Tasks `json:"removed,omitempty"`
	// Error is why the date would not run.
	Error string `json:"error,omitempty"`
}

// SelectTasks returns the tasks that a rerun of a date runs again, and the ledger entry with the
// results that it keeps. The date must have run.
func (c *Controller) SelectTasks(ctx context.Context, conn *temporal.Connection, date dates.Date, s RerunSelection) (dag.Tasks, *ledger.Entry, error) {
	from, err := c.DAG.DAG.From(append(slices.Clone(s.From), s.Only...)...) // also rejects unknown tasks
	if err != nil {
		return nil, nil, &exit.UsageError{Err: err}
	}
	status, err := c.Status(ctx, conn, date)
	switch {
	case err != nil:
		return nil, nil, err
	case status.Ended.IsZero():
		return nil, nil, fmt.Errorf("%s is running: decide about its tasks with `%s`, wait for it, or cancel it with `%s`",
			date, c.Command("task"), c.Command("cancel "+string(date)))
	}
	entry, err := c.Entry(ctx, date)
	if err == nil && entry == nil {
		err = fmt.Errorf("the latest run of %s left no results to keep: run all tasks with `%s`", date, c.Command("run "+string(date)))
	}
	switch {
	case err != nil:
		return nil, nil, err
	case len(s.Only) > 0:
		return s.Only, entry, nil
	case s.Failed:
		from, err = c.failedTasks(entry.Status)
	}
	return from, entry, err
}

// PlanRerun returns what a rerun with this input does after the latest run of its date, or why it
// would fail. The run itself decides the same way, from the same ledger.
func (c *Controller) PlanRerun(in run.Input, latest run.Status) (RerunPlan, error) {
	plan := RerunPlan{Date: in.Date, Settings: in.Differences(latest)}
	had := latest.TaskIDs()
	for _, id := range c.DAG.DAG.IDs() {
		if !slices.Contains(had, id) {
			plan.Added = append(plan.Added, id)
		}
		if slices.Contains(in.RerunTasks, id) || !latest.Task(id).State.Final() {
			plan.Tasks = append(plan.Tasks, id)
		}
	}
	for _, id := range had {
		if _, has := c.DAG.DAG.Task(id); !has {
			plan.Removed = append(plan.Removed, id)
		}
	}
	err := c.DAG.DAG.CheckRerun(in.RerunTasks, func(id string) run.State { return latest.Task(id).State }, func(options string) string {
		return c.Command(fmt.Sprintf("rerun %s %s", in.Date, options))
	})
	if kept := c.DAG.CheckKept(in, latest); kept != nil {
		err = errors.Join(err, &exit.UsageError{Err: kept})
	}
	if err != nil {
		plan.Error = err.Error()
	}
	return plan, err
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
