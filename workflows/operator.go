package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// ErrSkip is the error with which an operator skips its task instead of failing it.
var ErrSkip = errors.New("skip")

// Operator is what a task does: workflow code that runs one or a few activities. An operator is a
// struct value, so that a row of a DAG is data.
type Operator interface {
	dag.Operator
	// Run returns when the work has ended, also if the context is cancelled. ErrSkip skips the
	// task.
	Run(ctx workflow.Context, try TaskInstance) (run.Outcome, error)
}

// Preparer is an operator with work that needs no slot of the task's pool. Prepare runs before the
// try waits for its slot; Run gets its outcome as TaskInstance.Prepared.
type Preparer interface {
	Prepare(ctx workflow.Context, try TaskInstance) (run.Outcome, error)
}

// TaskInstance is one try of a task of one date.
type TaskInstance struct {
	DAG  string
	Date dates.Date
	Task string
	// Number counts the tries from 1. It is part of the identity of an external job: a new try
	// starts a new job, while a retry of an activity within the try rejoins the job.
	Number int
	// Params are the parameters of the run. They override those of the operator.
	Params map[string]string
	// Prepared is the outcome of Prepare.
	Prepared run.Outcome
	// Report shows an early outcome in the run's status, for example the link to a running job.
	Report func(run.Outcome)
}

// summary returns the summary of an activity in the Web UI.
func (t TaskInstance) summary(format string, args ...any) string {
	return fmt.Sprintf("%s try %d: ", t.Task, t.Number) + fmt.Sprintf(format, args...)
}

// CheckOperators returns the tasks of a catalog whose operators cannot run, or cannot count what
// the tasks expect. The table of tasks knows only the effects of an operator.
func CheckOperators(catalog dag.Catalog) error {
	var errs []error
	for _, d := range catalog.DAGs {
		for _, t := range d.DAG {
			_, runs := t.Do.(Operator)
			_, counts := t.Do.(counter)
			switch {
			case t.Do == nil: // Validate reports it
			case !runs:
				errs = append(errs, fmt.Errorf("DAG %s: task %q: %T has no method Run(workflow.Context, TaskInstance)", d.Name, t.ID, t.Do))
			case (t.Expect.MaxQuarantined > 0 || t.Expect.WarnQuarantined > 0 || t.Expect.NotEmpty) && !counts:
				errs = append(errs, fmt.Errorf("DAG %s: task %q: %T has no method Count, so that nothing counts what the task expects", d.Name, t.ID, t.Do))
			}
		}
	}
	return errors.Join(errs...)
}
