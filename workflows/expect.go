package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// ErrorExpectation is the type of the error of a task whose work was done, but whose outcome is not what the task demands.
const ErrorExpectation = "Expectation"

// Expect is what a task demands of its own outcome. The zero value demands nothing. A broken expectation ends the task without another
// try: the same data would come out the same.
type Expect struct {
	// MinRows is the fewest rows that the task must have handled.
	MinRows int64
	// MaxQuarantined is the largest share of the date's records that may have been quarantined, in percent; 0 demands nothing.
	MaxQuarantined float64
	// NotEmpty demands that each table that the task made anew has a row.
	NotEmpty bool
	// Hold parks the task for an operator's decision if the expectation is broken, where it would be failed otherwise.
	Hold bool
}

// Counter is an operator that can count what it has written.
type Counter interface {
	// Count returns the outcome with what it counted. If must is false the figures are for information, and not worth waiting for.
	Count(ctx workflow.Context, try Try, out Outcome, must bool) (Outcome, error)
}

func (e Expect) demands() bool { return e.MinRows > 0 || e.MaxQuarantined > 0 || e.NotEmpty }

// Check says what of the outcome is not as expected, all of it, with the figures.
func (e Expect) Check(out Outcome) error {
	var errs []error
	if out.Rows < e.MinRows {
		errs = append(errs, fmt.Errorf("%d rows, expected at least %d", out.Rows, e.MinRows))
	}
	if share := quarantinedShare(out); e.MaxQuarantined > 0 && share > e.MaxQuarantined {
		errs = append(errs, fmt.Errorf("%d of %d records quarantined, %.1f %%, expected at most %g %%", out.Quarantined, out.Records, share, e.MaxQuarantined))
	}
	if e.NotEmpty && len(out.Tables) == 0 {
		errs = append(errs, errors.New("no tables, expected some that are not empty"))
	}
	for _, table := range out.Tables {
		if e.NotEmpty && table.Rows == 0 {
			errs = append(errs, fmt.Errorf("table %s is empty", table.Table))
		}
	}
	return errors.Join(errs...)
}

// quarantinedShare is in percent. An element of an array is a record of its own to cleaning and not to Kafka, so the share is cut at all.
func quarantinedShare(out Outcome) float64 {
	if out.Quarantined == 0 {
		return 0
	}
	return min(100, 100*float64(out.Quarantined)/float64(max(out.Records, 1)))
}

// check looks whether the expectation of a row can be met at all.
func (e Expect) check(found *mistakes, t Task) {
	if e.MinRows < 0 || e.MaxQuarantined < 0 || e.MaxQuarantined > 100 {
		found.add("task %q: expected rows are not negative, and a share of records is between 0 and 100 percent", t.ID)
	}
	var effects Effects
	if t.Do != nil {
		effects = t.Do.Effects()
	}
	if e.MaxQuarantined > 0 && effects.Cleans == "" || e.NotEmpty && len(effects.Rebuilds) == 0 {
		found.add("task %q: its operator %T cannot count what the task has expectations of", t.ID, t.Do)
	}
	if e.Hold && !e.demands() {
		found.add("task %q: it holds if an expectation is broken, but expects nothing", t.ID)
	}
}

// expect counts what the task has written and compares it with what it expects.
func expect(ctx workflow.Context, t Task, try Try, out Outcome) (Outcome, error) {
	if counter, ok := t.Do.(Counter); ok {
		counted, err := counter.Count(ctx, try, out, t.Expect.demands())
		switch {
		case err == nil:
			out = counted
		case t.Expect.demands():
			return out, err
		}
	}
	if broken := t.Expect.Check(out); broken != nil {
		return out, temporal.NewNonRetryableApplicationError("its outcome is not as expected: "+oneLine(broken), ErrorExpectation, nil)
	}
	return out, nil
}
