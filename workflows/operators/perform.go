package operators

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

// Limits bounds the work of a try.
type Limits struct {
	// Timeout is the timeout of the task, Worked is how much of it has passed. A timeout of 0 is no
	// limit.
	Timeout, Worked time.Duration
	// Counts requires the counts of the rows that the work leaves.
	Counts bool
}

// Perform runs an operator and counts the rows that it left. It calls ended in between, when
// nothing writes tables any more.
func Perform(ctx workflow.Context, op Operator, try TaskInstance, l Limits, ended func()) (run.WorkDone, error) {
	out, err := withTimeout(ctx, l.Timeout, l.Timeout-l.Worked, func(ctx workflow.Context) (run.Outcome, error) { return op.Run(ctx, try) })
	ended()
	done := run.WorkDone{Outcome: out}
	if err != nil {
		return done, err
	}
	return count(ctx, op, try, done, l.Counts)
}

// Prepare runs the part of an operator that needs no slot, within the timeout of the task.
func Prepare(ctx workflow.Context, op Preparer, try TaskInstance, timeout time.Duration) (run.Outcome, error) {
	return withTimeout(ctx, timeout, timeout, func(ctx workflow.Context) (run.Outcome, error) { return op.Prepare(ctx, try) })
}

// withTimeout runs work and cancels it when the time left of its timeout has passed. The work then
// fails, unless it was done in time. A timeout of 0 is no limit.
func withTimeout(ctx workflow.Context, timeout, left time.Duration, work func(workflow.Context) (run.Outcome, error)) (run.Outcome, error) {
	if timeout == 0 {
		return work(ctx)
	}
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timedOut := false
	workflow.Go(ctx, func(ctx workflow.Context) {
		if steps.Sleep(ctx, left, fmt.Sprintf("timeout of %s", timeout)) == nil {
			timedOut = true
			cancel()
		}
	})
	out, err := work(ctx)
	if timedOut && err != nil {
		err = fmt.Errorf("timed out after %s", timeout)
	}
	return out, err
}
