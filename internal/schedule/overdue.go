package schedule

import (
	"slices"
	"time"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// OverdueDate is a date whose run has not ended by its deadline.
type OverdueDate struct {
	Date dates.Date `json:"date"`
	// Deadline is when the run had to have ended.
	Deadline time.Time `json:"deadline"`
	// State is the state of the open run; None if there is none.
	State run.State `json:"state"`
	// Partial reports whether a run has ended that saw the date before it was over.
	Partial bool `json:"partial,omitempty"`
}

// Overdue returns the expected dates whose deadline has passed and whose run has not ended: it
// hangs, waits for a decision, or never started. The deadline counts from the end of the date; a
// DAG without one has no overdue dates.
//
// A run has ended, well or badly, when the ledger has an entry of the date that is not partial. A
// failed date is not overdue, and neither is one that runs again after it had ended. A run that was
// terminated has left no entry: its date is overdue.
//
// running holds the states of the open runs.
func Overdue(definition dag.Definition, expected []dates.Date, entries []ledger.Entry, running map[dates.Date]run.State, now time.Time) []OverdueDate {
	if definition.Deadline == 0 {
		return nil
	}
	var overdue []OverdueDate
	for _, date := range expected {
		deadline := date.End().Add(definition.Deadline)
		entry := ledger.Find(entries, date)
		if now.Before(deadline) || entry != nil && !entry.Partial {
			continue
		}
		late := OverdueDate{Date: date, Deadline: deadline, State: run.None, Partial: entry != nil}
		if state, ok := running[date]; ok {
			late.State = state
		}
		overdue = append(overdue, late)
	}
	slices.SortFunc(overdue, func(a, b OverdueDate) int { return a.Deadline.Compare(b.Deadline) })
	return overdue
}

// Reason returns why the date is overdue.
func (o OverdueDate) Reason() string {
	switch {
	case o.State != run.None && o.State != "":
		return "its run is " + string(o.State) + " and has not ended"
	case o.Partial:
		return "its run saw only part of the date, and no other run followed"
	}
	return "no run has ended and none is running"
}
