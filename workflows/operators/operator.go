// Package operators holds what a task can do: the kinds of task, how a run performs and records them,
// and what it expects of their outcome.
package operators

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

// ErrSkip is the error with which an operator skips its task instead of failing it.
var ErrSkip = errors.New("skip")

// Operator is what a task does: workflow code that runs one or a few activities. An operator is a
// struct value, so that a row of a DAG is data.
type Operator interface {
	dag.Operator
	// Run returns when the work has ended, also if the context is cancelled. ErrSkip skips the
	// task. It may be called again within a try, when the workflow that called it has continued as
	// new: external jobs that have the identity of the try are rejoined then.
	Run(ctx workflow.Context, try TaskInstance) (run.Outcome, error)
}

// Preparer is an operator with work that needs no slot of the task's pool. Prepare runs before the
// try waits for its slot; Run gets its outcome as TaskInstance.Prepared.
type Preparer interface {
	Prepare(ctx workflow.Context, try TaskInstance) (run.Outcome, error)
}

// Grouper is an operator that can do the work of several dates at once, if its effects say so.
type Grouper interface {
	Operator
	// GoesTogether reports whether there is work in the try that goes together with others. A try
	// without any must not fail because others do.
	GoesTogether(try TaskInstance) bool
	// RunTogether does the work of tries that differ only in their dates, as Run does for one. It
	// returns their outcomes in their order, or the error that all of them have.
	RunTogether(ctx workflow.Context, tries []TaskInstance) ([]run.Outcome, error)
}

// TaskInstance is one try of a task of one date.
type TaskInstance struct {
	DAG  string
	Date dates.Date
	Task string
	// Number counts the tries from 1. It is part of the identity of an external job: a new try
	// starts a new job, while a retry of an activity within the try rejoins the job.
	Number int
	// WorkflowID and RunID are those of the run, also if the Pools workflow does the work. They are
	// the other part of the identity of an external job: a run that was reset has another run id,
	// and starts new jobs.
	WorkflowID, RunID string
	// Others is how many other tries go together with this one.
	Others int
	// Pooled reports whether the Pools workflow does the work.
	Pooled bool
	// Alone reports whether the task has the only slot of its pool. No job of the task for another
	// date may then be active, except those of the dates in Beside, which are at work in another
	// pool or count their rows.
	Alone  bool
	Beside []dates.Date
	// Params are the parameters of the run. They override those of the operator.
	Params map[string]string
	// AcceptGaps is why an operator, By, has the date go on without records that Kafka lost before
	// they landed; empty accepts no loss.
	AcceptGaps, By string
	// Prepared is the outcome of Prepare.
	Prepared run.Outcome
	// Report shows an early outcome in the run's status, for example the link to a running job.
	Report func(run.Outcome)
}

// Summary returns the summary of an activity in the Web UI. The page of the Pools workflow has the
// activities of many dates.
func (t TaskInstance) Summary(format string, args ...any) string {
	switch {
	case t.Others > 0:
		return fmt.Sprintf("%s of %s %s and %d more dates: ", t.Task, t.DAG, t.Date, t.Others) + fmt.Sprintf(format, args...)
	case t.Pooled:
		return fmt.Sprintf("%s of %s %s try %d: ", t.Task, t.DAG, t.Date, t.Number) + fmt.Sprintf(format, args...)
	}
	return fmt.Sprintf("%s try %d: ", t.Task, t.Number) + fmt.Sprintf(format, args...)
}

// Ref names the try for the log lines of its activities.
func (t TaskInstance) Ref() steps.TaskRef {
	return steps.TaskRef{DAG: t.DAG, Date: t.Date, Task: t.Task, Try: t.Number}
}

// Check returns the tasks of a catalog whose operators cannot run, or cannot count what
// the tasks expect. The table of tasks knows only the effects of an operator.
func Check(catalog dag.Catalog, codec Codec) error {
	var errs []error
	for _, d := range catalog.DAGs {
		for _, t := range d.DAG {
			op, runs := t.Do.(Operator)
			_, counts := t.Do.(counter)
			switch {
			case t.Do == nil: // Validate reports it
			case !runs:
				errs = append(errs, fmt.Errorf("DAG %s: task %q: %T has no method Run(workflow.Context, TaskInstance)", d.Name, t.ID, t.Do))
			case unnamed(op, codec) != nil:
				errs = append(errs, fmt.Errorf("DAG %s: task %q: %w", d.Name, t.ID, unnamed(op, codec)))
			case (t.Expect.MaxQuarantined > 0 || t.Expect.WarnQuarantined > 0 || t.Expect.NotEmpty) && !counts:
				errs = append(errs, fmt.Errorf("DAG %s: task %q: %T has no method Count, so that nothing counts what the task expects", d.Name, t.ID, t.Do))
			}
		}
	}
	return errors.Join(errs...)
}

// unnamed returns the error of an operator that runs cannot record.
func unnamed(op Operator, codec Codec) error {
	_, err := codec.Encode(op)
	return err
}

// SkipType is the type of ErrSkip in an answer of the Pools workflow.
const SkipType = "Skip"

// Reporter is an operator that reports the external job as soon as it has started. The run then
// shows the task as running from that moment, with its link.
type Reporter interface{ ReportsStart() }

// describer is an operator that says what it does in a few words.
type describer interface{ describe() string }

// Describe returns what an operator does, for the summary of its activity in the Web UI.
func Describe(op dag.Operator) string {
	if d, ok := op.(describer); ok {
		return d.describe()
	}
	return fmt.Sprintf("%T", op)
}
