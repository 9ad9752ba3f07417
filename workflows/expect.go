package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// Counter is an operator that can count what it has written.
type counter interface {
	// Count returns the outcome with what it counted. If must is false the figures are for information, and not worth waiting for.
	Count(ctx workflow.Context, try TaskInstance, out run.Outcome, must bool) (run.Outcome, error)
}

// expect counts what the task has written and compares it with what it expects.
func expect(ctx workflow.Context, t dag.Task, try TaskInstance, out run.Outcome) (run.Outcome, error) {
	if counter, ok := t.Do.(counter); ok {
		counted, err := counter.Count(ctx, try, out, t.Expect.Demands())
		switch {
		case err == nil:
			out = counted
		case t.Expect.Demands():
			return out, err
		}
	}
	if broken := t.Expect.Check(out); broken != nil {
		return out, temporal.NewNonRetryableApplicationError("its outcome is not as expected: "+oneLine(broken), failure.Expectation, nil)
	}
	return out, nil
}
