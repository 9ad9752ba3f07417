package history

import (
	"fmt"

	"github.com/pinflow/pinflow/internal/dates"
)

// DateSpan is the dates From to To, both included.
type DateSpan struct {
	From  dates.Date `json:"from"`
	To    dates.Date `json:"to"`
	Dates int        `json:"dates"`
}

// DatesFrom returns the span of dates, or nil if it is empty.
func DatesFrom(from, to dates.Date) *DateSpan {
	if from == "" || from > to {
		return nil
	}
	return &DateSpan{from, to, from.Days(to)}
}

func (s *DateSpan) String() string {
	if s.Dates == 1 {
		return fmt.Sprintf("1 date, %s", s.From)
	}
	return fmt.Sprintf("%d dates, %s to %s", s.Dates, s.From, s.To)
}

// BackfillArgs returns the arguments of the command that runs the dates.
func (s *DateSpan) BackfillArgs() string {
	return fmt.Sprintf("backfill --from %s --to %s --reprocess failed", s.From, s.To)
}

// Latest splits off the latest dates; all if count is 0.
func (s *DateSpan) Latest(count int) (latest, earlier *DateSpan) {
	if count == 0 || count >= s.Dates {
		return s, nil
	}
	from := s.To.Add(1 - count)
	return DatesFrom(from, s.To), DatesFrom(s.From, from.Add(-1))
}
