package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/run"
)

// limits bounds the work of a try.
type limits struct {
	// timeout is the timeout of the task, worked is how much of it has passed. A timeout of 0 is no
	// limit.
	timeout, worked time.Duration
	// counts requires the counts of the rows that the work leaves.
	counts bool
}

// perform runs an operator and counts the rows that it left. It calls ended in between, when
// nothing writes tables any more.
func perform(ctx workflow.Context, op Operator, try TaskInstance, l limits, ended func()) (run.WorkDone, error) {
	out, err := withTimeout(ctx, l.timeout, l.timeout-l.worked, func(ctx workflow.Context) (run.Outcome, error) { return op.Run(ctx, try) })
	ended()
	done := run.WorkDone{Outcome: out}
	if err != nil {
		return done, err
	}
	return count(ctx, op, try, done, l.counts)
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
		if sleep(ctx, left, fmt.Sprintf("timeout of %s", timeout)) == nil {
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
