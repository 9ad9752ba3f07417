package ledger

import (
	"slices"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// Entry is the ledger's record of a logical date: its latest run that has ended.
type Entry struct {
	run.Status
	// Attempt counts the runs of the date, this one included.
	Attempt int `json:"attempt"`
}

// Failure returns why the run failed: the first task that failed, and the first line of the error of
// its job; or else the error of the run.
func (e Entry) Failure() string {
	for _, task := range e.Tasks {
		if task.State == run.Failed && task.Error != "" {
			return task.ID + ": " + task.ErrorLine()
		}
	}
	if e.State == run.Cancelled && (e.Error == "" || e.Error == "cancelled") {
		return "its run was cancelled"
	}
	return e.Error
}

// Find returns the entry of a date, or nil if there is none.
func Find(entries []Entry, date dates.Date) *Entry {
	if i := slices.IndexFunc(entries, func(e Entry) bool { return e.Date == date }); i >= 0 {
		return &entries[i]
	}
	return nil
}
