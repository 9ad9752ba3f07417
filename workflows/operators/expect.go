package operators

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// maxReason limits the text of why the records were not counted, in bytes.
const maxReason = 300

// counter is an operator that can count what it wrote.
type counter interface {
	// Count adds its counts to the outcomes of tries that went together. Unless they are required,
	// they only inform: then Count gives up early.
	Count(ctx workflow.Context, tries []TaskInstance, outs []run.Outcome, required bool) ([]run.Outcome, error)
}

// count counts what the operator wrote, if it can. Its error is that of a context that was cancelled
// before the required counts were known: the task is not as expected until they are.
func count(ctx workflow.Context, op Operator, tries []TaskInstance, done []run.WorkDone, required bool) ([]run.WorkDone, error) {
	counter, ok := op.(counter)
	if !ok {
		return done, nil
	}
	outs := make([]run.Outcome, len(done))
	for i := range done {
		outs[i] = done[i].Outcome
	}
	counted, err := counter.Count(ctx, tries, outs, required)
	if err != nil && required && ctx.Err() != nil {
		return done, ctx.Err()
	}
	for i := range done {
		switch {
		case err == nil:
			done[i].Outcome = counted[i]
		case required:
			done[i].NotCounted, done[i].NotCountedType = failure.Reason(err), failure.Type(err)
		}
	}
	return done, nil
}

// Expect compares the outcome with what the task expects. What was not counted is an error if the
// task demands it, and a warning if it would warn about it. Without a warehouse nobody asked for
// counts. The remarks of the outcome are warnings, too.
func Expect(t dag.Task, done run.WorkDone) (warnings []string, err error) {
	switch {
	case done.NotCounted == "":
	case t.Expect.Demands():
		return nil, temporal.NewNonRetryableApplicationError(done.NotCounted, done.NotCountedType, nil)
	case done.NotCounted != failure.Reason(errNoWarehouse):
		warnings = append(warnings, "the records were not counted: "+failure.Cut(failure.OneLine(errors.New(done.NotCounted)), maxReason))
	}
	if broken := t.Expect.Check(done.Outcome); broken != nil {
		return nil, temporal.NewNonRetryableApplicationError("the outcome is not as expected: "+failure.OneLine(broken), failure.Expectation, nil)
	}
	warnings = append(warnings, done.Outcome.Remarks...)
	return append(warnings, t.Expect.Warnings(done.Outcome)...), nil
}
