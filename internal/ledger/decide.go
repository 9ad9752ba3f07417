package ledger

import (
	"fmt"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// Partial is the state, in a Decision, of a date that was seen before it was over.
const Partial run.State = "partial"

// Decision is what a range decides about one date. A dry run prints it, the range carries it out.
type Decision struct {
	Date dates.Date `json:"date"`
	// State is the date's state in the ledger: none, success, failed, cancelled or partial.
	State run.State `json:"state"`
	// Run reports whether the date runs; otherwise it is skipped. Why is the reason, in words.
	Run bool   `json:"run"`
	Why string `json:"why"`
	// FailedOnly makes Temporal reject the start if the date has succeeded since the ledger was
	// read.
	FailedOnly bool `json:"-"`
}

// Decide decides about one date from its ledger entry, which is nil if there is none. It is pure,
// so that a dry run and the range decide alike. Whether the date is running is not for the ledger
// to know: Temporal rejects a second run, and the range waits for the first.
func Decide(date dates.Date, entry *Entry, reprocess run.Reprocess) Decision {
	d := Decision{Date: date, State: stateOf(entry), Run: true}
	switch {
	case entry == nil:
		// A date without an entry may have run since the ledger was read, so a success must not be
		// repeated. A run that was terminated has left no entry and counts as failed in Temporal.
		d.Why, d.FailedOnly = "has not run yet", reprocess != run.ReprocessAll
	case entry.Partial:
		d.Why = "was seen only up to " + seenUntil(entry)
	case reprocess == run.ReprocessAll:
		d.Why = fmt.Sprintf("%s; all dates run again", entry.State)
	case entry.State == run.Success:
		d.Run, d.Why = false, "has already run"
	case reprocess == run.ReprocessFailed:
		d.Why, d.FailedOnly = "failed; failed dates run again", true
		if entry.State == run.Cancelled {
			d.Why = "cancelled; counts as failed, and failed dates run again"
		}
	case entry.State == run.Cancelled:
		d.Run, d.Why = false, "was cancelled; --reprocess failed runs it again"
	default:
		d.Run, d.Why = false, "has failed; --reprocess failed runs it again"
	}
	return d
}

func stateOf(entry *Entry) run.State {
	switch {
	case entry == nil:
		return run.None
	case entry.Partial:
		return Partial
	}
	return entry.State
}

func seenUntil(entry *Entry) string {
	if entry.Until.IsZero() {
		return "an unknown time"
	}
	return entry.Until.UTC().Format(time.DateTime) + " UTC"
}
