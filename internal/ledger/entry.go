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

// Find returns the entry of a date, or nil if there is none.
func Find(entries []Entry, date dates.Date) *Entry {
	if i := slices.IndexFunc(entries, func(e Entry) bool { return e.Date == date }); i >= 0 {
		return &entries[i]
	}
	return nil
}
