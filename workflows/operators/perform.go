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
	done, err := PerformTogether(ctx, op, []TaskInstance{try}, l, ended)
	return done[0], err
}

// PerformTogether performs an operator for tries that go together. Several need a Grouper. It
// returns what was done for each try in their order, or the error that all of them have.
func PerformTogether(ctx workflow.Context, op Operator, tries []TaskInstance, l Limits, ended func()) ([]run.WorkDone, error) {
	outs, err := withTimeout(ctx, l.Timeout, l.Timeout-l.Worked, func(ctx workflow.Context) ([]run.Outcome, error) {
		if len(tries) > 1 {
			return op.(Grouper).RunTogether(ctx, tries)
		}
		out, err := op.Run(ctx, tries[0])
		return []run.Outcome{out}, err
	})
	ended()
	done := make([]run.WorkDone, len(tries))
	for i := range outs {
		done[i].Outcome = outs[i]
	}
	if err != nil {
		return done, err
	}
	return count(ctx, op, tries, done, l.Counts)
}

// runAlone is Run of a Grouper.
func runAlone(ctx workflow.Context, op Grouper, try TaskInstance) (run.Outcome, error) {
	outs, err := op.RunTogether(ctx, []TaskInstance{try})
	return outs[0], err
}

// Prepare runs the part of an operator that needs no slot, within the timeout of the task.
func Prepare(ctx workflow.Context, op Preparer, try TaskInstance, timeout time.Duration) (run.Outcome, error) {
	return withTimeout(ctx, timeout, timeout, func(ctx workflow.Context) (run.Outcome, error) { return op.Prepare(ctx, try) })
}

// withTimeout runs work and cancels it when the time left of its timeout has passed. The work then
// fails, unless it was done in time. A timeout of 0 is no limit.
func withTimeout[Out any](
	ctx workflow.Context, timeout, left time.Duration, work func(workflow.Context) (Out, error),
) (Out, error) {
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
