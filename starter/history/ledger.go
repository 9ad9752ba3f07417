package history

import (
	"context"

	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// Entries returns the ledger entries of the dates from to to, in their order.
func (r *Reader) Entries(ctx context.Context, from, to dates.Date) ([]ledger.Entry, error) {
	objects, err := r.bucket(ctx)
	if err != nil {
		return nil, s3.Classify(err)
	}
	l := ledger.Ledger{Objects: objects}
	entries, err := l.Entries(ctx, ledger.Query{DAG: r.DAG.Name, From: from, To: to})
	return entries, s3.Classify(err)
}

// Entry returns the ledger entry of a date, or nil if there is none.
func (r *Reader) Entry(ctx context.Context, date dates.Date) (*ledger.Entry, error) {
	entries, err := r.Entries(ctx, date, date)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	return &entries[0], nil
}

// RecordedStatus returns a date's latest run as the ledger has it. If a run id is given, the entry
// must be that of the run. The error is a *NoRunError if there is no such entry.
func (r *Reader) RecordedStatus(ctx context.Context, date dates.Date, runID string) (run.Status, error) {
	entry, err := r.Entry(ctx, date)
	if err != nil {
		return run.Status{}, err
	}
	if entry == nil || runID != "" && entry.RunID != runID {
		return run.Status{}, r.noRun(date)
	}
	return entry.Status, nil
}

// recorded is RecordedStatus as a Run.
func (r *Reader) recorded(ctx context.Context, date dates.Date, runID string) (Run, error) {
	status, err := r.RecordedStatus(ctx, date, runID)
	return Run{Status: status}, err
}

// Notes returns the notes on a date, oldest first.
func (r *Reader) Notes(ctx context.Context, date dates.Date) ([]ledger.Note, error) {
	objects, err := r.bucket(ctx)
	if err != nil {
		return nil, s3.Classify(err)
	}
	notes := ledger.Notes{Objects: objects}
	found, err := notes.Of(ctx, r.DAG.Name, date)
	return found, s3.Classify(err)
}
