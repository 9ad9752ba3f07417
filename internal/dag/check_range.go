package dag

import (
	"errors"
	"fmt"
	"time"

	"github.com/pinflow/pinflow/internal/run"
)

// CheckInput returns all mistakes in the input of a run.
func (d Definition) CheckInput(in run.Input, now time.Time) error {
	_, unknown := d.DAG.From(in.RerunTasks...)
	return errors.Join(run.CheckDate("date", in.Date, now), unknown, d.Params.Check(in.Params))
}

// CheckKept returns an error if a rerun would keep parameters that the DAG does not accept any more.
// The error says how to leave them out.
func (d Definition) CheckKept(in run.Input, latest run.Status) error {
	var errs []error
	for _, kept := range in.Differences(latest) {
		if kept.Setting != "params" || kept.How != run.Kept {
			continue
		}
		if err := d.Params.Check(map[string]string{kept.Name: kept.Value}); err != nil {
			errs = append(errs, fmt.Errorf("%w: the latest run of %s had it; leave it out with --no-param %s", err, latest.Date, kept.Name))
		}
	}
	return errors.Join(errs...)
}

// CompleteRange returns the input of a range with its defaults, or all mistakes in it.
func (c Catalog) CompleteRange(in run.RangeInput, now time.Time) (run.RangeInput, error) {
	errs := []error{c.checkRangeOfDAG(in), checkSpan(in, now)}
	if in.Parallel == 0 {
		in.Parallel = 1
	}
	if in.Trigger == "" {
		in.Trigger = run.Backfill
	}
	reprocess, errReprocess := run.ParseReprocess(string(in.Reprocess))
	onFailure, errOnFailure := run.ParseOnFailure(string(in.OnFailure))
	in.Reprocess, in.OnFailure = reprocess, onFailure
	return in, errors.Join(append(errs, run.CheckParallel(in.Parallel), errReprocess, errOnFailure)...)
}

// checkRangeOfDAG checks what depends on the DAG of a range.
func (c Catalog) checkRangeOfDAG(in run.RangeInput) error {
	definition, err := c.Definition(in.DAG)
	if err != nil {
		return err
	}
	_, unknown := definition.DAG.From(in.RerunTasks...)
	var order error
	if in.Backwards && !in.IgnorePast && definition.DAG.DependsOnPast() {
		order = errors.New("backwards: tasks of this DAG depend on the past, so the latest date would wait for all others; run it forwards, or ignore the past")
	}
	return errors.Join(unknown, order, definition.Params.Check(in.Params))
}

func checkSpan(in run.RangeInput, now time.Time) error {
	if in.From == "" && in.To == "" {
		return errors.New("a range needs the dates from and to; only a Schedule may leave them out")
	}
	err := errors.Join(run.CheckDate("from", in.From, now), run.CheckDate("to", in.To, now))
	if err == nil && in.From > in.To {
		err = fmt.Errorf("from %s comes after to %s: swap them", in.From, in.To)
	}
	return err
}
