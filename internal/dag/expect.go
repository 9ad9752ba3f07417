package dag

import (
	"errors"
	"fmt"

	"github.com/pinflow/pinflow/internal/run"
)

// Expect is what a task requires of its own outcome. The zero value requires nothing. A broken
// expectation ends the task without another try: the same data would give the same outcome.
//
// The fields that begin with Warn fail nothing: the task succeeds with a warning.
type Expect struct {
	// MinRows is the smallest number of rows that the task must handle.
	MinRows int64 `json:"minRows,omitempty"`
	// MaxQuarantined is the largest share of the date's records that may be quarantined, in
	// percent; 0 is no limit.
	MaxQuarantined float64 `json:"maxQuarantined,omitempty"`
	// NotEmpty requires a row in each table that the task rebuilds.
	NotEmpty bool `json:"notEmpty,omitempty"`
	// WarnQuarantined is the share of the date's records above which quarantined records are a
	// warning, in percent; 0 is no limit.
	WarnQuarantined float64 `json:"warnQuarantined,omitempty"`
	// WarnEmpty warns if the task handled no record.
	WarnEmpty bool `json:"warnEmpty,omitempty"`
	// Hold makes a task with a broken expectation wait for an operator's decision instead of
	// failing.
	Hold bool `json:"hold,omitempty"`
}

// Demands reports whether anything is required.
func (e Expect) Demands() bool { return e.MinRows > 0 || e.MaxQuarantined > 0 || e.NotEmpty }

// Warns reports whether something can be a warning.
func (e Expect) Warns() bool { return e.WarnQuarantined > 0 || e.WarnEmpty }

// Warnings returns everything in the outcome that is worth a warning, with the figures. An outcome
// that was not counted has none.
func (e Expect) Warnings(out run.Outcome) []string {
	var all []string
	if e.WarnEmpty && out.Counted && out.Rows == 0 && out.Records == 0 {
		all = append(all, "no records")
	}
	if share := quarantinedShare(out); e.WarnQuarantined > 0 && share > e.WarnQuarantined {
		all = append(all, fmt.Sprintf("%d of %d records quarantined, %.1f %%, more than %g %%", out.Quarantined, out.Records, share, e.WarnQuarantined))
	}
	return all
}

// Check returns everything in the outcome that is not as expected, with the figures.
func (e Expect) Check(out run.Outcome) error {
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

// quarantinedShare returns a percentage. Cleaning counts the elements of an array, Kafka the array,
// so that the share of a date can exceed all its records.
func quarantinedShare(out run.Outcome) float64 {
	if out.Quarantined == 0 {
		return 0
	}
	return min(100, 100*float64(out.Quarantined)/float64(max(out.Records, 1)))
}

// check finds expectations that no outcome can meet.
func (e Expect) check(found *mistakes, t Task) {
	if e.MinRows < 0 || min(e.MaxQuarantined, e.WarnQuarantined) < 0 || max(e.MaxQuarantined, e.WarnQuarantined) > 100 {
		found.add("task %q: MinRows must not be negative, and MaxQuarantined and WarnQuarantined are between 0 and 100 percent", t.ID)
	}
	if e.MaxQuarantined > 0 && e.WarnQuarantined >= e.MaxQuarantined {
		found.add("task %q: WarnQuarantined must be below MaxQuarantined, or it has no effect", t.ID)
	}
	var effects Effects
	if t.Do != nil {
		effects = t.Do.Effects()
	}
	counted := effects.Cleans != "" || len(effects.Lands)+len(effects.Rebuilds) > 0
	if max(e.MaxQuarantined, e.WarnQuarantined) > 0 && effects.Cleans == "" || e.NotEmpty && len(effects.Rebuilds) == 0 || e.WarnEmpty && !counted {
		found.add("task %q: its operator %T cannot count what the task expects", t.ID, t.Do)
	}
	if e.Hold && !e.Demands() {
		found.add("task %q: Expect.Hold is set, but nothing is expected", t.ID)
	}
}
