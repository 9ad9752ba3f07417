package activities

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// maxPayloadBytes keeps the answer of ReadLedger below the 2 MB that Temporal accepts as one
// payload (limit.blobSize.error).
const maxPayloadBytes = 1_900_000

// LedgerEntries holds the entries that exist, in the order of their dates.
type LedgerEntries struct {
	Entries []ledger.Entry `json:"entries"`
}

// Ledger reads and writes the ledger for workflows.
type Ledger struct {
	Ledger *ledger.Ledger
	// Ended is called with each run whose entry was written; nil is not.
	Ended func(ctx context.Context, status run.Status)
}

// ReadLedger returns the entries that the query selects. It is not retried if they are larger than
// one payload, thousands of dates: ask for fewer, or for brief entries.
func (l *Ledger) ReadLedger(ctx context.Context, in ledger.Query) (LedgerEntries, error) {
	entries, err := l.Ledger.Entries(ctx, in)
	if err != nil {
		return LedgerEntries{}, ledgerError(ctx, "read the ledger", err)
	}
	answer := LedgerEntries{Entries: entries}
	body, err := json.Marshal(answer)
	if err != nil {
		return LedgerEntries{}, fmt.Errorf("ledger of %s: %w", in.DAG, err)
	}
	if len(body) > maxPayloadBytes {
		return LedgerEntries{}, failure.NonRetryable(failure.InvalidInput, nil,
			"the ledger of %s from %s to %s has %d bytes, more than one payload can hold: ask for fewer dates, or for brief entries",
			in.DAG, in.From, in.To, len(body))
	}
	return answer, nil
}

// WriteLedger records the end of a run.
func (l *Ledger) WriteLedger(ctx context.Context, entry ledger.Entry) error {
	if _, err := dates.Parse(string(entry.Date)); err != nil || entry.DAG == "" {
		return failure.NonRetryable(failure.InvalidInput, err, "a ledger entry needs a DAG and a date, not %q and %q", entry.DAG, entry.Date)
	}
	if err := l.Ledger.Write(ctx, entry); err != nil {
		return ledgerError(ctx, "write the ledger", err)
	}
	if l.Ended != nil {
		l.Ended(ctx, entry.Status)
	}
	return nil
}
