package workflows

import (
	"slices"
	"time"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
)

// OverdueDate is a date whose run has not ended by the time at which it had to.
type OverdueDate struct {
	Date dates.Date `json:"date"`
	// Due is when the run had to have ended.
	Due time.Time `json:"deadline"`
	// State is how far the date is: None if no run of it is going, else the state of that run. Partial says that a run has ended, but saw
	// the date before it was over.
	State   State `json:"state"`
	Partial bool  `json:"partial,omitempty"`
}

// Overdue are the dates among those that are expected to have run whose deadline has passed and whose run has not ended: it hangs, or waits
// for a decision, or it never started. The deadline is the end of the date and the DAG's Due after it; a DAG without Due has no overdue dates.
//
// A run has ended, well or badly, when the ledger has an entry of the date that is not partial. A failed date is not overdue: it is reported
// as failed. Nor is one that is run again after it had ended. A run that was terminated from outside has left no entry: its date is overdue.
//
// going are the states of the runs that have not ended.
func Overdue(named Named, expected []dates.Date, entries []activities.LedgerEntry, going map[dates.Date]State, now time.Time) []OverdueDate {
	if named.Due == 0 {
		return nil
	}
	var overdue []OverdueDate
	for _, date := range expected {
		due := date.End().Add(named.Due)
		entry := find(entries, date)
		if now.Before(due) || entry != nil && !entry.Partial {
			continue
		}
		late := OverdueDate{Date: date, Due: due, State: None, Partial: entry != nil}
		if state, ok := going[date]; ok {
			late.State = state
		}
		overdue = append(overdue, late)
	}
	slices.SortFunc(overdue, func(a, b OverdueDate) int { return a.Due.Compare(b.Due) })
	return overdue
}

// Says is what is overdue, in words.
func (o OverdueDate) Says() string {
	switch {
	case o.State != None && o.State != "":
		return "its run is " + string(o.State) + " and has not ended"
	case o.Partial:
		return "its run saw only a part of the date, and no other has come"
	}
	return "no run of it has ended and none is going"
}
