package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// counter is an operator that can count what it wrote.
type counter interface {
	// Count adds its counts to the outcome. Unless they are required, they only inform: then Count
	// gives up early.
	Count(ctx workflow.Context, try TaskInstance, out run.Outcome, required bool) (run.Outcome, error)
}

// expect counts what the task wrote and compares it with what the task expects. What cannot be
// counted is an error if the task demands it, and a warning if it would warn about it.
func expect(ctx workflow.Context, t dag.Task, try TaskInstance, out run.Outcome) (_ run.Outcome, warnings []string, _ error) {
	if counter, ok := t.Do.(counter); ok {
		counted, err := counter.Count(ctx, try, out, t.Expect.Demands() || t.Expect.Warns())
		switch {
		case err == nil:
			out = counted
		case t.Expect.Demands():
			return out, nil, err
		case t.Expect.Warns() && ctx.Err() == nil && !errors.Is(err, errNoWarehouse): // without a warehouse nobody asked for counts
			warnings = append(warnings, "the records were not counted: "+cut(oneLine(errors.New(failure.Reason(err))), maxTryError))
		}
	}
	if broken := t.Expect.Check(out); broken != nil {
		return out, nil, temporal.NewNonRetryableApplicationError("the outcome is not as expected: "+oneLine(broken), failure.Expectation, nil)
	}
	return out, append(warnings, t.Expect.Warnings(out)...), nil
}
