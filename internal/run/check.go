package run

import (
	"fmt"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// CheckDate returns an error if the date cannot be run at that moment. The name says which date it
// is about, as in "from".
func CheckDate(name string, date dates.Date, now time.Time) error {
	if _, err := dates.Parse(string(date)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if date.Start().After(now) {
		return fmt.Errorf("%s: %s is in the future and has no data yet; it can run from %s UTC",
			name, date, date.Start().Format(time.DateTime))
	}
	return nil
}

// CheckBatch returns an error if that many dates cannot go together in one Databricks run.
func CheckBatch(batch int) error {
	if batch < 1 || batch > MaxBatch {
		return fmt.Errorf("batch %d: want 1 to %d", batch, MaxBatch)
	}
	return nil
}

// CheckParallel returns an error if a range cannot run that many dates at a time.
func CheckParallel(parallel int) error {
	if parallel < 1 || parallel > MaxParallel {
		return fmt.Errorf("parallel %d: want 1 to %d", parallel, MaxParallel)
	}
	return nil
}
