package schedule

import (
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// LogicalDate returns the date that a firing of a Schedule is for: the last date that was over.
func LogicalDate(fired time.Time) dates.Date { return dates.Of(fired.Add(-dates.Interval)) }
