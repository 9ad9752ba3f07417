// Package dates is the calendar of the pipeline: logical dates, which are whole days in UTC.
package dates

import (
	"fmt"
	"time"
)

// Interval is the length of a logical date's data interval: the DAG is daily.
const Interval = 24 * time.Hour

// Date is a logical date, the day whose data a run processes, as YYYY-MM-DD.
// Its data interval is [Start, End) in UTC. As text it sorts in the order of time.
type Date string

// Parse parses a date in the form YYYY-MM-DD.
func Parse(text string) (Date, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return "", fmt.Errorf("%q is not a date: write it as YYYY-MM-DD, for example 2022-10-18", text)
	}
	return Of(day), nil
}

// Of returns the date of a moment, in UTC.
func Of(moment time.Time) Date {
	return Date(moment.UTC().Format(time.DateOnly))
}

// Start returns the first moment of the date; the zero time if the date is not a valid one.
func (d Date) Start() time.Time {
	day, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return day
}

// End returns the first moment after the date.
func (d Date) End() time.Time { return d.Start().Add(Interval) }

// Add returns the date that many days later, or earlier if days is negative.
func (d Date) Add(days int) Date { return Of(d.Start().AddDate(0, 0, days)) }

// Days counts the dates from d to last, both included; it is 0 if last comes before d.
func (d Date) Days(last Date) int {
	if last < d {
		return 0
	}
	return int(last.Start().Sub(d.Start())/Interval) + 1
}

// Over reports whether the date has ended at that moment, so that its data can be complete.
func (d Date) Over(now time.Time) bool { return !now.Before(d.End()) }
